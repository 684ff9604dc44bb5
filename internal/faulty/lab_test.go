package faulty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
)

func TestListIsInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All() {
		switch {
		case f.Name == "" || strings.ToLower(f.Name) != f.Name || strings.ContainsAny(f.Name, " -./"):
			t.Errorf("%q is not a name", f.Name)
		case seen[f.Name]:
			t.Errorf("%s is there twice", f.Name)
		case f.About == "" || f.start == nil:
			t.Errorf("%s says nothing or does nothing", f.Name)
		case f.Kind != "" && f.Row == "":
			t.Errorf("%s names no row of the failure table", f.Name)
		case slices.Contains(f.Also, f.Kind):
			t.Errorf("%s says %q twice", f.Name, f.Kind)
		}
		seen[f.Name] = true
	}
}

// The plainest fault of each kind that an upstream can make a gateway say.
func TestForKind(t *testing.T) {
	for kind, want := range map[fault.Kind]string{
		fault.DNSNotFound:            "dns_nxdomain",
		fault.DNSNoAddress:           "dns_nodata",
		fault.DNSServerFailure:       "dns_servfail",
		fault.DNSRefused:             "dns_refused",
		fault.DNSTimeout:             "dns_timeout",
		fault.ConnectionRefused:      "connection_refused",
		fault.SocketMissing:          "unix_socket_missing",
		fault.SocketDenied:           "unix_socket_denied",
		fault.ConnectTimeout:         "connect_timeout",
		fault.ConnectReset:           "connect_reset",
		fault.Unroutable:             "unroutable",
		fault.TLSUnknownAuthority:    "tls_unknown_authority",
		fault.TLSCertificateExpired:  "tls_expired",
		fault.TLSCertificateNotYet:   "tls_not_yet_valid",
		fault.TLSNameMismatch:        "tls_name_mismatch",
		fault.TLSCertificateInvalid:  "tls_wrong_usage",
		fault.TLSClientCertificate:   "tls_client_certificate",
		fault.TLSVersionMismatch:     "tls_old_versions",
		fault.TLSUnrecognizedName:    "tls_unrecognized_name",
		fault.TLSAlert:               "tls_alert",
		fault.TLSToPlainPort:         "tls_to_plain",
		fault.PlainToTLSPort:         "plain_to_tls",
		fault.TLSHandshakeClosed:     "tls_handshake_closed",
		fault.TLSHandshakeReset:      "tls_handshake_reset",
		fault.TLSHandshakeTimeout:    "tls_handshake_timeout",
		fault.TLSProtocolError:       "tls_garbage",
		fault.NotHTTP:                "banner_ssh",
		fault.MalformedResponse:      "status_not_a_number",
		fault.TruncatedHeader:        "header_cut_fin",
		fault.ResponseHeaderTooLarge: "header_too_large",
		fault.FramingConflict:        "cl_and_te",
		fault.UnknownTransferCoding:  "te_gzip",
		fault.MalformedChunking:      "chunk_bad_size",
		fault.UnexpectedUpgrade:      "switch_unasked",
		fault.ClosedBeforeResponse:   "close_before_response",
		fault.ResetBeforeResponse:    "reset_before_response",
		fault.StaleConnection:        "stale_close",
		fault.FirstByteTimeout:       "no_answer",
		fault.IdleTimeout:            "stall_mid_body",
		fault.TotalTimeout:           "slow_drip",
		fault.SendTimeout:            "send_timeout",
		fault.ResetDuringUpload:      "upload_reset",
		fault.TruncatedBody:          "body_cut_fin",
		fault.ResetMidBody:           "body_cut_rst",
		fault.UpgradeFailed:          "upgrade_refused",
		fault.TunnelReset:            "upgrade_reset",
		fault.TunnelClosed:           "websocket_unclosed",
		fault.TunnelIdleTimeout:      "upgrade_stall",
		fault.WebSocketUpstreamError: "websocket_1011",
		fault.WebSocketUnavailable:   "websocket_1013",
		fault.WebSocketRefused:       "websocket_1008",
		fault.WebSocketProtocolError: "websocket_masked",
		fault.LoopDetected:           "loop",
		fault.ResponseBodyTooLarge:   "body_too_large",
		fault.UpstreamError:          "status_500",
		fault.UpstreamBadGateway:     "status_502_nginx",
		fault.UpstreamUnavailable:    "status_503",
		fault.UpstreamTimeout:        "status_504",
		fault.UpstreamRateLimited:    "status_429",
		fault.Overloaded:             "llm_overloaded",
		fault.QuotaExhausted:         "llm_quota",
		fault.ProviderRateLimited:    "llm_rate_limit",
		fault.ProviderKeyRejected:    "llm_invalid_api_key",
		fault.ProviderError:          "llm_server_error",
		fault.ModelNotFound:          "llm_model_not_found",
		fault.ContextTooLong:         "llm_context_length",
		fault.ContentRefused:         "llm_content_filter",
		fault.ParameterRejected:      "llm_unsupported_parameter",
		fault.RegionBlocked:          "llm_region",
		fault.IncompatibleResponse:   "llm_html",
		fault.TruncatedStream:        "stream_cut_clean",
		fault.StreamError:            "stream_error_first",
		fault.MalformedStream:        "stream_malformed",
	} {
		if f, ok := ForKind(kind); !ok || f.Name != want || f.Kind != kind {
			t.Errorf("ForKind(%s) = %q, %v, want %q", kind, f.Name, ok, want)
		}
	}
	for _, kind := range []fault.Kind{"", fault.RouteNotFound, fault.BreakerOpen, fault.CallerGone, fault.GatewayBug} {
		if f, ok := ForKind(kind); ok {
			t.Errorf("ForKind(%q) = %s, want none", kind, f.Name)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	l := newLab(t, Options{})
	if _, err := l.Start("no_such_fault", Params{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown name gave %v", err)
	}
	if _, err := l.Start("loop", Params{}); err == nil || !strings.Contains(err.Error(), "Params.Target") {
		t.Errorf("a loop without target gave %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start("answer", Params{}); err == nil {
		t.Error("a closed lab started a fault")
	}
	if _, err := New(Options{Hold: -1}); err == nil {
		t.Error("a negative limit was accepted")
	}
	if _, err := New(Options{Dir: filepath.Join(t.TempDir(), "missing")}); err == nil {
		t.Error("a missing folder was accepted")
	}
}

// Close ends connections in every state at once, and leaves no file behind.
func TestCloseEndsEverything(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, Options{Dir: dir})
	var conns []net.Conn
	for _, name := range []string{
		"no_answer", "stall_mid_body", "send_timeout", "slow_drip", "header_endless", "stale_idle_close",
		"tls_handshake_timeout", "upgrade", "stream_stall", "unix_socket", "slow_answer",
	} {
		u := start(t, l, name, Params{Delay: time.Hour})
		conn := dial(t, u)
		if _, err := io.WriteString(conn, upgradeX); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		await(t, u, func(c Counts) bool { return c.Open == 1 && (c.Requests == 1 || strings.HasPrefix(name, "tls")) })
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d entries in the lab's folder while it runs, want its own folder", len(left))
	}
	begun := time.Now()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("Close took %v", took)
	}
	for _, conn := range conns {
		if _, end := drain(t, conn, time.Second); end == endSilent {
			t.Errorf("a connection to %s is still open", conn.RemoteAddr())
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v left behind", left)
	}
}

func TestUpstreamCloseEndsOne(t *testing.T) {
	l := newLab(t, Options{})
	one, two := start(t, l, "answer", Params{}), start(t, l, "answer", Params{})
	one.Close()
	one.Close()
	if _, _, err := fetch(t, client(t, one), get(t, one)); err == nil {
		t.Error("a closed upstream answered")
	}
	if _, _, err := fetch(t, client(t, two), get(t, two)); err != nil {
		t.Errorf("its neighbour is gone too: %v", err)
	}
}

func TestHoldBoundsSilence(t *testing.T) {
	l := newLab(t, Options{Hold: 50 * time.Millisecond})
	for _, name := range []string{"no_answer", "tls_handshake_timeout", "send_timeout", "stall_in_head"} {
		u := start(t, l, name, Params{})
		conn := dial(t, u)
		if _, err := io.WriteString(conn, getX); err != nil {
			t.Fatal(err)
		}
		if _, end := drain(t, conn, patient); end == endSilent {
			t.Errorf("%s is silent for longer than Hold", name)
		}
	}
}

func TestMaxConnsBoundsConnections(t *testing.T) {
	l := newLab(t, Options{MaxConns: 2})
	u := start(t, l, "answer", Params{})
	first, second := dial(t, u), dial(t, u)
	await(t, u, func(c Counts) bool { return c.Open == 2 })
	third := dial(t, u) // the kernel takes it, the upstream does not
	if _, err := io.WriteString(third, getX); err != nil {
		t.Fatal(err)
	}
	if got, end := drain(t, third, quiet); got != "" || end != endSilent {
		t.Fatalf("a third connection got %q and %s", got, end)
	}
	first.Close()
	until(t, third, "HTTP/1.1 200 OK\r\n")
	second.Close()
}

func TestParamsShapeTheAnswer(t *testing.T) {
	l := newLab(t, Options{})
	u := start(t, l, "answer", Params{Status: 418, Header: []string{"X-Tea: green"}, Body: "short and stout", Delay: 30 * time.Millisecond})
	c, begun := client(t, u), time.Now()
	res, body, err := fetch(t, c, get(t, u))
	if err != nil || res.StatusCode != 418 || body != "short and stout" || res.Header.Get("X-Tea") != "green" {
		t.Errorf("got %v %q %v", res, body, err)
	}
	if took := time.Since(begun); took < 30*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
	req := get(t, u)
	req.Method = http.MethodHead
	if res, body, err = fetch(t, c, req); err != nil || res.StatusCode != 418 || body != "" || res.ContentLength != int64(len("short and stout")) {
		t.Errorf("HEAD got %v %q %v", res, body, err)
	}
}

func TestStaleAfterManyRequests(t *testing.T) {
	u := start(t, newLab(t, Options{}), "stale_close", Params{After: 3})
	got := talk(t, u, strings.Repeat(getX, 4), "", endFIN)
	if n := strings.Count(got, "HTTP/1.1 200 OK\r\n"); n != 3 {
		t.Errorf("%d answers before the end, want 3", n)
	}
}

// Healthy answers fit the call, so that a fault that begins well can stand on a model's route.
func TestGoodAnswersFitTheCall(t *testing.T) {
	u := start(t, newLab(t, Options{}), "stale_close", Params{After: 10})
	c := client(t, u)
	for _, tc := range []struct {
		name, body, contentType, want string
	}{
		{"chat", `{"model":"m","messages":[]}`, "application/json", `"content":"ok"`},
		{"streamed chat", `{"model":"m","stream":true}`, "text/event-stream; charset=utf-8", "data: [DONE]\n\n"},
		{"not JSON", "hello", "application/json", `"content":"ok"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, body, err := fetch(t, c, chat(t, u, tc.body))
			if err != nil || res.Header.Get("Content-Type") != tc.contentType || !strings.Contains(body, tc.want) {
				t.Errorf("got %v %q %v", res, body, err)
			}
		})
	}
	if u.Connections() != 1 || u.Requests() != 3 {
		t.Errorf("%+v, want three requests on one connection", u.Counts())
	}
}

func TestLoopRelaysToTheTarget(t *testing.T) {
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, body)
	}))
	t.Cleanup(far.Close)
	u := start(t, newLab(t, Options{}), "loop", Params{Target: far.Listener.Addr().String()})
	got := talk(t, u, "POST /x HTTP/1.1\r\nHost: orders.test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody", "", endFIN)
	if !strings.HasSuffix(got, "\r\n\r\nPOST orders.test body") {
		t.Errorf("got %q", got)
	}
}

func TestAwait(t *testing.T) {
	u := start(t, newLab(t, Options{}), "no_answer", Params{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.Await(ctx, func(c Counts) bool { return c.Requests > 0 }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if c, err := u.Await(ctx, func(c Counts) bool { return c.Requests == 0 }); err != nil {
		t.Errorf("what holds already gave %+v, %v", c, err)
	}
	conn := dial(t, u)
	if _, err := io.WriteString(conn, getX); err != nil {
		t.Fatal(err)
	}
	await(t, u, func(c Counts) bool { return c == Counts{Accepted: 1, Open: 1, Requests: 1} })
	conn.Close()
	await(t, u, func(c Counts) bool { return c == Counts{Accepted: 1, Requests: 1} })
}

// A data folder may lie deeper than a socket's path may be long.
func TestSocketsInADeepFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	u := start(t, newLab(t, Options{Dir: dir}), "unix_socket", Params{})
	answers(200, "ok\n")(t, u)
}

func TestNeedsMet(t *testing.T) {
	if err := (Needs{Upload: true, Stream: true, Resolver: true}).Met(); err != nil {
		t.Errorf("what depends on the caller was refused: %v", err)
	}
	err := (Needs{NotRoot: true}).Met()
	if root := os.Geteuid() == 0; root != errors.Is(err, ErrUnavailable) {
		t.Errorf("as user %d: %v", os.Geteuid(), err)
	}
}
