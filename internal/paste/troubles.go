package paste

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"causeway/internal/fault"
)

// speaker is a program or library, known by its own words.
type speaker struct {
	name string
	any  []string
}

// speakers come in the order in which they are asked: what wraps another comes first.
var speakers = []speaker{
	{"the OpenAI SDK", []string{"openai.", "OpenAIError"}},
	{"the Anthropic SDK", []string{"anthropic.", "AnthropicError"}},
	{"curl", []string{"curl: ("}},
	{"Python's httpx", []string{"httpx.", "httpcore."}},
	{"Python's aiohttp", []string{"aiohttp.", "ClientConnectorError", "ServerDisconnectedError", "ClientPayloadError", "ClientOSError"}},
	{"Python's requests", []string{"requests.exceptions", "HTTPConnectionPool(", "HTTPSConnectionPool(", "raise_for_status", " for url: "}},
	{"Python's urllib3", []string{"urllib3."}},
	{"Python's urllib", []string{"urllib.error", "<urlopen error", "HTTP Error "}},
	{"Python's grpc", []string{"grpc._channel", "_InactiveRpcError", "StatusCode."}},
	{"Python's http.client", []string{"http.client."}},
	{"Node's fetch (undici)", []string{"UND_ERR_", "fetch failed", "undici"}},
	{"Node's axios", []string{"AxiosError", "Request failed with status code"}},
	{"Node.js", []string{"    at ", "errno: -", "syscall: '", "socket hang up", "ECONN", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ERR_TLS", "HPE_"}},
	{"Go's grpc", []string{"rpc error: code = "}},
	{"Go's net/http", []string{"dial tcp", "net/http: ", "http2: ", "read tcp ", "context deadline exceeded", "x509: ", "tls: ", "Get \"", "Post \""}},
	{"Java", []string{"java.net.", "javax.net.", "java.io.", "org.apache.http", "okhttp3.", "java.util.concurrent"}},
	{".NET", []string{"System.Net.", "HttpRequestException", "TaskCanceledException"}},
	{"PHP's Guzzle", []string{"GuzzleHttp\\", "cURL error "}},
	{"Ruby", []string{"Errno::", "Net::ReadTimeout", "Net::OpenTimeout", "Faraday::"}},
	{"a browser", []string{"ERR_CONNECTION_", "ERR_NAME_", "ERR_CERT_", "ERR_SSL_", "ERR_TOO_MANY", "NetworkError when attempting", "Failed to fetch", "CORS policy", "ERR_EMPTY_RESPONSE"}},
	{"wget", []string{"wget: "}},
}

// trouble is what an exception's words mean. All texts of one way must be there.
type trouble struct {
	kind    fault.Kind
	any     []string
	but     string // a text that makes it another trouble
	title   string // where the catalogue has no kind for it
	meaning string
	cause   fault.Cause
	advice  []string
	vague   bool // told only where nothing else is: its words wrap those of the cause
}

// troubles come in the order in which they are asked: what lies deeper first, since exceptions wrap one another.
var troubles = []trouble{
	{kind: fault.TLSCertificateNotYet, any: []string{"certificate is not yet valid", "CERT_NOT_YET_VALID", "NotBefore: ", "is before 20"}},
	{kind: fault.TLSCertificateExpired, any: []string{"certificate has expired", "CERT_HAS_EXPIRED", "ERR_CERT_DATE_INVALID", "NotAfter: ", "certificate expired"}},
	{kind: fault.TLSNameMismatch, any: []string{
		"Hostname mismatch", "doesn't match", "ERR_TLS_CERT_ALTNAME_INVALID", "certificate is valid for ", "does not match target host name",
		"No subject alternative", "no alternative certificate subject name", "does not match certificate's altnames", "ERR_CERT_COMMON_NAME_INVALID", "x509: cannot validate certificate for",
	}},
	{kind: fault.TLSIntermediateMissing, any: []string{"unable to verify the first certificate", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"}},
	{kind: fault.TLSUnknownAuthority, any: []string{
		"self-signed certificate", "self signed certificate", "unable to get local issuer certificate", "UNABLE_TO_GET_ISSUER_CERT", "DEPTH_ZERO_SELF_SIGNED_CERT",
		"SELF_SIGNED_CERT_IN_CHAIN", "signed by unknown authority", "PKIX path building failed", "ERR_CERT_AUTHORITY_INVALID", "RemoteCertificateChainErrors", "unable to get issuer certificate",
	}},
	{kind: fault.TLSToPlainPort, any: []string{
		"wrong version number", "WRONG_VERSION_NUMBER", "packet length too long", "first record does not look like a TLS handshake", "server gave HTTP response to HTTPS client",
		"Unsupported or unrecognized SSL message", "ERR_SSL_PROTOCOL_ERROR", "http request] (_ssl", "RECORD_LAYER_FAILURE", "record layer failure",
	}},
	{kind: fault.PlainToTLSPort, any: []string{"plain HTTP request was sent to HTTPS port", "Client sent an HTTP request to an HTTPS server", "speaking plain HTTP to an SSL-enabled", `malformed HTTP response "\x15\x03`}},
	{kind: fault.TLSClientCertificate, any: []string{"alert certificate required", "certificate required", "alert bad certificate", "No required SSL certificate was sent"}},
	{kind: fault.TLSUnrecognizedName, any: []string{"unrecognized name", "unrecognized_name"}},
	{kind: fault.TLSVersionMismatch, any: []string{"alert protocol version", "unsupported protocol", "protocol version not supported", "UNSUPPORTED_PROTOCOL", "no protocols in common", "ERR_SSL_VERSION"}},
	{kind: fault.TLSHandshakeTimeout, any: []string{"TLS handshake timeout", "_ssl.c:1000: The handshake operation timed out", "handshake operation timed out", "SSL connection timeout"}},
	{kind: fault.TLSHandshakeClosed, any: []string{"before secure TLS connection was established", "UNEXPECTED_EOF_WHILE_READING", "SSL_ERROR_SYSCALL", "SSLEOFError", "Remote host terminated the handshake", "EOF occurred in violation of protocol"}},
	{kind: fault.TLSAlert, any: []string{"handshake failure", "HANDSHAKE_FAILURE", "handshake_failure", "tls: internal error", "alert internal error", "Could not create SSL/TLS secure channel"}},
	{kind: fault.DNSServerFailure, any: []string{"EAI_AGAIN", "Temporary failure in name resolution", "server misbehaving", "Try again (name resolution)", "DNS_PROBE_FINISHED_BAD"}},
	{kind: fault.DNSNotFound, any: []string{
		"Name or service not known", "nodename nor servname", "ENOTFOUND", "Could not resolve host", "no such host", "UnknownHostException", "No address associated with hostname",
		"Name does not resolve", "ERR_NAME_NOT_RESOLVED", "Failed to resolve '", "DNS_PROBE_FINISHED_NXDOMAIN", "ERR_DNS", "ClientConnectorDNSError", "getaddrinfo failed", "No such host is known", "Failed to open TCP connection to (getaddrinfo", "php_network_getaddresses",
	}},
	{kind: fault.ConnectionRefused, any: []string{
		"Connection refused", "connection refused", "ECONNREFUSED", "actively refused", "WinError 10061", "ERR_CONNECTION_REFUSED", "Errno 111]", "Errno 61]", "Connect call failed", "Couldn't connect to server", "ConnectionRefusedError", "SocketException (111)", "SocketException (10061)",
	}},
	{kind: fault.Unroutable, any: []string{"No route to host", "no route to host", "EHOSTUNREACH", "Network is unreachable", "network is unreachable", "ENETUNREACH", "ERR_ADDRESS_UNREACHABLE"}},
	{kind: fault.GatewayPortsExhausted, title: "This machine has no local port left", meaning: "The connection was not even begun: all local ports towards this address are in use, most of them by connections that have ended (TIME_WAIT).", any: []string{"Cannot assign requested address", "EADDRNOTAVAIL", "cannot assign requested address"}},
	{kind: fault.GatewayFilesExhausted, title: "This process has no file descriptor left", meaning: "The connection was not even begun: the process that says so has as many files and connections open as it may.", any: []string{"Too many open files", "EMFILE", "ENFILE", "too many open files"}},
	{
		title: "The caller's own pool of connections is full", cause: fault.Caller, meaning: "No request was sent: all connections of the client's own pool were in use for longer than it waits for one.",
		any:    []string{"PoolTimeout", "Timeout waiting for connection from pool", "ConnectionPoolTimeoutException", "QueuePool limit"},
		advice: []string{"Give connections back: close or read each response to its end (a stream that is not read holds one).", "Raise the pool with the concurrency: httpx.Limits(max_connections=...), requests HTTPAdapter(pool_maxsize=...), SQLAlchemy pool_size."},
	},
	{kind: fault.ConnectTimeout, any: []string{
		"ConnectTimeout", "connect timed out", "Connect timed out", "connect ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT", "[Errno 110]", "[Errno 60]", "WinError 10060", "Connection timed out", "Timeout was reached",
		"ERR_CONNECTION_TIMED_OUT", "Connection timeout after", "Net::OpenTimeout", "connection attempt failed because the connected party", "ETIMEDOUT", "ConnectionTimeoutError",
	}, but: "Operation timed out after"},
	{kind: fault.ConnectTimeout, any: []string{"dial tcp"}, but: "no i/o timeout"},
	{kind: fault.IdleTimeout, any: []string{"UND_ERR_BODY_TIMEOUT", "Operation too slow"}},
	{kind: fault.FirstByteTimeout, any: []string{
		"Read timed out", "ReadTimeout", "read timeout=", "Operation timed out after", "UND_ERR_HEADERS_TIMEOUT", "awaiting response headers", "Client.Timeout exceeded", "context deadline exceeded",
		"ESOCKETTIMEDOUT", "APITimeoutError", "Request timed out", "i/o timeout", "TaskCanceledException", "CURLE_OPERATION_TIMEDOUT", "ServerTimeoutError", "SocketTimeoutException", "HttpClient.Timeout", "timeout of ", "HttpTimeoutException", "Net::ReadTimeout", "asyncio.exceptions.TimeoutError", "TimeoutError", "The read operation timed out",
	}, but: "code = DeadlineExceeded"},
	{kind: fault.TruncatedBody, any: []string{
		"IncompleteRead", "incomplete chunked read", "without sending complete message body", "ChunkedEncodingError", "InvalidChunkLength", "ClientPayloadError", "transfer closed with", "Premature close",
		"ERR_STREAM_PREMATURE_CLOSE", "ERR_INCOMPLETE_CHUNKED", "Premature EOF", "unexpected EOF", "TransferEncodingError", "ContentLengthError", "ERR_CONTENT_LENGTH_MISMATCH", "TypeError: terminated", "Response ended prematurely", "end of response with",
	}},
	{kind: fault.StaleConnection, any: []string{"server closed idle connection"}},
	{kind: fault.ClosedBeforeResponse, any: []string{
		"RemoteDisconnected", "Server disconnected", "ServerDisconnectedError", "Empty reply from server", "socket hang up", "Remote end closed connection", "other side closed", "NoHttpResponseException",
		"failed to respond", "UND_ERR_SOCKET", "ERR_EMPTY_RESPONSE", "Unexpected end of file from server", "ERR_CONNECTION_CLOSED", "IncompleteMessage", "upstream prematurely closed", "connection_termination", "The response ended prematurely", "end of file reached",
	}},
	{kind: fault.ResetDuringUpload, any: []string{"EPIPE", "Broken pipe", "broken pipe", "BrokenPipeError"}},
	{kind: fault.ResetBeforeResponse, any: []string{
		"Connection reset by peer", "connection reset by peer", "ECONNRESET", "ConnectionResetError", "WinError 10054", "forcibly closed", "Recv failure", "Connection reset", "ERR_CONNECTION_RESET", "Errno 104]",
	}},
	{kind: fault.HTTP2EnhanceYourCalm, any: []string{"ENHANCE_YOUR_CALM", "too_many_pings"}},
	{kind: fault.HTTP2StreamRefused, any: []string{"REFUSED_STREAM"}},
	{kind: fault.HTTP2Draining, any: []string{"GOAWAY", "ERR_HTTP2_GOAWAY_SESSION", "graceful_stop"}},
	{kind: fault.HTTP2StreamReset, any: []string{"was not closed cleanly", "stream error: stream ID", "ERR_HTTP2_STREAM_ERROR", "ERR_HTTP2_PROTOCOL_ERROR", "RST_STREAM", "StreamReset"}},
	{kind: fault.ResponseHeaderTooLarge, any: []string{"HPE_HEADER_OVERFLOW", "UND_ERR_HEADERS_OVERFLOW", "server response headers exceeded", "got more than 100 headers", "got more than 65536 bytes when reading header line", "LineTooLong"}},
	{kind: fault.NotHTTP, any: []string{"Received HTTP/0.9 when not allowed", "illegal status line", "BadStatusLine", "Parse Error: Expected HTTP/", "malformed HTTP response", "malformed HTTP status code", "HPE_INVALID_CONSTANT", "ERR_INVALID_HTTP_RESPONSE", "The server committed a protocol violation", "Unexpected status line"}},
	{kind: fault.MalformedResponse, any: []string{"HPE_INVALID", "malformed MIME header", "illegal header line", "Weird server reply", "LocalProtocolError", "RemoteProtocolError"}},
	{kind: fault.IncompatibleResponse, any: []string{
		"JSONDecodeError", "Expecting value: line 1 column 1", "Unexpected token", "Unexpected end of JSON", "invalid character '<' looking for beginning", "SyntaxError: JSON.parse", "APIResponseValidationError", "ContentTypeError",
	}},
	{
		kind: fault.TLSUnknownAuthority, vague: true, title: "The certificate was not accepted, and the text does not say why", meaning: "The client's check of the server's certificate failed: mostly an issuer that it does not trust, else the name or the dates. The words after CERTIFICATE_VERIFY_FAILED say which. The request was not sent.",
		any: []string{"CERTIFICATE_VERIFY_FAILED", "SSLCertVerificationError", "certificate verify failed", "ClientConnectorCertificateError", "CertificateException", "SSLPeerUnverifiedException"},
	},
	{
		vague: true, title: "The TLS handshake failed, and the text does not say why", cause: fault.Configuration, meaning: "TCP was connected; the two did not agree on TLS, or one did not take the other's certificate. The request was not sent.",
		any:    []string{"SSLHandshakeException", "javax.net.ssl.SSLException", "ssl.SSLError", "SSLError", "OpenSSL::SSL::SSLError", "ClientConnectorSSLError"},
		advice: []string{"openssl s_client -connect HOST:PORT -servername HOST </dev/null tells which: the chain, its dates, the version.", "causeway doctor https://HOST:PORT looks at each of them."},
	},
	{
		title: "A proxy that the client is told to use is in the way", cause: fault.Configuration, meaning: "The client goes through an outgoing proxy (HTTP_PROXY, HTTPS_PROXY), and that proxy could not be reached, or did not let the call out.",
		any:    []string{"ProxyError", "Cannot connect to proxy", "Tunnel connection failed", "CONNECT tunnel failed", "Proxy Authentication Required", "ERR_PROXY_CONNECTION", "ERR_TUNNEL_CONNECTION", "proxyconnect tcp"},
		advice: []string{"For an address of your own network put it into NO_PROXY (no_proxy=localhost,127.0.0.1,.internal).", "407 means that the proxy wants a user and password; 403 that it does not let this address out."},
	},
	{
		title: "Redirects go round in a circle", cause: fault.Configuration, meaning: "Each answer leads to another address and in the end back to one that was asked before.",
		any: []string{"TooManyRedirects", "Exceeded 30 redirects", "redirects followed", "stopped after 10 redirects", "ERR_TOO_MANY_REDIRECTS", "redirection limit", "max redirects"},
		advice: []string{
			"Mostly the application does not know that the caller came over https: the proxy must send X-Forwarded-Proto, and the application must trust it. At Cloudflare: SSL mode Full and not Flexible.",
			"Or a cookie that the redirect waits for is not kept: use a session.", "curl -sIL URL shows the circle.",
		},
	},
	{
		title: "The browser does not let the page read the answer (CORS)", cause: fault.Configuration, meaning: "The answer came, or would have: it lacks the field that allows this page's origin to read it. An error page of a proxy lacks it too, so that a 502 looks like this in a browser.",
		any:    []string{"CORS policy", "Access-Control-Allow-Origin"},
		advice: []string{"Look at the answer's status with curl first: if it is 5xx, that is the failure.", "Allow the page's origin: policies.cors of the service, add_header Access-Control-Allow-Origin ... always (nginx), the framework's CORS middleware."},
	},
	{
		vague: true, title: "The SDK could not get an answer, and does not say why", cause: fault.Network, meaning: "APIConnectionError hides what happened: the exception behind it (__cause__, error.cause) has it.",
		any:    []string{"APIConnectionError", "Connection error."},
		advice: []string{"Print the cause: except openai.APIConnectionError as e: print(repr(e.__cause__)). In Node: console.error(err.cause). Paste that.", "Look at OPENAI_BASE_URL (base_url) and at HTTPS_PROXY: a wrong address is the usual reason."},
	},
	{
		vague: true, title: "The fetch failed, and the text does not say why", cause: fault.Network, meaning: "fetch hides what happened: error.cause has it in Node; a browser tells it in its console and network tab only.",
		any:    []string{"fetch failed", "Failed to fetch", "NetworkError when attempting", "Network Error", "Load failed"},
		advice: []string{"In Node: console.error(err.cause), and paste that.", "In a browser: the network tab has the entry; a blocked CORS answer, a refused connection and a certificate that is not trusted look the same to the page."},
	},
	{
		vague: true, title: "The connection could not be made, and the text does not say why", cause: fault.Network, meaning: "Name, TCP or TLS: the exception's own text, or the one that it wraps, says which of them. The request was not sent.",
		any:    []string{"ConnectError", "ClientConnectorError", "java.net.ConnectException", "HttpHostConnectException", "Faraday::ConnectionFailed", "NewConnectionError", "SocketException", "ClientConnectionError", "Failed to establish a new connection", "Max retries exceeded", "ConnectionError", "Failed to connect to"},
		advice: []string{"Paste the whole text: the words after the exception's name (refused, timed out, not known) decide.", "causeway doctor URL looks at name, TCP, TLS and HTTP in turn."},
	},
	{
		vague: true, title: "The exchange broke off, and the text does not say how", cause: fault.Network, meaning: "The connection stood; then it was closed, reset, or something came that is not HTTP.",
		any:    []string{"urllib3.exceptions.ProtocolError", "hyper::Error", "reqwest::Error", "HttpRequestException", "requests.exceptions.RequestException", "java.io.IOException"},
		advice: []string{"Paste the whole text, with the exceptions behind it (__cause__, source(), Caused by).", "causeway doctor URL asks the same address and tells what comes back."},
	},
}

// grpcWords are gRPC's codes as its libraries print them.
var grpcWords = regexp.MustCompile(`(?:code = |StatusCode\.|\b(?:[1-9]|1[0-6]) )([A-Z][A-Za-z_]+)`)

// grpcKinds are the kinds of gRPC's codes, by their names in capitals without underscores.
var grpcKinds = map[string]fault.Kind{
	"UNAVAILABLE": fault.GRPCUnavailable, "DEADLINEEXCEEDED": fault.GRPCDeadline, "RESOURCEEXHAUSTED": fault.GRPCExhausted, "UNIMPLEMENTED": fault.GRPCUnimplemented,
	"INTERNAL": fault.GRPCInternal, "UNKNOWN": fault.GRPCUnknown, "DATALOSS": fault.GRPCDataLoss, "UNAUTHENTICATED": fault.GRPCUnauthenticated,
}

// troubles reads the words of exceptions and of programs.
func (r *reader) troubles(text string) {
	who := ""
	for _, s := range speakers {
		if w := containsAny(text, s.any); w != "" {
			who = s.name
			break
		}
	}
	found := 0
	if m := grpcWords.FindStringSubmatch(text[:min(len(text), mostWords)]); m != nil {
		if kind := grpcKinds[strings.ToUpper(strings.ReplaceAll(m[1], "_", ""))]; kind != "" {
			r.add(Finding{What: "a gRPC status", Who: or(who, "a gRPC client"), Kind: kind, Seen: []string{"it says " + m[1]}, rank: rankTrouble + 1})
			found++
		}
	}
	for _, t := range troubles {
		seen := containsAny(text, t.any)
		if seen == "" || t.vague && len(r.r.Findings) > 0 || t.but != "" && strings.Contains(text, t.but) || seen == "dial tcp" && !strings.Contains(text, "i/o timeout") {
			continue
		}
		r.add(Finding{
			What: "an exception's words", Who: or(who, "a client"), Kind: t.kind, Cause: t.cause, Title: t.title, Meaning: t.meaning, Advice: t.advice,
			Seen: []string{"it says " + quoteAround(text, seen)}, Retry: retryOf(&t), rank: rankTrouble - found,
		})
		if found++; found == 3 {
			break
		}
	}
	r.curl(text, who, found > 0)
	r.statuses(text)
}

func retryOf(t *trouble) fault.Verdict {
	if t.kind == "" {
		return fault.No
	}
	return ""
}

var curlCode = regexp.MustCompile(`(?i)\bcurl(?: error)?:? \(?(\d{1,3})\b`)

// curlKinds are the kinds of curl's exit codes (https://curl.se/libcurl/c/libcurl-errors.html).
var curlKinds = map[int]fault.Kind{
	6: fault.DNSNotFound, 7: fault.ConnectionRefused, 16: fault.MalformedHTTP2, 18: fault.TruncatedBody, 28: fault.FirstByteTimeout, 35: fault.TLSProtocolError, 52: fault.ClosedBeforeResponse,
	55: fault.ResetDuringUpload, 56: fault.ResetBeforeResponse, 58: fault.TLSClientCertificate, 60: fault.TLSUnknownAuthority, 61: fault.MalformedResponse, 63: fault.ResponseBodyTooLarge, 92: fault.HTTP2StreamReset,
	1: fault.NotHTTP, 8: fault.MalformedResponse,
}

// curl reads curl's exit code where its words have said nothing.
func (r *reader) curl(text, who string, told bool) {
	m := curlCode.FindStringSubmatch(text[:min(len(text), mostWords)])
	if m == nil || told {
		return
	}
	code, _ := strconv.Atoi(m[1])
	kind := curlKinds[code]
	if kind == "" {
		return
	}
	r.add(Finding{What: fmt.Sprintf("curl's exit code %d", code), Who: or(who, "curl"), Kind: kind, Seen: []string{"it says " + quoteAround(text, m[0])}, rank: rankTrouble})
}

// containsAny is the first of the texts that s has, "" when it has none.
func containsAny(s string, texts []string) string {
	for _, t := range texts {
		if strings.Contains(s, t) {
			return t
		}
	}
	return ""
}

// quoteAround is the line of a text in which something stands, short.
func quoteAround(text, what string) string {
	i := strings.Index(text, what)
	begin := strings.LastIndexByte(text[:i], '\n') + 1
	end := len(text)
	if j := strings.IndexByte(text[i:], '\n'); j >= 0 {
		end = i + j
	}
	if i-begin > 60 {
		begin = i - 60
		if j := strings.IndexAny(text[begin:i], " \t"); j >= 0 {
			begin += j + 1
		}
	}
	end = min(end, begin+1000)
	return strconv.Quote(clip(masked(strings.ToValidUTF8(text[begin:end], "?"))))
}

// secrets are what must not be shown again, though the one who pasted it has it on the screen: an explanation is
// passed on.
var secrets = regexp.MustCompile(`(?i)((?:api[-_]?key|apikey|token|secret|password|authorization|bearer|cookie)["']?\s*[:= ]\s*["']?(?:bearer )?)[^\s"',&}]{6,}|\b(sk-|cw_|AIza|ghp_|xox[bp]-)[A-Za-z0-9_-]{6,}|(://)[^/\s:@]+:[^/\s@]+@`)

func masked(s string) string { return secrets.ReplaceAllString(s, "$1$2$3****") }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
