package diagnose

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"causeway/internal/fault"
)

// foreignCase is one file of testdata/foreign: an answer as its vendor writes it, with the public source that it
// was taken from, and what is to be read in it.
type foreignCase struct {
	Name    string            `json:"name"`
	Source  string            `json:"source"`
	Status  int               `json:"status"`
	Header  map[string]string `json:"header"`
	Body    string            `json:"body"`
	Vendor  string            `json:"vendor"` // "" for nobody's
	Code    string            `json:"code"`
	Says    string            `json:"says"`
	Hop     Hop               `json:"hop"`
	Cause   fault.Cause       `json:"cause"`
	Key     string            `json:"key"`
	Through bool              `json:"through"`
	Advice  string            `json:"advice"`
}

func TestForeignFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/foreign/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []foreignCase
		if err := json.Unmarshal(b, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range cases {
			t.Run(filepath.Base(file)+"/"+c.Name, func(t *testing.T) {
				if c.Source == "" {
					t.Error("the fixture names no source")
				}
				f := ReadForeign(c.Status, func(n string) string { return c.Header[n] }, []byte(c.Body))
				if c.Vendor == "" {
					if f != nil {
						t.Fatalf("blamed on %s (%s)", f.Vendor, f.Says)
					}
					return
				}
				if f == nil {
					t.Fatal("not recognised")
				}
				seen[f.Vendor] = true
				if f.Vendor != c.Vendor || f.Code != c.Code || f.Hop != c.Hop || f.Cause != c.Cause || f.Through != c.Through {
					t.Errorf("got vendor %q code %q hop %q cause %q through %v\nwant %q %q %q %q %v (it says %q)",
						f.Vendor, f.Code, f.Hop, f.Cause, f.Through, c.Vendor, c.Code, c.Hop, c.Cause, c.Through, f.Says)
				}
				if !strings.Contains(f.Says, c.Says) || !strings.Contains(f.Key, c.Key) {
					t.Errorf("it says %q, key %q; want %q, %q", f.Says, f.Key, c.Says, c.Key)
				}
				if len(f.Advice) == 0 || !strings.Contains(strings.Join(f.Advice, "\n"), c.Advice) {
					t.Errorf("advice %q lacks %q", f.Advice, c.Advice)
				}
			})
		}
	}
	for _, v := range []string{
		"nginx", "Apache httpd", "HAProxy", "Envoy", "Kong", "Traefik", "Caddy", "Cloudflare", "an AWS load balancer", "Amazon CloudFront", "Amazon API Gateway",
		"a Google load balancer", "Heroku's router", "Azure Front Door", "Azure Application Gateway", "Linkerd", "Varnish", "Fastly", "Akamai", "another Causeway", "IIS",
	} {
		if !seen[v] {
			t.Errorf("no fixture shows %s", v)
		}
	}
}

func TestForeignCode(t *testing.T) {
	for _, test := range []struct{ in, vendor, says string }{
		{"522", "Cloudflare", "timed out"},
		{"error code: 1016", "Cloudflare", "resolve the origin"},
		{"Error 1020", "Cloudflare", "firewall rule"},
		{"H12", "Heroku's router", "did not answer in time"},
		{"h10", "Heroku's router", "crashed"},
	} {
		f := ForeignCode(test.in)
		if f == nil || f.Vendor != test.vendor || !strings.Contains(f.Says, test.says) || len(f.Advice) == 0 {
			t.Errorf("%s: %+v", test.in, f)
		}
	}
	for _, in := range []string{"", "200", "H", "9999", "502"} {
		if f := ForeignCode(in); f != nil {
			t.Errorf("%q is read as %+v", in, f)
		}
	}
}

// Every vendor with a mark says where to look in words of its own.
func TestEveryVendorSaysWhereToLook(t *testing.T) {
	for _, v := range vendors {
		found := false
		for _, l := range lookers {
			found = found || sameVendor(l.vendor, v.name)
		}
		if !found {
			t.Errorf("%s has no place to look", v.name)
		}
	}
	for _, s := range sayings {
		if s.says == "" && !s.names && s.vendor != "Linkerd" {
			t.Errorf("a row of %s (%s) says nothing", s.vendor, s.contains)
		}
	}
}

func FuzzReadForeign(f *testing.F) {
	f.Add(502, "server", "nginx", []byte("<center>nginx</center>"))
	f.Add(530, "cf-ray", "8f-AMS", []byte("error code: 1016"))
	f.Add(503, "proxy-status", `a; error=dns_error, "b";error="x`, []byte(`{"kind":"`))
	f.Add(0, "causeway-call-id", "x", []byte("<title>502"))
	f.Fuzz(func(t *testing.T, status int, name, value string, body []byte) {
		got := ReadForeign(status, func(n string) string {
			if n == name {
				return value
			}
			return ""
		}, body)
		if got == nil {
			return
		}
		if got.Vendor == "" || len(got.Advice) == 0 {
			t.Errorf("%+v", got)
		}
		for _, s := range append([]string{got.Says, got.Code}, got.Advice...) {
			if len(s) > 1500 {
				t.Errorf("%d bytes: %.80q", len(s), s)
			}
		}
		if s := statusIn(body); s != 0 && (s < 400 || s > 599) {
			t.Errorf("status %d", s)
		}
	})
}
