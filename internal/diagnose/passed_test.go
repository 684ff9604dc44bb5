package diagnose

import (
	"strings"
	"testing"

	"causeway/internal/fault"
)

func TestPassed(t *testing.T) {
	cloudflare := func(name string) string {
		if name == "cf-ray" {
			return "8f-AMS"
		}
		return ""
	}
	tests := []struct {
		status int
		h      func(string) string
		want   fault.Kind
	}{
		{200, nil, ""},
		{204, nil, ""},
		{304, nil, ""},
		{400, nil, ""},
		{404, nil, ""},
		{428, nil, ""},
		{451, nil, ""},
		{501, nil, ""},
		{505, nil, ""},
		{429, nil, fault.UpstreamRateLimited},
		{500, nil, fault.UpstreamError},
		{502, nil, fault.UpstreamBadGateway},
		{503, nil, fault.UpstreamUnavailable},
		{504, nil, fault.UpstreamTimeout},
		{521, cloudflare, fault.UpstreamBadGateway},
		{522, cloudflare, fault.UpstreamTimeout},
		{524, cloudflare, fault.UpstreamTimeout},
		{521, nil, fault.UpstreamError}, // RFC 9110 section 15: a 5xx that is not known is a 500
		{507, func(string) string { return "" }, fault.UpstreamError},
		{600, nil, ""},
	}
	for _, test := range tests {
		if k := Passed(test.status, test.h); k != test.want {
			t.Errorf("%d: got %q, want %q", test.status, k, test.want)
		}
	}
}

func TestPassedAllocatesNothing(t *testing.T) {
	h := func(string) string { return "" }
	if n := testing.AllocsPerRun(100, func() { Passed(200, h); Passed(503, h) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSaysPlainToTLS(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   bool
	}{
		{"nginx", 400, "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>", true},
		{"Go", 400, "Client sent an HTTP request to an HTTPS server.\n", true},
		{"Apache", 400, "<p>Your browser sent a request that this server could not understand.<br />\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />", true},
		{"another 400", 400, `{"error":"missing field"}`, false},
		{"a page that quotes it", 200, "Client sent an HTTP request to an HTTPS server.", false},
	}
	for _, test := range tests {
		if got := SaysPlainToTLS(test.status, []byte(test.body)); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

func TestNestedProxyIsNamed(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		body    string
		headers []string
		want    string
	}{
		{"nginx by its header", 502, "", []string{"server", "nginx/1.24.0"}, "made by nginx (its header server: \"nginx/1.24.0\"): it got no valid answer"},
		{"nginx by its body", 504, "<center>nginx</center>", nil, "made by nginx (its body): the server behind it did not answer in time"},
		{"Envoy by its body", 503, "upstream connect error or disconnect/reset before headers. reset reason: connection failure", nil, "made by Envoy (its body): it could not connect"},
		{"Istio", 503, "no healthy upstream", []string{"server", "istio-envoy"}, "made by Envoy (Istio)"},
		{"AWS", 504, "", []string{"server", "awselb/2.0"}, "made by an AWS load balancer"},
		{"HAProxy", 503, "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>", nil, "made by HAProxy (its body): none of the servers"},
		{"Cloudflare 521", 521, "", []string{"server", "cloudflare", "cf-ray", "8f-AMS"}, "made by Cloudflare (its header cf-ray: \"8f-AMS\"): its origin refused the connection"},
		{"Linkerd", 502, "", []string{"l5d-proxy-error", "connect timed out"}, `made by Linkerd (its header l5d-proxy-error: "connect timed out"): it says "connect timed out"`},
		{"Kong", 502, "", []string{"server", "kong/3.6"}, "made by Kong"},
		{"another Causeway", 502, "", []string{"causeway-call-id", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "made by another Causeway"},
		{"Fastly", 503, "", []string{"x-served-by", "cache-ams1234-AMS"}, "came by way of Fastly"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := answered(test.status, test.body, test.headers...)
			f := Judge(in)
			if got := strings.Join(f.Evidence, "\n"); !strings.Contains(got, test.want) {
				t.Errorf("evidence lacks %q:\n%s", test.want, got)
			}
			if !f.Passed || f.Status != test.status || f.ReceivedStatus != test.status {
				t.Errorf("not told as passed on: %+v", f)
			}
		})
	}
}

func TestOwnAnswerIsNotBlamedOnAProxy(t *testing.T) {
	f := Judge(answered(500, `{"error":"boom"}`, "server", "gunicorn"))
	got := strings.Join(f.Evidence, "\n")
	if strings.Contains(got, "made by") {
		t.Errorf("a proxy was seen where there is none:\n%s", got)
	}
	if !strings.Contains(got, `Server: "gunicorn"`) {
		t.Errorf("the server's name is missing:\n%s", got)
	}
}
