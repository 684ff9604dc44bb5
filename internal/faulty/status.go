package faulty

import (
	"fmt"
	"net/http"

	"causeway/internal/fault"
)

// statusFaults are complete answers that say no: the gateway passes them on as they are, and
// comments on those that it knows. Params change the status, the header lines and the body.
func statusFaults() []Fault {
	says := func(name, row string, kind fault.Kind, about string, status int, body string, header ...string) Fault {
		return Fault{
			Name: name, Kind: kind, Row: row, Status: status, About: about,
			Defaults: Params{Status: status, Body: body, Header: header}, start: tcp(complete),
		}
	}
	plain := func(status int, header ...string) (int, string, []string) {
		return status, http.StatusText(status) + "\n", append([]string{plainText}, header...)
	}
	pass := func(name, row string, status int, header ...string) Fault {
		status, body, lines := plain(status, header...)
		return says(name, row, "", fmt.Sprintf("a complete %d %s", status, http.StatusText(status)), status, body, lines...)
	}
	note := func(f Fault, kind fault.Kind, about string) Fault {
		f.Kind, f.About = kind, about
		return f
	}
	const busy = "upstream connect error or disconnect/reset before headers. reset reason: "
	return []Fault{
		pass("answer", "", 200),
		pass("status_400", "61", 400),
		pass("status_401", "79", 401, `WWW-Authenticate: Bearer realm="orders"`),
		pass("status_403", "79", 403),
		pass("status_404", "78", 404),
		pass("status_405", "78", 405, "Allow: GET, HEAD"),
		pass("status_408", "61", 408, "Connection: close"),
		pass("status_410", "78", 410, "Sunset: Sat, 01 Aug 2026 00:00:00 GMT"),
		pass("status_413", "39", 413),
		pass("redirect_301", "77", 301, "Location: https://orders.test/v2/"),
		pass("redirect_302", "77", 302, "Location: /login"),
		pass("redirect_308", "77", 308, "Location: /orders/"),

		note(pass("status_429", "63", 429, "Retry-After: 7"), fault.UpstreamRateLimited, "429 with Retry-After: 7"),
		says("status_500", "61", fault.UpstreamError, "500 with a stack trace", 500,
			"Traceback (most recent call last):\n  File \"app.py\", line 12, in orders\nKeyError: 'customer'\n", plainText),
		note(pass("status_503", "63", 503, "Retry-After: 30"), fault.UpstreamUnavailable, "503 with Retry-After: 30"),
		says("status_503_envoy", "62", fault.UpstreamUnavailable, "503 of an Envoy behind us that could not connect", 503,
			busy+"connection failure", plainText, "Server: envoy"),
		page("status_502_nginx", "62", fault.UpstreamBadGateway, "502 of an nginx behind us", 502, "502 Bad Gateway"),
		says("status_502_envoy", "62", fault.UpstreamBadGateway, "502 of an Envoy behind us", 502,
			busy+"protocol error", plainText, "Server: envoy"),
		says("status_502_haproxy", "62", fault.UpstreamBadGateway, "502 of an HAProxy behind us", 502,
			"<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response.\n</body></html>\n",
			html, "Cache-Control: no-cache", "Connection: close"),
		says("status_502_alb", "62", fault.UpstreamBadGateway, "502 of an AWS load balancer behind us", 502,
			"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n",
			html, "Server: awselb/2.0"),
		says("status_502_linkerd", "62", fault.UpstreamBadGateway, "502 of a Linkerd proxy behind us", 502, "",
			"l5d-proxy-error: endpoint 10.0.0.5:8080: connection refused", "l5d-proxy-connection: close", "Connection: close"),
		says("status_520_cloudflare", "62", fault.UpstreamBadGateway, "520 of Cloudflare behind us", 520,
			"error code: 520", plainText, "Server: cloudflare", "CF-RAY: 8c0ffee0c0ffee00-AMS"),
		note(pass("status_504", "62", 504), fault.UpstreamTimeout, "a plain 504"),
		page("status_504_nginx", "62", fault.UpstreamTimeout, "504 of an nginx behind us", 504, "504 Gateway Time-out"),
	}
}

// page is a fault whose answer is one of nginx's own pages.
func page(name, row string, kind fault.Kind, about string, status int, title string) Fault {
	return Fault{
		Name: name, Kind: kind, Row: row, Status: status, About: about,
		Defaults: Params{Status: status, Body: nginxBody(title, ""), Header: []string{"Server: nginx/1.26.0", html}},
		start:    tcp(complete),
	}
}

// nginxPage is an answer of nginx's own, after which it closes.
func nginxPage(status int, title, more string) string {
	return text(status, nginxBody(title, more), "Server: nginx/1.26.0", html, "Connection: close")
}

// nginxBody is the shape of every error page that nginx makes.
func nginxBody(title, more string) string {
	heading := title
	if more != "" {
		heading = "400 Bad Request"
	}
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + heading + "</h1></center>\r\n" +
		more + "<hr><center>nginx/1.26.0</center>\r\n</body>\r\n</html>\r\n"
}
