package route

import (
	"fmt"
	"strings"
	"testing"
)

// build makes a table of lines such as "GET,POST api.example.com/orders/* X-V=2"; the method "-"
// stands for all. Each rule's owner is its line's index, so that no two are one owner's.
func build(t testing.TB, lines ...string) *Table {
	t.Helper()
	table, conflicts := Build(parse(lines))
	for _, c := range conflicts {
		t.Errorf("conflict: %s", c.Text)
	}
	if table == nil {
		t.FailNow()
	}
	return table
}

func parse(lines []string) (rules []Rule) {
	for i, l := range lines {
		f := strings.Fields(l)
		r := Rule{Owner: fmt.Sprintf("s%d", i)}
		if f[0] != "-" {
			r.Methods = strings.Split(f[0], ",")
		}
		host, _, _ := strings.Cut(f[1], "/")
		if host != "" {
			r.Hosts = strings.Split(host, "|")
		}
		r.Path = f[1][len(host):]
		for _, h := range f[2:] {
			name, value, _ := strings.Cut(h, "=")
			if r.Headers == nil {
				r.Headers = map[string]string{}
			}
			r.Headers[name] = value
		}
		rules = append(rules, r)
	}
	return rules
}

// headers makes a Header of lines such as "X-V=2".
func headers(lines ...string) Header {
	return func(name string) []byte {
		for _, l := range lines {
			if n, v, _ := strings.Cut(l, "="); strings.EqualFold(n, name) {
				return []byte(v)
			}
		}
		return nil
	}
}

// show renders a result as "0" (the rule), "404", "405 GET, POST" or "400".
func show(r Result) string {
	switch r.Status {
	case Found:
		return fmt.Sprint(r.Rule)
	case NotFound:
		return "404"
	case MethodNotAllowed:
		return "405 " + r.Allow
	case Ambiguous:
		return fmt.Sprintf("400 %d|%d", r.Rule, r.Other)
	default:
		return "400 " + r.Err.Error()
	}
}

func TestTheMostSpecificRouteWins(t *testing.T) {
	for _, tt := range []struct {
		name   string
		routes []string
		calls  map[string]string // "METHOD host/path header..." -> show
	}{
		{"exact, then param, then the longest star", []string{"- /*", "- /orders/*", "- /orders/{id}", "- /orders/new", "- /orders/eu/*"}, map[string]string{
			"GET h/orders/new":    "3",
			"GET h/orders/7":      "2",
			"GET h/orders/7/x":    "1",
			"GET h/orders/eu/7":   "4",
			"GET h/orders/eu/7/x": "4",
			"GET h/orders/eu":     "2",
			"GET h/orders/":       "1",
			"GET h/orders":        "1",
			"GET h/other":         "0",
			"GET h/":              "0",
		}},
		{"a param goes before a star whose literal is further left", []string{"- /orders/*", "- /{a}/{b}"}, map[string]string{
			"GET h/orders/7":   "1",
			"GET h/orders/7/8": "0",
		}},
		{"of two with params the literal further left wins", []string{"- /{x}/b", "- /a/{y}", "- /{x}/{y}"}, map[string]string{
			"GET h/a/b": "1",
			"GET h/c/b": "0",
			"GET h/c/d": "2",
		}},
		{"the longest star counts whole segments first", []string{"- /acme/*", "- /{tenant}/orders/*", "- /acme/ord*"}, map[string]string{
			"GET h/acme/orders/1": "1",
			"GET h/acme/order":    "2",
			"GET h/acme/x":        "0",
		}},
		{"a star matches none, an exact path before it", []string{"- /orders/*", "- /orders"}, map[string]string{
			"GET h/orders":  "1",
			"GET h/orders/": "0",
		}},
		{"a star inside a segment", []string{"- /orders*", "- /orders/*"}, map[string]string{
			"GET h/orders-old": "0",
			"GET h/orders":     "1",
			"GET h/orders/1":   "1",
			"GET h/orderx":     "404",
			"GET h/orders../x": "404", // stripped, it would be ../x
			"GET h/orders.":    "404",
			"GET h/orders.x":   "0",
		}},
		{"a param is one whole segment and not empty", []string{"- /orders/{id}/items"}, map[string]string{
			"GET h/orders/7/items":   "0",
			"GET h/orders/items":     "404",
			"GET h/orders/7/8/items": "404",
			"GET h/orders/7/items/":  "404",
		}},
		{"host before path", []string{"- /orders", "- api.example.com/*", "- *.example.com/orders", "- *.eu.example.com/*"}, map[string]string{
			"GET api.example.com/orders":       "1",
			"GET API.Example.COM:8080/orders":  "1",
			"GET api.example.com./orders":      "1",
			"GET x.example.com/orders":         "2",
			"GET x.y.example.com/orders":       "2",
			"GET x.eu.example.com:1/orders":    "3",
			"GET example.com/orders":           "0",
			"GET evilexample.com/orders":       "0",
			"GET x.example.com/other":          "404",
			"GET .example.com/other":           "404",
			"GET api.example.com.evil/orders":  "0",
			"GET x.eu.example.com:x/orders":    "0",
			"GET api.example.com@evil/orders/": "404",
		}},
		{"addresses are hosts too", []string{"- [::1]/a", "- 127.0.0.1:80/b", "- bücher.example/c"}, map[string]string{
			"GET [::1]:8080/a":                "0",
			"GET 127.0.0.1/b":                 "1",
			"GET 127.0.0.1:9/b":               "1",
			"GET xn--bcher-kva.example:443/c": "2",
		}},
		{"a host without a fitting path falls back to routes without hosts", []string{"- api.example.com/a", "- /b"}, map[string]string{
			"GET api.example.com/b": "1",
		}},
		{"more header conditions before fewer", []string{"- /a", "- /a X-V=2", "- /a X-V=2 X-Beta=*", "- /* X-V=3"}, map[string]string{
			"GET h/a":                  "0",
			"GET h/a X-V=1":            "0",
			"GET h/a X-V=2":            "1",
			"GET h/a x-v=2 x-beta=yes": "2",
			"GET h/a X-Beta=yes":       "0",
			"GET h/a X-V=3":            "0",
			"GET h/b X-V=3":            "3",
			"GET h/b":                  "404",
		}},
		{"a route whose headers don't hold gives way to a less specific path", []string{"- /a/{id} X-V=2", "- /a/*"}, map[string]string{
			"GET h/a/1":       "1",
			"GET h/a/1 X-V=2": "0",
		}},
		{"the method last", []string{"GET /a", "POST,PUT /a", "GET /b", "- /b", "GET /c X-V=2", "POST /c"}, map[string]string{
			"GET h/a":         "0",
			"PUT h/a":         "1",
			"DELETE h/a":      "405 GET, POST, PUT",
			"get h/a":         "405 GET, POST, PUT",
			"GET h/b":         "2",
			"DELETE h/b":      "3",
			"POST h/c X-V=2":  "5",
			"PATCH h/c X-V=2": "405 GET, POST",
			"GET h/c":         "405 POST",
		}},
		{"a wrong method never slips past to a less specific path", []string{"GET /orders/{id}", "- /*"}, map[string]string{
			"GET h/orders/7":    "0",
			"DELETE h/orders/7": "405 GET",
		}},
		{"patterns are brought into normal form", []string{"- /caf%C3%A9/%7Euser/{x}", "- /straße/*", "- /a|b"}, map[string]string{
			"GET h/caf%c3%a9/~user/1":  "0",
			"GET h/caf%C3%A9/~user/1":  "0",
			"GET h/stra%C3%9Fe/1":      "1",
			"GET h/straße/1":           "1",
			"GET h/a%7Cb":              "2",
			"GET h/a|b":                "2",
			"GET h/stra%C3%9Fe-x/caf/": "404",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := build(t, tt.routes...)
			for call, want := range tt.calls {
				f := strings.Fields(call)
				host, _, _ := strings.Cut(f[1], "/")
				got := show(table.Match(f[0], []byte(host), []byte(f[1][len(host):]), headers(f[2:]...)))
				if got != want {
					t.Errorf("%s: got %s, want %s", call, got, want)
				}
			}
		})
	}
}

func TestTheOrderOfRoutesNeverDecides(t *testing.T) {
	lines := []string{"- /*", "GET /orders/*", "POST /orders/*", "- /orders/{id}", "- /orders/{id} X-V=2", "- a.example/orders/*", "- *.example/*"}
	call := func(table *Table, method, host, path string) string {
		r := table.Match(method, []byte(host), []byte(path), headers("X-V=2"))
		if r.Status != Found {
			return show(r)
		}
		return table.describe(r.Rule)[3:] // without the owner
	}
	first := build(t, lines...)
	for range len(lines) {
		lines = append(lines[1:], lines[0])
		table := build(t, lines...)
		for _, c := range [][3]string{{"GET", "h", "/orders/1"}, {"POST", "h", "/orders/1/2"}, {"GET", "a.example", "/orders/1"}, {"GET", "b.example", "/orders/1"}, {"PUT", "h", "/orders/1/2"}} {
			if got, want := call(table, c[0], c[1], c[2]), call(first, c[0], c[1], c[2]); got != want {
				t.Errorf("%v: got %s, want %s", c, got, want)
			}
		}
	}
}

func TestRoutesThatCannotBeToldApart(t *testing.T) {
	for _, tt := range []struct {
		name   string
		routes []string
		want   []string // parts of the one conflict's text; none: no conflict
	}{
		{"twice the same", []string{"- /a", "- /a"}, []string{"s0: /a and s1: /a", "every call fits both"}},
		{"params are not told apart by their names", []string{"- /a/{x}/*", "- /a/{y}/*"}, []string{"s0: /a/{x}/*", "s1: /a/{y}/*"}},
		{"one form of the path", []string{"- /%61", "- /a"}, []string{"s0", "s1"}},
		{"methods that overlap", []string{"GET,POST /a", "POST,PUT /a"}, []string{"a POST fits both"}},
		{"methods apart", []string{"GET /a", "POST /a"}, nil},
		{"a method against all", []string{"GET /a", "- /a"}, nil},
		{"hosts that overlap", []string{"- x.example|y.example/a", "- Y.example:80/a"}, []string{"on Y.example:80"}},
		{"hosts apart", []string{"- x.example/a", "- *.example/a", "- /a"}, nil},
		{"the same headers", []string{"- /a X-V=1", "- /a x-v=1"}, []string{"every call with X-V: 1 fits both"}},
		{"headers that exclude each other", []string{"- /a X-V=1", "- /a X-V=2"}, nil},
		{"any value against one", []string{"- /a X-V=*", "- /a X-V=2"}, []string{"X-V: 2"}},
		{"headers that one call can have both", []string{"- /a X-V=1", "- /a X-W=1"}, []string{"X-V: 1 and X-W: 1"}},
		{"a third that decides for both", []string{"- /a X-V=1", "- /a X-W=1", "- /a X-V=1 X-W=1"}, nil},
		{"a third that decides for one method only", []string{"GET,PUT /a X-V=1", "GET,PUT /a X-W=1", "GET /a X-V=1 X-W=1"}, []string{"a PUT with"}},
		{"a slash at the end is another path", []string{"- /a", "- /a/"}, nil},
		{"a star and its stem", []string{"- /a", "- /a/*", "- /a*"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, conflicts := Build(parse(tt.routes))
			if (table == nil) != (len(tt.want) > 0) || len(conflicts) > 1 {
				t.Fatalf("got %+v, want %d", conflicts, min(1, len(tt.want)))
			}
			for _, w := range tt.want {
				if !strings.Contains(conflicts[0].Text, w) {
					t.Errorf("%q is not in %q", w, conflicts[0].Text)
				}
			}
			if len(tt.want) > 0 && (conflicts[0].A != 0 || conflicts[0].B != 1) {
				t.Errorf("got routes %d and %d, want 0 and 1", conflicts[0].A, conflicts[0].B)
			}
		})
	}
}

func TestRoutesThatCannotBeUnderstood(t *testing.T) {
	for _, tt := range []struct {
		rule Rule
		want string
	}{
		{Rule{Path: ""}, "must begin with"},
		{Rule{Path: "orders"}, "must begin with"},
		{Rule{Path: "/a/*/b"}, "only be its last character"},
		{Rule{Path: "/a/**"}, "only be its last character"},
		{Rule{Path: "/a/{id}.json"}, "whole segment"},
		{Rule{Path: "/a/{}"}, "needs a name"},
		{Rule{Path: "/a/{x}*"}, "missing between"},
		{Rule{Path: "/a/{x"}, "whole segment"},
		{Rule{Path: "/a//b"}, "never found"},
		{Rule{Path: "/a/../b"}, "never found"},
		{Rule{Path: "/a/%2e/*"}, "never found"},
		{Rule{Path: "/a/%2"}, "two hexadecimal digits"},
		{Rule{Path: "/a/%00"}, "NUL"},
		{Rule{Path: "/a?b=c"}, "query"},
		{Rule{Path: "/a", Methods: []string{"GET POST"}}, "not a method"},
		{Rule{Path: "/a", Headers: map[string]string{"X V": "1"}}, "not a header name"},
		{Rule{Path: "/a", Hosts: []string{"http://a.example"}}, "not a host name"},
		{Rule{Path: "/a", Hosts: []string{"a.*.example"}}, "not a host name"},
		{Rule{Path: "/a", Hosts: []string{"a..example"}}, "not a host name"},
		{Rule{Path: "/a", Hosts: []string{""}}, "not a host name"},
	} {
		t.Run(fmt.Sprintf("%s %v", tt.rule.Path, tt.rule.Hosts), func(t *testing.T) {
			table, conflicts := Build([]Rule{{Path: "/good"}, tt.rule})
			if table != nil || len(conflicts) != 1 || conflicts[0].A != 1 || conflicts[0].B != -1 {
				t.Fatalf("got %+v", conflicts)
			}
			if !strings.Contains(conflicts[0].Text, tt.want) {
				t.Errorf("%q is not in %q", tt.want, conflicts[0].Text)
			}
		})
	}
}

func TestAPathThatIsReadInTwoWays(t *testing.T) {
	table := build(t, "- /public/*", "- /admin/*", "- /public/{file}/raw", "- /files/{name}")
	for _, tt := range []struct{ name, path, want string }{
		{"plain", "/public/a", "0"},
		{"unreserved letters escaped, one route in both readings", "/public/%61%2Db", "0"},
		{"unreserved letters escaped, another route", "/public/x/r%61w", "400 2|0"},
		{"escaped prefix, found in one reading only", "/%61dmin/x", "1"},
		{"dot segments that lead to another route", "/public/../admin/x", "400 1|0"},
		{"the same, escaped", "/public/%2e%2E/admin/x", "400 1|0"},
		{"dot segments that stay", "/public/a/../b/./c", "0"},
		{"dot segments past the root", "/../../admin/x", "1"},
		{"dot segments that lead nowhere", "/public/../nowhere", "404"},
		{"escaped slash that leads to another route", "/public/..%2Fadmin/x", "400 0|1"},
		{"backslash", `/public/..\admin\x`, "400 0|1"},
		{"escaped backslash", "/public/..%5cadmin/x", "400 0|1"},
		{"path parameters", "/public/..;a=b/admin/x", "400 0|1"},
		{"double escape", "/public/%252e%252e/admin/x", "400 0|1"},
		{"triple escape of a slash", "/public/..%25252fadmin", "400 0|1"},
		{"escaped slash in a name, no other route", "/files/a%2Fb", "3"},
		{"parameters in a name, no other route", "/public/report;year=2020", "0"},
		{"doubled slash", "//admin//x", "1"},
		{"doubled slash that hides a route", "/public//a/raw", "400 2|0"},
		{"a doubled slash before dots, for those who keep it", "/public//../admin/x", "400 1|0"},
		{"the same behind escapes", "/public/a%2F%2F../../../admin/x", "400 1|0"},
		{"percent sign in a name", "/public/100%25", "0"},
		{"a bad escape", "/public/%zz", "400 " + ErrBadEscape.Error()},
		{"a cut escape", "/public/%2", "400 " + ErrBadEscape.Error()},
		{"an escaped NUL", "/public/%00", "400 " + ErrNUL.Error()},
		{"a NUL", "/public/\x00", "400 " + ErrNUL.Error()},
		{"the server itself", "*", "400 " + ErrNotAPath.Error()},
		{"nothing", "", "400 " + ErrNotAPath.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(table.Match("GET", []byte("h"), []byte(tt.path), nil)); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.path, got, tt.want)
			}
		})
	}
}

func TestALaxReadingWithinOneOwnerIsNoFault(t *testing.T) {
	table, conflicts := Build([]Rule{{Owner: "shop", Path: "/orders/{id}"}, {Owner: "shop", Path: "/orders/*"}, {Owner: "crm", Path: "/orders/x/*"}})
	if conflicts != nil {
		t.Fatal(conflicts)
	}
	if got := show(table.Match("GET", nil, []byte("/orders/a%2Fb"), nil)); got != "0" {
		t.Errorf("got %s, want 0", got)
	}
	if got := show(table.Match("GET", nil, []byte("/orders/x%2Fb"), nil)); got != "400 0|2" {
		t.Errorf("got %s, want 400 0|2", got)
	}
}

func TestTheResultCarriesTheNormalForm(t *testing.T) {
	table := build(t, "- /*")
	raw := []byte("/a//b/%7e/../c%2f")
	if got := string(table.Match("GET", nil, raw, nil).Path); got != "/a/b/c%2F" {
		t.Errorf("got %s", got)
	}
}

func TestStrip(t *testing.T) {
	for _, tt := range []struct{ pattern, path, want string }{
		{"/orders/*", "/orders/1", "/1"},
		{"/orders/*", "/orders/1/", "/1/"},
		{"/orders/*", "/orders/", "/"},
		{"/orders/*", "/orders", "/"},
		{"/orders/*", "/orders/a%2Fb//c", "/a%2Fb//c"},
		{"/orders/*", "/orders//c", "//c"},
		{"/orders/*", "//orders/c", "/c"},
		{"/orders/*", "/%6Frders/c", "/c"},
		{"/orders/*", "/x/../orders/c", "/c"},
		{"/orders/*", "/orders/../orders/c", "/c"},
		{"/orders/*", "/orders/%2E%2e/orders", "/"},
		{"/orders/*", "/orders/a/../b", "/a/../b"},
		{"/orders/*", "/orders/a/..", "/a/.."},
		{"/api/v1/*", "/api/v1/x", "/x"},
		{"/a/{id}/b", "/a/7/b", "/7/b"},
		{"/{id}/b", "/7/b", "/7/b"},
		{"/*", "/7/b", "/7/b"},
		{"/orders", "/orders", "/"},
		{"/orders", "/%6Frders", "/"},
		{"/café/*", "/caf%c3%a9/x", "/x"},
		{"/café/*", "/café/x", "/x"},
		{"/orders*", "/orders", "/"},
		{"/orders*", "/orders/7", "/7"},
		{"/orders*", "/orders-old/7", "/-old/7"},
		{"/orders*", "/order%73%2Dold/7", "/%2Dold/7"},
		{"/orders*", "/orders.7/8", "/.7/8"},
		{"/orders*", "/orders.../8", "/.../8"},
	} {
		t.Run(tt.pattern+" "+tt.path, func(t *testing.T) {
			table := build(t, "- "+tt.pattern)
			if r := table.Match("GET", nil, []byte(tt.path), nil); r.Status != Found {
				t.Fatalf("the path does not match: %s", show(r))
			}
			if got := string(table.Strip(0, []byte(tt.path))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNearMisses(t *testing.T) {
	table := build(t, "GET,POST /orders/{id}", "- /orders/{id}/items/ X-Version=2", "- api.example.com/customers", "- *.shop.example/carts/*", "DELETE /v1/chat/completions", "- /Invoices")
	for _, tt := range []struct{ name, call, want string }{
		{"method", "PUT h/orders/7", "s0: GET,POST /orders/{id}: it takes GET, POST, not \"PUT\""},
		{"host", "GET www.example.com:80/customers", "s2: /customers on api.example.com: it is for host api.example.com, not \"www.example.com\""},
		{"wildcard host", "GET shop.example/carts/1", "s3: /carts/* on *.shop.example: it is for host *.shop.example, not \"shop.example\""},
		{"header missing", "GET h/orders/7/items/", "s1: /orders/{id}/items/: it needs the header X-Version: 2, which is missing"},
		{"header with another value", "GET h/orders/7/items/ X-Version=3", "s1: /orders/{id}/items/: it needs the header X-Version: 2, which has another value"},
		{"slash and header", "GET h/orders/7/items", "s1: /orders/{id}/items/: the slash at the end of the path differs; it needs the header X-Version: 2, which is missing"},
		{"case", "GET h/invoices", "s5: /Invoices: upper and lower case of the path differ"},
		{"spelling", "DELETE h/v1/chat/completion", "s4: DELETE /v1/chat/completions: the path is spelled /v1/chat/completions there"},
		{"swapped letters", "GET h/oredrs/7", "s0: GET,POST /orders/{id}: the path is spelled /orders/{id} there"},
		{"nothing near", "GET h/something/else", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := strings.Fields(tt.call)
			host, _, _ := strings.Cut(f[1], "/")
			near := table.NearMisses(f[0], []byte(host), []byte(f[1][len(host):]), headers(f[2:]...), 1)
			got := ""
			if len(near) > 0 {
				got = near[0].Text
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
