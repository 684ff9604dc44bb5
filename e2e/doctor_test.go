package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// causeway doctor against targets that are really broken: the verdict, the exit code, and that it always
// ends.

type doctorReport struct {
	Target string `json:"target"`
	Looked bool   `json:"looked"`
	Steps  []struct {
		Part, Name, Target, Result, Kind, Text string
		Lines, Advice                          []string
		MS                                     float64
	} `json:"steps"`
	Verdict struct {
		Healthy                    bool
		Kind, Cause, Title, Detail string
		Evidence, Advice, Warnings []string
		RuledOut                   []string `json:"ruled_out"`
	} `json:"verdict"`
}

// examined runs causeway doctor --json, which must end within the time.
func examined(t *testing.T, within time.Duration, args ...string) (doctorReport, result) {
	t.Helper()
	r := causeway(t, append([]string{"doctor", "--json", "--data", t.TempDir()}, args...)...)
	if r.took > within {
		t.Errorf("it took %s", r.took)
	}
	var d doctorReport
	if r.out != "" {
		decode(t, []byte(r.out), &d)
	}
	return d, r
}

// step is the first step of a name.
func (d *doctorReport) step(t *testing.T, name string) (result, text string) {
	t.Helper()
	for _, s := range d.Steps {
		if s.Name == name {
			return s.Result, s.Text + "\n" + strings.Join(s.Lines, "\n")
		}
	}
	t.Errorf("there is no step %q in %+v", name, d.Steps)
	return "", ""
}

// listenTLS serves over TLS with a certificate, and says nothing of failed handshakes.
func listenTLS(t *testing.T, pair tls.Certificate) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "well") }), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// listenHTTP serves a handler on a loopback address.
func listenHTTP(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// zone is a DNS server that knows some names, on UDP and TCP.
func zone(t *testing.T, names map[string][]string) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			if out := zoneAnswer(b[:n], names); out != nil {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	return pc.LocalAddr().String()
}

func zoneAnswer(query []byte, names map[string][]string) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	q := m.Questions[0]
	list, known := names[strings.TrimSuffix(q.Name.String(), ".")]
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, text := range list {
		ip := netip.MustParseAddr(text)
		h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, Type: q.Type, TTL: 30}
		switch {
		case ip.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "e2e doctor")
	well := listenHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "well") })
	secure := listenTLS(t, ca.issue(t, "127.0.0.1").pair)
	expired := ca.issue(t, "127.0.0.1")
	expired.renew(t, ca, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(0, -3, 0), time.Now().AddDate(0, 0, -2)
	}, "127.0.0.1")
	other := ca.issue(t, "127.0.0.1")
	other.renew(t, ca, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"other.example"}, nil }, "other.example")
	hang := listenRaw(t, func(c *rawConn) { _, _ = io.Copy(io.Discard, c) })
	endless := listenHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := bytes.Repeat([]byte("x"), 64<<10) // one line without an end
		for r.Method != http.MethodHead && r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	longLine := listenRaw(t, func(c *rawConn) {
		c.head()
		c.send("HTTP/1.1 200 OK\r\nX-Long: ")
		chunk := strings.Repeat("y", 64<<10)
		for range 1 << 14 { // a line of a gigabyte
			if !c.send(chunk) {
				return
			}
		}
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(well, "http://"))
	dns := zone(t, map[string][]string{"both.test": {"127.0.0.1", "fd99::1"}, "four.test": {"127.0.0.1"}})
	trusting := func(at string) []string {
		file := filepath.Join(t.TempDir(), "causeway.yaml")
		text := fmt.Sprintf("version: 1\nservices:\n  it: {access: open, routes: [{path: /it/*}], upstream: {targets: [{url: \"https://%s\"}], tls: {ca_file: %q}}}\n", at, ca.file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--config", file, "service:it"}
	}

	for _, c := range []struct {
		name string
		args []string
		code int
		kind string
		says string // in the verdict's detail, evidence, advice or warnings
	}{
		{"well", []string{well}, 0, "", "is well"},
		{"well over TLS, h2", trusting(secure), 0, "", "is well"},
		{"nothing listens", []string{"http://" + freePort(t)}, 1, "connection_refused", "nothing listens"},
		{"https to a plain port", []string{"https://" + strings.TrimPrefix(well, "http://")}, 1, "tls_to_plain_port", "http://"},
		{"http to a TLS port", []string{"http://" + secure}, 1, "plain_to_tls_port", "https://"},
		{"an unknown authority", []string{"https://" + secure}, 1, "tls_unknown_authority", ""},
		{"an expired certificate", trusting(listenTLS(t, expired.pair)), 1, "tls_certificate_expired", "expired 2 d"},
		{"a certificate for another name", trusting(listenTLS(t, other.pair)), 1, "tls_name_mismatch", "other.example"},
		{"it never answers", []string{"--timeout", "3s", hang.URL}, 1, "first_byte_timeout", ""},
		{"a body without an end", []string{endless}, 0, "", "1 MiB, the rest was not read"},
		{"a line of a gigabyte", []string{longLine.URL}, 1, "response_header_too_large", ""},
		{"a name that is not there", []string{"--resolver", dns, "http://nobody.test:" + port}, 1, "dns_not_found", "nobody.test"},
		{"IPv6 does not work, IPv4 does", []string{"--resolver", dns, "http://both.test:" + port}, 0, "", "fd99::1"},
		{"no such service", append(trusting(secure)[:2], "service:nobody"), 2, "", "no service"},
		{"a name without a file", []string{"service:it"}, 2, "", "--config"},
		{"no target", []string{"ftp://127.0.0.1"}, 2, "", "no target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, r := examined(t, ample, c.args...)
			all := r.err + d.Verdict.Detail + "\n" + strings.Join(slices.Concat(d.Verdict.Evidence, d.Verdict.Advice, d.Verdict.Warnings), "\n")
			for _, s := range d.Steps {
				all += "\n" + s.Text + "\n" + strings.Join(s.Lines, "\n")
			}
			if r.code != c.code || d.Verdict.Kind != c.kind || c.code < 2 && d.Verdict.Healthy != (c.code == 0) {
				t.Errorf("exit %d, want %d; kind %q, want %q\n%s", r.code, c.code, d.Verdict.Kind, c.kind, all)
			}
			if !strings.Contains(all, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, all)
			}
			if c.code == 1 && (len(d.Verdict.Evidence) == 0 || len(d.Verdict.Advice) == 0) {
				t.Errorf("a verdict without evidence or advice: %+v", d.Verdict)
			}
		})
	}
	t.Run("the text shows each step and the verdict", func(t *testing.T) {
		t.Parallel()
		r := causeway(t, "doctor", "--data", t.TempDir(), well+"/x?token=canary-query")
		want(t, "exit code", r.code, 0)
		contains(t, "the text", r.out, "1 Status", "tcp", "get", "head", "shape", "3 Performance", "this host", "Verdict", "healthy")
		lacks(t, "the text", r.out+r.err, "canary-query")
	})
}

// Each address family has a result of its own, also where only one of them works.
func TestDoctorTellsTheFamiliesApart(t *testing.T) {
	t.Parallel()
	well := listenHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "well") })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(well, "http://"))
	six, err := net.Listen("tcp", "[::1]:"+port)
	if err != nil {
		t.Skipf("no IPv6 on loopback here: %v", err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(six) }()
	t.Cleanup(func() { _ = s.Close() })
	dns := zone(t, map[string][]string{"both.test": {"127.0.0.1", "::1"}})
	d, r := examined(t, ample, "--resolver", dns, "http://both.test:"+port)
	want(t, "exit code", r.code, 1)
	want(t, "the verdict", d.Verdict.Kind, "upstream_unavailable")
	if _, text := d.step(t, "tcp"); !strings.Contains(text, "127.0.0.1") || !strings.Contains(text, "::1") {
		t.Errorf("tcp: %s", text)
	}
}

// A redirect into the private network is told and not followed, unless it is allowed; and no configured
// header and no key goes where it leads.
func TestDoctorKeepsSecretsAndPrivateAddresses(t *testing.T) {
	t.Parallel()
	const secret = "canary-secret-of-the-service"
	var mu sync.Mutex
	var heads []string
	inner := listenHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		_ = r.Header.Write(&b)
		mu.Lock()
		heads = append(heads, r.Method+" "+r.URL.String()+"\n"+b.String())
		mu.Unlock()
		fmt.Fprintln(w, "{}")
	})
	seen := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(heads, "\n")
	}
	var got sync.Map
	named := listenHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("X-Api-Key")+r.Header.Get("Authorization"), secret) {
			got.Store(r.URL.Path, true)
		}
		http.Redirect(w, r, inner+"/private", http.StatusFound)
	})
	file := filepath.Join(t.TempDir(), "causeway.yaml")
	text := fmt.Sprintf(`version: 1
services:
  it:
    access: open
    routes: [{path: "/it/*"}]
    upstream: {targets: [{url: %q}], headers: {set: {X-Api-Key: %s}}}
providers:
  ai: {kind: openai-compatible, base_url: "%s/v1", keys: [%s]}
`, named, secret, named, secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := causeway(t, "validate", file); r.code != 0 {
		t.Fatalf("%s%s", r.out, r.err)
	}

	d, r := examined(t, ample, "--config", file, "service:it")
	_, hop := d.step(t, "redirects")
	contains(t, "the redirect", hop, "private", "--allow-private")
	want(t, "requests behind the redirect", seen(), "")
	lacks(t, "the report", r.out+r.err, secret)

	d, r = examined(t, ample, "--config", file, "--allow-private", "service:it")
	contains(t, "what came behind the redirect", seen(), "/private")
	lacks(t, "what came behind the redirect", seen(), secret)
	lacks(t, "the report", r.out+r.err, secret)
	if _, ok := got.Load("/"); !ok {
		t.Errorf("the configured host did not get its header: %+v", d.Steps)
	}

	_, r = examined(t, ample, "--config", file, "--allow-private", "model:ai/x")
	want(t, "exit code", r.code, 1)
	lacks(t, "what came behind the redirect", seen(), secret)
	lacks(t, "the report", r.out+r.err, secret)
	if _, ok := got.Load("/v1/models"); !ok {
		t.Error("the provider did not get its key")
	}
}

// What is wrong in the file is found without a single request that shows it.
func TestDoctorReadsTheConfiguration(t *testing.T) {
	t.Parallel()
	well := listenHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "well") })
	ai := listenHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer good-key-0123456789" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintln(w, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}`)
			return
		}
		fmt.Fprintln(w, `{"object":"list","data":[{"id":"m1"},{"id":"m2"}]}`)
	})
	file := filepath.Join(t.TempDir(), "causeway.yaml")
	text := fmt.Sprintf(`version: 1
services:
  all: {access: open, routes: [{path: "/shop/*", methods: [GET]}], upstream: {targets: [{url: %[1]q}]}}
  narrow: {access: open, routes: [{path: "/shop/orders/*", methods: [GET, POST]}], upstream: {targets: [{url: %[1]q}]}}
  post: {access: open, routes: [{path: "/shop/orders/new", methods: [POST]}], upstream: {targets: [{url: %[1]q}]}}
  slow: {access: open, routes: [{path: "/slow/*"}], upstream: {targets: [{url: %[1]q}], timeouts: {first_byte: 60s, total: 70s}, retries: {max: 2}}}
providers:
  good: {kind: openai-compatible, base_url: "%[2]s/v1", keys: [good-key-0123456789]}
  bad: {kind: openai-compatible, base_url: "%[2]s/v1", keys: [bad-key-9876543210]}
models:
  fast: {targets: [{model: good/m1}], fallback: [{model: good/m1}]}
  gone: {targets: [{model: good/m9}]}
`, well, ai)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := causeway(t, "validate", file); r.code != 0 {
		t.Fatalf("%s%s", r.out, r.err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		kind string
		says []string
	}{
		{"routes that take one another's calls", []string{"service:narrow"}, 0, "", []string{"/shop/orders/new", "405"}},
		{"attempts that don't fit", []string{"service:slow"}, 0, "", []string{"3 attempts", "timeouts.total of 1m10s", "Raise upstream.timeouts.total"}},
		{"callers that have left by then", []string{"--caller-timeout", "30s", "service:slow"}, 1, "", []string{"callers wait 30s", "first_byte to"}},
		{"a dead fallback", []string{"model:fast"}, 0, "", []string{"the fallback good/m1 is a target of fast already"}},
		{"a bad key", []string{"model:bad/m1"}, 1, "provider_key_rejected", []string{"3210"}},
		{"a model that is not there", []string{"model:gone"}, 1, "model_not_found", []string{"m9 is not among them"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, r := examined(t, ample, append([]string{"--config", file}, c.args...)...)
			want(t, "exit code", r.code, c.code)
			want(t, "the verdict", d.Verdict.Kind, c.kind)
			contains(t, "the report", r.out, c.says...)
			lacks(t, "the report", r.out, "bad-key-9876543210", "good-key-0123456789")
		})
	}
}

// Log files beside the target: the past explains the present.
func TestDoctorWithLogFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gone := freePort(t)
	now := time.Now()
	access, errors := filepath.Join(dir, "access.log"), filepath.Join(dir, "error.log")
	var a, e bytes.Buffer
	for i := range 20 {
		at := now.Add(-time.Duration(20-i) * time.Minute)
		status := 200
		if i >= 15 {
			status = 502
			fmt.Fprintf(&e, "%s [error] 12#12: *%d connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.7, server: , request: \"GET /a HTTP/1.1\", upstream: \"http://%s/a\", host: \"shop.example\"\n", at.Format("2006/01/02 15:04:05"), i, gone)
		}
		fmt.Fprintf(&a, "192.0.2.7 - - [%s] \"GET /a HTTP/1.1\" %d 157 \"-\" \"curl/8\"\n", at.Format("02/Jan/2006:15:04:05 -0700"), status)
	}
	for file, b := range map[string]*bytes.Buffer{access: &a, errors: &e} {
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, r := examined(t, ample, "--log", access, "--log", errors, "--log", filepath.Join(dir, "missing.log"), "http://"+gone)
	want(t, "exit code", r.code, 1)
	want(t, "the verdict", d.Verdict.Kind, "connection_refused")
	result, said := d.step(t, "log files")
	want(t, "the log files", result, "warning")
	contains(t, "the log files", said, "5 of 20 requests in the last hour failed", "nginx", "this target", "missing.log")
	contains(t, "the evidence", strings.Join(d.Verdict.Evidence, "\n"), "the log files: 5 of 20")
}

// The running gateway examines as the command does, over its API, for those who may.
func TestDoctorOverTheAPI(t *testing.T) {
	t.Parallel()
	well := listenHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "well") })
	asked := make(chan struct{}, 100)
	private := listenHTTP(t, func(http.ResponseWriter, *http.Request) { asked <- struct{}{} })
	g := serve(t, fmt.Sprintf("version: 1\nservices:\n  it: {access: open, routes: [{path: /it/*}], upstream: {targets: [{url: %q}]}}\n  dead: {access: open, routes: [{path: /dead/*}], upstream: {targets: [{url: \"http://%s\"}], retries: {max: 0}}}\n", well, freePort(t)))

	examine := func(target string) (status int, kinds []string, end doctorReport) {
		t.Helper()
		res, err := g.admin.Post("http://localhost/api/v1/doctor", "application/json", strings.NewReader(`{"target":"`+target+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			var e struct {
				Event string
				End   json.RawMessage
			}
			decode(t, lines.Bytes(), &e)
			if kinds = append(kinds, e.Event); e.Event == "end" {
				decode(t, e.End, &end)
			}
		}
		return res.StatusCode, kinds, end
	}
	status, events, end := examine("service:it")
	want(t, "status", status, 200)
	if !end.Verdict.Healthy || len(events) < 6 || events[0] != "begin" || events[1] != "step" || events[len(events)-1] != "end" {
		t.Errorf("%v %+v", events, end)
	}
	_, _, end = examine("service:dead")
	want(t, "the verdict on a dead target", end.Verdict.Kind, "connection_refused")
	_, _, end = examine(well)
	want(t, "a URL that the configuration has", end.Verdict.Healthy, true)
	_, _, end = examine(private)
	want(t, "a private address that nobody configured", end.Verdict.Kind, "address_prohibited")
	select {
	case <-asked:
		t.Error("the private address was asked")
	default:
	}
	status, _, _ = examine("service:nobody")
	want(t, "a service that is not there", status, 422)
	res, err := http.Post(g.Console+"/api/v1/doctor", "application/json", strings.NewReader(`{"target":"service:it"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	want(t, "without a token", res.StatusCode, 401)
	code, list := g.get(t, "/api/v1/doctor", "")
	want(t, "the list", code, 200)
	contains(t, "the list", string(list), `"target":"service:dead"`, "connection_refused")

	// The command asks the running gateway where it is, and holds what comes through it against the target.
	r := causeway(t, "doctor", "--json", "--data", g.Data, "service:dead")
	want(t, "exit code", r.code, 1)
	contains(t, "the report", r.out, `"through the gateway"`, `"call log"`)
}
