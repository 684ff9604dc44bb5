package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/faulty"
)

// gRPC: grpc-go's own interoperability cases through the gateway and beside it, and what a grpc-go
// client is told of each failure. The client and the server are e2e/grpc, a module of its own.

var grpcPeer struct {
	once sync.Once
	path string
	err  error
}

// grpcProgram builds e2e/grpc, once.
func grpcProgram(t *testing.T) string {
	t.Helper()
	grpcPeer.once.Do(func() {
		grpcPeer.path = filepath.Join(scratch, "grpcpeer")
		build := exec.Command("go", "build", "-o", grpcPeer.path, ".")
		build.Dir = "grpc"
		if out, err := build.CombinedOutput(); err != nil {
			grpcPeer.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if grpcPeer.err != nil {
		t.Fatalf("building e2e/grpc: %v", grpcPeer.err)
	}
	return grpcPeer.path
}

// grpcServer starts the interoperability server and returns its address.
func grpcServer(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, nil, grpcProgram(t), append([]string{"server"}, args...)...)
	line, ok := p.out.find(patience, func(s string) bool { return strings.HasPrefix(s, "listening ") })
	if !ok {
		t.Fatalf("the gRPC server did not start: %s", p.errs.all())
	}
	return strings.TrimPrefix(line, "listening ")
}

// rpcSeen is what grpc-go's client saw of a call.
type rpcSeen struct {
	Method   string
	Code     fault.Code
	Name     string
	Message  string
	Details  rpcDetails
	Header   map[string][]string
	Trailer  map[string][]string
	Messages int
	Bytes    int
	TookMS   float64 `json:"took_ms"`
}

type rpcDetails struct {
	ErrorInfo *struct {
		Reason, Domain string
		Metadata       map[string]string
	}
	RetryInfo string
	Help      []string
	DebugInfo *struct {
		StackEntries []string `json:"stack_entries"`
		Detail       string
	}
	Error string
}

// meta is a field that the gateway adds, wherever it came.
func (s *rpcSeen) meta(name string) string {
	for _, md := range []map[string][]string{s.Header, s.Trailer} {
		if v := md[name]; len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// rpc makes a call with grpc-go's client.
func rpc(t *testing.T, args ...string) (list []rpcSeen) {
	t.Helper()
	res := command(t, "", grpcProgram(t), append([]string{"call"}, args...)...)
	if res.code != 0 {
		t.Fatalf("grpc call %q: %s", args, res.err)
	}
	for line := range strings.Lines(res.out) {
		if strings.HasPrefix(line, "{") {
			var s rpcSeen
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			list = append(list, s)
		}
	}
	return list
}

var interopCases = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "cancel_after_begin", "cancel_after_first_response",
	"timeout_on_sleeping_server", "custom_metadata", "status_code_and_message", "special_status_message", "unimplemented_method", "unimplemented_service",
}

// rpcService is a service of gRPC before a target.
func rpcService(name, path, target, more string) string {
	return fmt.Sprintf("  %s:\n    access: open\n    routes: [{path: %q}]\n    upstream: {targets: [{url: %q}], %s}\n", name, path, target, more)
}

func TestGRPCInterop(t *testing.T) {
	t.Parallel()
	door := newCertificate(t, "localhost")
	back := newCertificate(t, "localhost")
	plain, secure := grpcServer(t), grpcServer(t, "-cert", back.certFile, "-key", back.keyFile)
	toPlain := "services:\n" + rpcService("interop", "/grpc.testing.*", "http://"+plain, "protocol: h2c")
	toSecure := "services:\n" + rpcService("interop", "/grpc.testing.*", "https://"+secure, fmt.Sprintf("protocol: h2, tls: {ca_file: %q, server_name: localhost}", back.certFile))
	for _, test := range []struct{ name, config, direct, ca string }{
		{"direct, plain", "", plain, ""},
		{"direct, TLS", "", secure, back.certFile},
		{"h2c on both sides", toPlain, "", ""},
		{"TLS on both sides", tlsConfig(door) + toSecure, "", door.certFile},
		{"TLS to the gateway, h2c behind it", tlsConfig(door) + toPlain, "", door.certFile},
		{"h2c to the gateway, TLS behind it", toSecure, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			addr := test.direct
			var g *gateway
			if addr == "" {
				g = serve(t, "version: 1\n"+test.config)
				addr = g.Addr
			}
			args := []string{"interop", "-addr", addr}
			if test.ca != "" {
				args = append(args, "-ca", test.ca)
			}
			res := command(t, "", grpcProgram(t), append(args, interopCases...)...)
			if res.code != 0 {
				t.Fatalf("after %q: %s", strings.Fields(res.out), res.err)
			}
			want(t, "cases that passed", strings.Count(res.out, "ok "), len(interopCases))
			if g != nil {
				g.wantInteropRecords(t)
			}
		})
	}
}

// wantInteropRecords looks at what the log has of the cases.
func (g *gateway) wantInteropRecords(t *testing.T) {
	t.Helper()
	seen := map[string]int{}
	// The calls that are cancelled as they begin, or have a millisecond, may never be sent.
	eventually(t, "the cancelled call in the log", func() bool {
		clear(seen)
		for _, c := range g.calls(t, "limit=100") {
			seen[c.Kind]++
		}
		return seen["caller_gone"] >= 1
	})
	want(t, "calls with status UNKNOWN", seen["grpc_unknown"], 3) // status_code_and_message unary and duplex, special_status_message
	want(t, "calls with status UNIMPLEMENTED", seen["grpc_unimplemented"], 2)
	want(t, "calls at their deadline", seen["deadline_exceeded"], 0, 1)
	want(t, "cancelled calls", seen["caller_gone"], 1, 2, 3) // with the one whose deadline its caller saw first
	_, text := g.get(t, "/metrics", "")
	metrics := string(text)
	for _, line := range []string{
		`causeway_grpc_calls_total{code="UNKNOWN",own="false",service="interop"} 3`,
		`causeway_grpc_calls_total{code="UNIMPLEMENTED",own="false",service="interop"} 2`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	for _, code := range []string{"OK", "none"} {
		if !strings.Contains(metrics, `causeway_grpc_calls_total{code="`+code+`",own="false",service="interop"} `) {
			t.Errorf("/metrics counts no call with the status %s", code)
		}
	}
}

// h2cUpstream is a server of HTTP/2 by prior knowledge.
func h2cUpstream(t *testing.T, handler http.Handler) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute}
	s.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(lis)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return "http://" + lis.Addr().String()
}

// rpcFailures are what a gRPC server can do wrong, by method. A stream is reset when the channel is
// closed.
type rpcFailures chan struct{}

func (reset rpcFailures) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	message := append([]byte{0, 0, 0, 0, 5}, "\x0a\x03\x12\x01x"...)
	begin := func() {
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = w.Write(message)
		_ = http.NewResponseController(w).Flush()
	}
	switch r.URL.Path {
	case "/grpc.testing.TestService/StreamingOutputCall":
		begin()
		<-reset
		panic(http.ErrAbortHandler)
	case "/fails.Upstream/NoStatus":
		begin()
	case "/web.Upstream/NotFound":
		http.NotFound(w, r)
	case "/fails.Upstream/Stalls":
		begin()
		<-r.Context().Done()
	case "/slow.Upstream/Forever":
		if r.Header.Get("Grpc-Timeout") == "" {
			http.Error(w, "the deadline was not passed on", http.StatusTeapot)
			return
		}
		<-r.Context().Done()
	case "/small.Service/Do":
		_, _ = io.Copy(io.Discard, r.Body)
	case "/fails.Upstream/Silent":
		<-r.Context().Done()
	case "/fails.Upstream/Unavailable":
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "14")
		w.Header().Set("Grpc-Message", "closing%21")
	}
}

// TestGRPCFailures is what grpc-go's client is told of failures on the gateway's way.
func TestGRPCFailures(t *testing.T) {
	t.Parallel()
	reset := make(rpcFailures)
	upstream := h2cUpstream(t, reset)
	limits := "protocol: h2c, retries: {max: 0}, timeouts: {connect: 1s, first_byte: 600ms, idle: 600ms}"
	patient := strings.ReplaceAll(limits, "600ms", "20s") // for what is not to hang, so that a busy machine meets no limit
	config := "version: 1\nservices:\n" +
		rpcService("silent", "/fails.Upstream/Silent", upstream, limits) +
		rpcService("stalls", "/fails.Upstream/Stalls", upstream, limits) +
		rpcService("fails", "/fails.*", upstream, patient) +
		rpcService("streams", "/grpc.testing.*", upstream, patient) +
		rpcService("web", "/web.*", upstream, patient) +
		rpcService("slow", "/slow.*", upstream, patient) +
		rpcService("refused", "/refused.*", "http://"+freePort(t), limits) +
		rpcService("old", "/old.*", upstream, "retries: {max: 0}") +
		"  locked: {routes: [{path: /locked.*}], upstream: {targets: [{url: " + upstream + "}], protocol: h2c}}\n" +
		"  small: {access: open, routes: [{path: /small.*}], upstream: {targets: [{url: " + upstream + "}], protocol: h2c}, policies: {body_limit: 10}}\n" +
		"  rare: {access: open, details: safe, routes: [{path: /rare.*}], upstream: {targets: [{url: " + upstream + "}], protocol: h2c}, policies: {rate_limit: {requests: 1, per: 1h}}}\n"
	const applications = "applications:\n  nobody: {keys: [e2e-grpc-key-0123456789], subscribes: []}\n"
	old := httptest.NewTLSServer(http.NotFoundHandler()) // it agrees to HTTP/1.1 alone
	t.Cleanup(old.Close)
	config += "  agreed: {access: open, routes: [{path: /agreed.*}], upstream: {targets: [{url: \"" + old.URL + "\"}], protocol: auto, retries: {max: 0}, tls: {insecure_skip_verify: true}}}\n" + applications
	g := serve(t, config, withArgs("--log", "json"))
	rpc(t, "-addr", g.Addr, "-method", "/rare.Service/Do") // takes the one call that is allowed
	for _, test := range []struct {
		method string
		code   fault.Code
		kind   string
		told   string // a part of the message, "" for none of ours
		meta   []string
		passed bool
	}{
		{method: "/refused.Service/Do", code: fault.CodeUnavailable, kind: "connection_refused", told: "refused the TCP connection"},
		{method: "/old.Service/Do", code: fault.CodeInternal, kind: "grpc_upstream_http1", told: "services.old.upstream.protocol must be h2c"},
		{method: "/agreed.Service/Do", code: fault.CodeInternal, kind: "grpc_upstream_http1", told: "agreed to HTTP/1.1 only"},
		{method: "/locked.Service/Do", code: fault.CodeUnauthenticated, kind: "key_missing"},
		{method: "/locked.Service/Do", code: fault.CodePermissionDenied, kind: "not_subscribed", meta: []string{"apikey=e2e-grpc-key-0123456789"}},
		{method: "/small.Service/Do", code: fault.CodeResourceExhausted, kind: "body_too_large"},
		{method: "/rare.Service/Do", code: fault.CodeResourceExhausted, kind: "rate_limited"},
		{method: "/nowhere.Service/Do", code: fault.CodeUnimplemented, kind: "route_not_found"},
		{method: "/fails.Upstream/Silent", code: fault.CodeDeadlineExceeded, kind: "first_byte_timeout", told: "timeouts.first_byte"},
		{method: "/fails.Upstream/Stalls", code: fault.CodeDeadlineExceeded, kind: "idle_timeout", told: "timeouts.idle"},
		{method: "/fails.Upstream/NoStatus", code: fault.CodeInternal, kind: "grpc_status_missing", told: "without a gRPC status"},
		{method: "/fails.Upstream/Unavailable", code: fault.CodeUnavailable, kind: "grpc_unavailable", passed: true},
	} {
		t.Run(test.method[1:]+" "+test.kind, func(t *testing.T) {
			t.Parallel()
			args := []string{"-addr", g.Addr, "-method", test.method}
			for _, m := range test.meta {
				args = append(args, "-meta", m)
			}
			g.wantRPCFailure(t, &rpc(t, args...)[0], test.code, test.kind, test.told, test.passed)
		})
	}
	t.Run("a deadline that the caller does not keep itself", func(t *testing.T) {
		t.Parallel()
		client := &http.Client{Timeout: patience, Transport: &http.Transport{Protocols: new(http.Protocols)}}
		client.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(true)
		defer client.CloseIdleConnections()
		a := fetch(t, client, "POST", g.URL+"/slow.Upstream/Forever", strings.NewReader("\x00\x00\x00\x00\x00"), "Content-Type", "application/grpc", "Te", "trailers", "Grpc-Timeout", "200m")
		want(t, "status", a.status, 200)
		want(t, "grpc-status", a.header.Get("Grpc-Status"), "4")
		contains(t, "grpc-message", a.header.Get("Grpc-Message"), "within the 200ms that its caller gave it (grpc-timeout)", "(deadline_exceeded, call ")
	})
	t.Run("an answer of a web server", func(t *testing.T) {
		t.Parallel()
		s := rpc(t, "-addr", g.Addr, "-method", "/web.Upstream/NotFound")[0]
		want(t, "code that the client makes of 404", s.Code.String(), "UNIMPLEMENTED")
		list := g.calls(t, "service=web")
		want(t, "calls", len(list), 1)
		c := g.record(t, list[0].ID)
		want(t, "kind", c.Kind, "grpc_status_missing")
		want(t, "passed on", c.Finding.Passed, true)
		want(t, "status", c.Status, 404)
		contains(t, "evidence", strings.Join(c.Finding.Evidence, "\n"), "content type of the answer: text/plain")
	})
	t.Run("the caller's deadline", func(t *testing.T) {
		t.Parallel()
		s := rpc(t, "-addr", g.Addr, "-timeout", "250ms", "-method", "/slow.Upstream/Forever")[0]
		want(t, "code", s.Code.String(), "DEADLINE_EXCEEDED")
		var c callRecord
		eventually(t, "the call in the log", func() bool {
			for _, seen := range g.calls(t, "service=slow") {
				if c = g.record(t, seen.ID); !strings.Contains(c.Finding.Detail, "the 200ms") {
					return true
				}
			}
			return false
		})
		want(t, "kind", c.Kind, "deadline_exceeded")
		if d := c.Finding.Detail; !strings.Contains(d, "its caller gave it (grpc-timeout)") {
			t.Errorf("detail %q", d)
		}
		text := causeway(t, "explain", c.ID, "--data", g.Data)
		contains(t, "causeway explain", text.out, "given by the caller")
	})
	t.Run("a stream that breaks behind its first message", func(t *testing.T) {
		t.Parallel()
		p := start(t, nil, grpcProgram(t), "call", "-addr", g.Addr, "-kind", "stream", "-announce")
		if _, ok := p.out.find(patience, func(line string) bool { return line == "message 1" }); !ok {
			t.Fatalf("the first message did not come: %s", p.errs.all())
		}
		close(reset)
		want(t, "exit code", p.wait(t, patience), 0)
		line, _ := p.out.find(patience, func(line string) bool { return strings.HasPrefix(line, "{") })
		var s rpcSeen
		decode(t, []byte(line), &s)
		want(t, "messages", s.Messages, 1)
		want(t, "where the status stood", s.Trailer["causeway-finding"] != nil, true)
		want(t, "cut", g.record(t, s.meta("causeway-call-id")).Cut, true)
		g.wantRPCFailure(t, &s, fault.CodeInternal, "http2_internal_error", "INTERNAL_ERROR", false)
	})
}

// wantRPCFailure holds what a client saw against the table of codes and the call's record.
func (g *gateway) wantRPCFailure(t *testing.T, s *rpcSeen, code fault.Code, kind, told string, passed bool) {
	t.Helper()
	id := s.meta("causeway-call-id")
	want(t, "code", s.Code.String(), code.String())
	if id == "" {
		t.Fatalf("no call id in %v and %v", s.Header, s.Trailer)
	}
	c := g.record(t, id)
	want(t, "kind in the record", c.Kind, kind)
	want(t, "status in the record", c.Status, 200, 404)
	if passed {
		want(t, "passed on", c.Finding.Passed, true)
		want(t, "Causeway-Finding", s.meta("causeway-finding"), kind)
		return
	}
	want(t, "code for the kind", fault.GRPCCode(fault.Kind(kind)).String(), code.String())
	if end := " (" + kind + ", call " + id + ")"; !strings.HasSuffix(s.Message, end) || !strings.Contains(s.Message, told) {
		t.Errorf("message %q has not %q and %q", s.Message, told, end)
	}
	info := s.Details.ErrorInfo
	if info == nil || info.Reason != strings.ToUpper(kind) || info.Domain != fault.ErrorDomain || info.Metadata["call_id"] != id || info.Metadata["retry"] != c.Finding.Retry {
		t.Errorf("details %+v", s.Details)
	}
	if len(s.Details.Help) != 2 || !strings.HasSuffix(s.Details.Help[0], "/.causeway/calls/"+id) || s.Details.Error != "" {
		t.Errorf("help %q %s", s.Details.Help, s.Details.Error)
	}
	if safe := kind == "rate_limited"; safe != (s.Details.DebugInfo == nil) {
		t.Errorf("debug information: %+v", s.Details.DebugInfo)
	}
	if kind == "rate_limited" && s.Details.RetryInfo == "" {
		t.Error("a limit does not tell when to come back")
	}
	if !strings.Contains(s.meta("proxy-status"), "causeway; error=") {
		t.Errorf("Proxy-Status %q", s.meta("proxy-status"))
	}
	text := causeway(t, "explain", id, "--data", g.Data)
	if !strings.Contains(text.out, "gRPC "+code.String()+" ("+kind+")") {
		t.Errorf("causeway explain says\n%s%s", text.out, text.err)
	}
	if _, ok := g.errs.find(patience, func(line string) bool {
		return strings.Contains(line, id) && strings.Contains(line, `"grpc_status":"`+code.String()+`"`)
	}); !ok {
		t.Errorf("the log has no line for %s", id)
	}
}

// TestGRPCFaults puts every fault of internal/faulty behind a gRPC route: whatever it is called, the
// client gets the code of that kind, and details that its generated types can read.
func TestGRPCFaults(t *testing.T) {
	t.Parallel()
	lab, err := faulty.New(faulty.Options{Dir: shortDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	var services strings.Builder
	args := []string{}
	for _, f := range faulty.All() {
		if f.Needs.Met() != nil || f.Needs.Resolver || f.LLM || f.Kind == "" {
			continue
		}
		up, err := lab.StartFault(f, faulty.Params{Target: "127.0.0.1:1"})
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		protocol := "h2c"
		if strings.HasPrefix(up.URL, "https:") {
			protocol = "h2"
		}
		services.WriteString(rpcService(f.Name, "/"+f.Name+".Service/*", up.URL, fmt.Sprintf(
			"protocol: %s, timeouts: {connect: 700ms, send: 700ms, first_byte: 700ms, idle: 700ms, total: 3s}, retries: {max: 0}, tls: {ca_file: %q, server_name: %q}", protocol, up.CAFile, up.ServerName)))
		args = append(args, "-method", "/"+f.Name+".Service/Do")
	}
	g := serve(t, "version: 1\nservices:\n"+services.String())
	failed := 0
	for _, s := range rpc(t, append([]string{"-addr", g.Addr}, args...)...) {
		id := s.meta("causeway-call-id")
		if id == "" {
			// The answer had begun and was no gRPC server's: grpc-go shows nothing of such a one.
			service, _, _ := strings.Cut(strings.TrimPrefix(s.Method, "/"), ".")
			if list := g.calls(t, "service="+service); len(list) != 1 || list[0].Kind == "" || s.Code == fault.CodeOK {
				t.Errorf("%s: no call id: %s %q; the log has %+v", s.Method, s.Name, s.Message, list)
			}
			continue
		}
		c := g.record(t, id)
		if c.Finding == nil || c.Finding.Passed {
			continue // the upstream's own
		}
		failed++
		if want := fault.GRPCCode(fault.Kind(c.Kind)); s.Code != want || s.Details.ErrorInfo == nil || s.Details.ErrorInfo.Reason != strings.ToUpper(c.Kind) || !strings.HasSuffix(s.Message, "("+c.Kind+", call "+id+")") {
			t.Errorf("%s: %s (kind %s, whose code is %s): %q %+v", s.Method, s.Code, c.Kind, want, s.Message, s.Details)
		}
	}
	if failed < 30 {
		t.Errorf("only %d faults became failures of the gateway's own", failed)
	}
}
