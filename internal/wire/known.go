package wire

// ID names a field that the gateway reads, writes or takes out.
type ID uint8

// The known fields. There are fewer than 64, so that Header can keep them as bits.
const (
	Other ID = iota
	Host
	ContentLength
	TransferEncoding
	Connection
	KeepAlive
	ProxyConnection
	TE
	Trailer
	Upgrade
	Expect
	ProxyAuthorization
	ProxyAuthenticate
	Via
	Forwarded
	XForwardedFor
	XForwardedProto
	XForwardedHost
	XForwardedPort
	XRealIP
	Authorization
	APIKey
	XAPIKey
	XGoogAPIKey
	Traceparent
	Tracestate
	Accept
	AcceptEncoding
	ContentType
	ContentEncoding
	Cookie
	IdempotencyKey
	XIdempotencyKey
	OriginField
	Date
	Server
	RetryAfter
	CacheControl
	Vary
	ProxyStatus
	CausewayCallID
	CausewayAttempts
	CausewayFinding
	XShouldRetry
	UserAgent
	Location
	AllowOrigin
	RateLimit
	RateLimitPolicy
	CDNLoop
	AllowCredentials
	ExposeHeaders
	GRPCTimeout
	numIDs
)

var knownNames = [numIDs]string{
	Host: "Host", ContentLength: "Content-Length", TransferEncoding: "Transfer-Encoding",
	Connection: "Connection", KeepAlive: "Keep-Alive", ProxyConnection: "Proxy-Connection",
	TE: "TE", Trailer: "Trailer", Upgrade: "Upgrade", Expect: "Expect",
	ProxyAuthorization: "Proxy-Authorization", ProxyAuthenticate: "Proxy-Authenticate",
	Via: "Via", Forwarded: "Forwarded", XForwardedFor: "X-Forwarded-For",
	XForwardedProto: "X-Forwarded-Proto", XForwardedHost: "X-Forwarded-Host",
	XForwardedPort: "X-Forwarded-Port", XRealIP: "X-Real-IP",
	Authorization: "Authorization", APIKey: "apikey", XAPIKey: "x-api-key", XGoogAPIKey: "x-goog-api-key",
	Traceparent: "traceparent", Tracestate: "tracestate",
	Accept: "Accept", AcceptEncoding: "Accept-Encoding", ContentType: "Content-Type",
	ContentEncoding: "Content-Encoding", Cookie: "Cookie",
	IdempotencyKey: "Idempotency-Key", XIdempotencyKey: "X-Idempotency-Key", OriginField: "Origin",
	Date: "Date", Server: "Server", RetryAfter: "Retry-After", CacheControl: "Cache-Control",
	Vary: "Vary", ProxyStatus: "Proxy-Status", CausewayCallID: "Causeway-Call-Id",
	CausewayAttempts: "Causeway-Attempts", CausewayFinding: "Causeway-Finding",
	XShouldRetry: "x-should-retry", UserAgent: "User-Agent", Location: "Location",
	AllowOrigin: "Access-Control-Allow-Origin", RateLimit: "RateLimit", RateLimitPolicy: "RateLimit-Policy",
	CDNLoop: "CDN-Loop", AllowCredentials: "Access-Control-Allow-Credentials",
	ExposeHeaders: "Access-Control-Expose-Headers", GRPCTimeout: "grpc-timeout",
}

// String is the field's usual spelling, "" for Other.
func (id ID) String() string { return knownNames[id] }

// hopByHop are the fields that belong to one connection (RFC 9110 section 7.6.1) or that the
// codec writes itself; the serialiser leaves them out.
const hopByHop = 1<<ContentLength | 1<<TransferEncoding | 1<<Connection | 1<<KeepAlive |
	1<<ProxyConnection | 1<<Upgrade | 1<<TE

// known is an open hash of the names: 256 buckets of at most knownDepth candidates.
const knownDepth = 4

var known = buildKnown()

func knownBucket(first, last byte, n int) uint8 {
	return (first|0x20)*7 + (last|0x20)*31 + uint8(n)*5
}

func buildKnown() (t [256][knownDepth]ID) {
	for id := Host; id < numIDs; id++ {
		name := knownNames[id]
		b := knownBucket(name[0], name[len(name)-1], len(name))
		for i := range t[b] {
			if t[b][i] == Other {
				t[b][i] = id
				break
			}
			if i == knownDepth-1 {
				panic("wire: too many names in one bucket of the table of known fields")
			}
		}
	}
	return t
}

// Identify finds the ID of a field name, ignoring case.
func Identify(name []byte) ID {
	n := len(name)
	if n == 0 {
		return Other
	}
	b := &known[knownBucket(name[0], name[n-1], n)]
	for _, id := range b {
		if id == Other {
			return Other
		}
		if k := knownNames[id]; len(k) == n && (string(name) == k || equalFold(name, k)) {
			return id
		}
	}
	return Other
}
