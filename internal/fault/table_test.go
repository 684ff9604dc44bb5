package fault

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// declaredKinds reads the kinds that kinds.go declares.
func declaredKinds(t *testing.T) []Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "kinds.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []Kind
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			s, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, Kind(s))
		}
		return true
	})
	return kinds
}

func TestEveryDeclaredKindHasOneRow(t *testing.T) {
	kinds := declaredKinds(t)
	if len(kinds) < 90 {
		t.Fatalf("only %d kinds were found in kinds.go", len(kinds))
	}
	for _, k := range kinds {
		if Lookup(k) == nil {
			t.Errorf("%s has no row", k)
		}
	}
	if len(All()) != len(kinds) {
		t.Errorf("%d rows for %d kinds", len(All()), len(kinds))
	}
	if Lookup("no_such_kind") != nil {
		t.Error("a row for a kind that does not exist")
	}
}

// proxyTypes are the error types of RFC 9209 section 2.3 with the statuses it recommends; 0 stands
// for a status that the RFC leaves to the gateway.
var proxyTypes = map[string]int{
	"dns_timeout": 504, "dns_error": 502, "destination_not_found": 500, "destination_unavailable": 503, "destination_ip_prohibited": 502,
	"destination_ip_unroutable": 502, "connection_refused": 502, "connection_terminated": 502, "connection_timeout": 504,
	"connection_read_timeout": 504, "connection_write_timeout": 504, "connection_limit_reached": 503, "tls_protocol_error": 502,
	"tls_certificate_error": 502, "tls_alert_received": 502, "http_request_error": 0, "http_request_denied": 0,
	"http_response_incomplete": 502, "http_response_header_section_size": 502, "http_response_body_size": 502,
	"http_response_transfer_coding": 502, "http_response_timeout": 504, "http_upgrade_failed": 502, "http_protocol_error": 502,
	"proxy_internal_response": 0, "proxy_internal_error": 0, "proxy_configuration_error": 0, "proxy_loop_detected": 502,
}

// asksToWait are the kinds in which the upstream said over HTTP/2 that it takes no more for now: 503 tells the caller so,
// where the RFC recommends 502 for the type of a stream or a connection that was ended.
var asksToWait = map[Kind]bool{HTTP2StreamRefused: true, HTTP2EnhanceYourCalm: true, HTTP2Draining: true}

func TestEveryRowIsComplete(t *testing.T) {
	kindForm := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	titles := map[string]Kind{}
	for i := range All() {
		e := &All()[i]
		fail := func(what string) { t.Errorf("%s: %s", e.Kind, what) }
		if !kindForm.MatchString(string(e.Kind)) {
			fail("the kind is not lower case with underscores")
		}
		if e.Title == "" || strings.HasSuffix(e.Title, ".") || e.Title[0] < 'A' || e.Title[0] > 'Z' {
			fail("the title is no sentence without its full stop")
		}
		if other, twice := titles[e.Title]; twice {
			fail("has the title of " + string(other))
		}
		titles[e.Title] = e.Kind
		if len(e.Explain) < 60 || !strings.HasSuffix(e.Explain, ".") {
			fail("the explanation is missing or cut")
		}
		if len(e.CallerAdvice) == 0 || len(e.OperatorAdvice) == 0 {
			fail("has no advice for somebody")
		}
		if !strings.ContainsRune("YIDFX", rune(e.Again)) {
			fail("has no letter")
		}
		if e.At < AtCaller || e.At > AtUpstream {
			fail("has no place")
		}
		switch e.Cause {
		case Overload, Configuration, Network, Software, IncompatibleChange, Caller, Gateway:
		default:
			fail("has no cause")
		}
		want, known := proxyTypes[e.Proxy]
		switch {
		case e.Proxy == "":
		case !known:
			fail("has the error type " + e.Proxy + ", which RFC 9209 does not have")
		case e.Status == 503 && asksToWait[e.Kind]:
		case want != 0 && want != e.Status:
			fail("has status " + strconv.Itoa(e.Status) + " where RFC 9209 recommends " + strconv.Itoa(want))
		}
		for _, k := range e.DependsOn {
			if Lookup(k) == nil || k == e.Kind {
				fail("depends on " + string(k))
			}
		}
	}
}

func TestStatusesOfTheContract(t *testing.T) {
	for kind, status := range map[Kind]int{
		RouteNotFound: 404, MethodNotAllowed: 405, AmbiguousPath: 400, KeyMissing: 401, KeyUnknown: 401, KeyExpired: 401, NotSubscribed: 403,
		AddressNotAllowed: 403, RateLimited: 429, BodyTooLarge: 413, RequestHeaderTooBig: 431, RequestHeaderTimeout: 408, RequestBodyTimeout: 408,
		VersionNotSupported: 505, ExpectationFailed: 417, LoopDetected: 502, NoTarget: 500, NoHealthyTarget: 503, NoSlot: 503, GatewayDraining: 503,
		GatewayOverloaded: 503, TooManyConnections: 503, CallerGone: 499, GatewayBug: 500, FirstByteTimeout: 504, ConnectTimeout: 504, DNSTimeout: 504,
		TLSHandshakeTimeout: 504, IdleTimeout: 504, TotalTimeout: 504, SendTimeout: 504, GatewayPortsExhausted: 503, GatewayFilesExhausted: 503,
		ConnectionRefused: 502, DNSNotFound: 502, TLSCertificateExpired: 502, UpstreamError: 0,
	} {
		if got := Lookup(kind).Status; got != status {
			t.Errorf("%s: %d, want %d", kind, got, status)
		}
	}
}

// settings are the configuration keys that advice may name.
var settings = map[string]bool{
	"upstream.targets": true, "upstream.host": true, "upstream.max_busy": true, "upstream.tls.ca_file": true, "upstream.tls.server_name": true,
	"upstream.timeouts.connect": true, "upstream.timeouts.send": true, "upstream.timeouts.first_byte": true, "upstream.timeouts.idle": true, "upstream.timeouts.total": true,
	"upstream.retries.on": true, "upstream.retries.max": true, "upstream.protocol": true, "upstream.headers": true, "server.http2.enabled": true,
	"upstream.health.path": true, "upstream.health.status": true, "upstream.health.timeout": true, "upstream.health.healthy_after": true, "upstream.health.unhealthy_after": true,
	"upstream.breaker.failures": true, "upstream.breaker.min_calls": true, "upstream.breaker.open_for": true,
	"upstream.tls.pins": true, "upstream.tls.min_version": true, "upstream.tls.cert_file": true, "upstream.tls.key_file": true, "server.tls": true, "server.tls_options.min_version": true,
	"server.tls_options.ciphers": true, "server.tls_options.unknown_names": true, "server.client_auth.mode": true, "server.client_auth.ca_file": true,
	"server.acme": true, "server.acme.hosts": true, "server.acme.http_port": true,
	"server.max_connections": true, "server.max_calls": true, "server.max_header": true, "server.max_body": true, "server.read_header_timeout": true,
	"server.proxy_protocol.from": true, "server.proxy_protocol.required": true, "server.idle_timeout": true, "server.min_rate": true, "server.resolver": true,
	"server.overload.memory_soft": true, "server.overload.memory_hard": true, "server.overload.wait": true, "server.overload.max_delay": true, "server.drain": true, "server.trusted_proxies": true,
	"policies.rate_limit": true, "policies.rate_limit.requests": true, "policies.ip_allow": true, "policies.body_limit": true,
	"calls.keep": true, "calls.max_size": true, "calls.when_full": true,
}

func TestAdviceNamesOnlyRealSettings(t *testing.T) {
	key := regexp.MustCompile(`\b(upstream|server|policies|calls)\.[a-z_]+(\.[a-z_]+)*\b`)
	named := 0
	for _, e := range All() {
		for _, s := range append(append([]string{e.Explain}, e.CallerAdvice...), e.OperatorAdvice...) {
			for _, k := range key.FindAllString(s, -1) {
				named++
				if !settings[k] {
					t.Errorf("%s names %s, which the configuration does not have", e.Kind, k)
				}
			}
		}
	}
	if named < 40 {
		t.Errorf("only %d settings were found in the advice", named)
	}
}

// TestTheCatalogueTellsNoAddress: its texts go to strangers too.
func TestTheCatalogueTellsNoAddress(t *testing.T) {
	address := regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}\b`)
	for _, e := range All() {
		for _, s := range append([]string{e.Title, e.Explain}, e.CallerAdvice...) {
			if m := address.FindString(s); m != "" {
				t.Errorf("%s tells %s", e.Kind, m)
			}
		}
	}
}
