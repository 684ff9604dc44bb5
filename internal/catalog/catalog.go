// Package catalog holds the nouns that operators define: services with their routes and
// upstreams, providers, models and applications, with their defaults and the rules they must
// keep. A Catalog is plain data: it is read once, checked, and compiled by internal/snapshot.
package catalog

import (
	"net/netip"
	"time"
)

// Catalog is one whole configuration. It is not changed after Load has returned it.
type Catalog struct {
	Server       Server
	LLM          LLM
	Calls        Calls
	Incidents    Incidents
	Hooks        []Hook
	Storage      Storage
	Providers    map[string]*Provider
	Models       map[string]*Model
	Prices       map[string]ModelPrice // by PROVIDER/MODEL
	Guardrails   map[string]*Guardrail
	Services     map[string]*Service
	Prompts      map[string]*Prompt
	Applications map[string]*Application
	// Hash is the SHA-256 of the file's bytes as lower-case hex, "" for the embedded defaults.
	Hash string
}

// Server is the gateway's own listener and limits.
type Server struct {
	PublicURL         string // without trailing slash; "" when not set
	TLS               []Certificate
	TLSOptions        TLSOptions
	ClientAuth        *ClientAuth // nil: callers are not asked for certificates
	ACME              *ACME       // nil: no certificates are got from an authority
	Listen            []Listener  // none: --listen, or its default
	ReusePort         int         // sockets for each TCP address
	ProxyProtocol     *ProxyProtocol
	TrustedProxies    []netip.Prefix
	Resolver          string // the DNS server for upstreams, host:port; "" is the system's
	MaxConnections    int
	MaxCalls          int // in flight; 0 = by memory and descriptors
	MaxHeader         int64
	MaxBody           int64
	ReadHeaderTimeout time.Duration
	IdleTimeout       time.Duration
	Drain             time.Duration
	MinRate           int64         // bytes a second that a caller must send and take; 0 = any
	MinRateAfter      time.Duration // how long is waited for a caller before its rate counts
	Overload          Overload
	HTTP2             HTTP2
	HooksAllow        []string // programs that hooks may run, by their whole paths
}

// Certificate names a certificate and its key, both PEM files, and an OCSP answer to staple (DER),
// "" for none; relative names are taken from the configuration file's folder.
type Certificate struct{ CertFile, KeyFile, OCSPFile string }

// LLM moves the LLM addresses to hosts or under a prefix.
type LLM struct {
	Hosts  []string
	Prefix string // "" or "/ai", without trailing slash
	Off    bool   // no LLM addresses at all (causeway proxy); not in the file
	// KeepResponses is how long conversations of the Responses API are kept after their last turn, 0 not at
	// all; KeepResponsesSize how much is kept.
	KeepResponses     time.Duration
	KeepResponsesSize int64
	Fetch             Fetch
	Guardrails        []string // names, for every call to a model
	KeepBodies        string   // of calls to models: true | failures | false
}

// Calls says how long calls are kept.
type Calls struct {
	Keep     time.Duration
	MaxSize  int64
	WhenFull string // drop | refuse
}

// Storage says where things are kept.
type Storage struct {
	Database string // "sqlite"
	Counters string // "memory"
	// CacheSize is how many bytes of answers are kept in this process's memory.
	CacheSize int64
}

// Secret is a value that must never be shown. Its String is "[secret]".
type Secret string

func (Secret) String() string   { return "[secret]" }
func (Secret) GoString() string { return "[secret]" }

// Reveal returns the value itself, for the one place that sends or hashes it.
func (s Secret) Reveal() string { return string(s) }

// Provider is where models come from.
type Provider struct {
	Name string
	Kind string // the vendor's lower-case name, or "openai-compatible", or "sandbox"
	// Vendor is the kind's row with what the file says otherwise: dialect, auth, quirks. It is never nil.
	Vendor  *Vendor
	BaseURL string // as configured or the vendor's; "" only for the sandbox
	Keys    []ProviderKey
	// CallerKey lets the caller's own provider key through; then there are no Keys.
	CallerKey bool
	Region    string // of bedrock
	Project   string // of vertex
	Location  string // of vertex
	// Credentials are the JSON of a Google service account, CredentialsFile a file with it; one of the
	// two for vertex, unless Keys holds access tokens.
	Credentials     Secret
	CredentialsFile string
	APIVersion      string            // of azure-openai; "" is the v1 API
	Deployments     map[string]string // of azure-openai: model -> deployment
	Headers         map[string]string // to set on each call
	Timeouts        Timeouts
	Retries         Retries
	TLS             UpstreamTLS
	Protocol        string // http1 | auto | h2 | h2c
	// Models are the names that the provider is said to have, for bare names and GET /v1/models.
	Models []string
}

// DatedAPI tells whether APIVersion is one with a date: Azure then has deployments in the path.
func (p *Provider) DatedAPI() bool { return datedAPI(p.APIVersion) }

// HasPath tells whether the base URL has a path.
func (p *Provider) HasPath() bool { return pathOf(p.BaseURL) != "" }

// ProviderKey is one key of a provider: a Value, or a pair of AWS keys.
type ProviderKey struct {
	Value    Secret
	Weight   int
	Priority int    // keys of a higher number are used only when none of a lower one can be
	Name     string // "" for none

	AccessKeyID     string // "" where there is a Value
	SecretAccessKey Secret
	SessionToken    Secret // "" for keys that last
}

// Model is a name that callers may use.
type Model struct {
	Name    string
	Balance string // weighted | least_latency | least_busy | cheapest | sticky
	Targets []ModelTarget
	// Fallback is what is asked when no target answers, in this order.
	Fallback []ModelTarget
	// Strict: a call that would lose something between two dialects is refused.
	Strict     bool
	Failover   Failover
	Cache      *ModelCache // nil: no answers are kept
	Hedge      *Hedge      // nil: one target is asked at a time
	Guardrails []string    // names
}

// ModelTarget is one model of one provider, or of a Model's Fallback also another Model.
type ModelTarget struct {
	Provider string // "" when Model is a name under models
	Model    string // the provider's own name for it
	Weight   int
	Price    *Price // nil: not said
	Context  int64  // tokens that it can hold; 0: not said
	// Supports are what it can do beyond text (vision, audio, documents, tools, json_schema); nil: not
	// said, then it is taken to do what its vendor does.
	Supports []string
	// API is which of OpenAI's two the provider has for the model, APIChat or APIResponses; "": both, until it
	// says otherwise.
	API string
}

// The values of ModelTarget.API.
const (
	APIChat      = "chat"
	APIResponses = "responses"
)

// Price is what a million tokens cost, in US dollars.
type Price struct{ Input, Output float64 }

// Failover says when a failed call to a model goes on at its next target.
type Failover struct {
	OnRefusal   bool // also after a refusal of the content
	OnContext   bool // also after a request that is too long, at a target that may hold more
	MaxAttempts int  // 0: as many as there are targets, fallbacks and keys, 5 at the most
}

// Hedge says when a call to a model is put to another of its targets as well.
type Hedge struct {
	After  time.Duration // without content
	Max    int           // how many others one call may ask
	Budget float64       // 0.1 for 10%
}

// Service is one REST API.
type Service struct {
	Name       string
	Team       string
	Access     string // key | open
	KeepBodies string // true | failures | false
	Details    string // auto | full | safe
	Routes     []Route
	Upstream   Upstream
	Policies   Policies
}

// Route says which calls are the service's.
type Route struct {
	Path         string // "/orders/*", "/orders/{id}"
	Methods      []string
	StripPrefix  bool // takes the literal part before the first * or { off the path sent upstream
	Hosts        []string
	MatchHeaders map[string]string // the value "*" is any
}

// Upstream is who answers for a service.
type Upstream struct {
	Targets  []Target
	Balance  string // round_robin | least_busy | random_two | hash_ip | hash_header:NAME | hash_cookie:NAME
	Host     string // target | caller | a value
	Headers  HeaderRules
	Timeouts Timeouts
	Retries  Retries
	Health   *Health  // nil: no active checks
	Breaker  *Breaker // nil: none
	TLS      UpstreamTLS
	MaxBusy  int
	Protocol string // http1 | auto | h2 | h2c
	// ProxyProtocol is the version of the PROXY protocol's header that targets are sent, 0 for none.
	ProxyProtocol int
}

// Breaker says when a target is left alone because calls to it fail.
type Breaker struct {
	Failures float64 // share of the calls in the window, 0 to 1
	MinCalls int     // in the window, before anything is judged
	Window   time.Duration
	OpenFor  time.Duration
	Slow     float64 // times the others' mean to the first byte; 0: slow targets stay
}

// Target is one server of an upstream: http://host:port/prefix, https://..., or unix:/path.sock.
type Target struct {
	URL    string
	Weight int
}

// HeaderRules change the request sent upstream, in the order remove, set, add.
type HeaderRules struct {
	Set    map[string]string
	Add    map[string]string
	Remove []string
}

// Timeouts are the limits of one attempt (Total: of the call). Zero means off.
type Timeouts struct {
	Connect   time.Duration
	Send      time.Duration
	FirstByte time.Duration
	Idle      time.Duration
	Total     time.Duration
}

// Retries says what may be repeated.
type Retries struct {
	Max     int
	On      []string // connect, reset_before_response, or a status
	Budget  float64  // 0.2 for 20%
	Backoff time.Duration
}

// Health is an active check of each target.
type Health struct {
	Type           string        // http | tcp | tls | grpc
	Path           string        // of http
	Service        string        // of grpc; "" for the server as a whole
	MinValidity    time.Duration // of tls: a certificate in use that ends sooner is bad
	Interval       time.Duration
	Timeout        time.Duration
	HealthyAfter   int
	UnhealthyAfter int
	StatusFrom     int
	StatusTo       int
}

// UpstreamTLS is how https targets are verified.
type UpstreamTLS struct {
	CAFile             string
	ServerName         string
	InsecureSkipVerify bool
	CertFile           string // the gateway's own certificate for this upstream; "" for none
	KeyFile            string
	MinVersion         string     // "1.2" | "1.3"
	Pins               [][32]byte // SHA-256 of public keys (SPKI), one of which must be met; none = any
}

// Policies guard a service.
type Policies struct {
	RateLimit *RateLimit
	IPAllow   []netip.Prefix // nil: everyone
	BodyLimit int64          // 0: server.max_body alone
	Cache     *ServiceCache  // nil: no answers are kept
}

// RateLimit is a number of requests in a time, counted by application, address, header or for
// the whole service.
type RateLimit struct {
	Requests int
	Per      time.Duration
	By       string // application | ip | header:NAME | service
}

// Application is a caller.
type Application struct {
	Name       string
	Team       string
	Details    string // auto | full | safe
	Keys       []CallerKey
	Subscribes []string // "orders", "models/fast", "models/openai/*", "models/*"
	Limits     Limits
	Guardrails []string // names
	// Certificates let it in where it sends no key.
	Certificates []CallerCertificate
}

// CallerKey is a key that lets an application in: kept only as a hash.
type CallerKey struct {
	SHA256  [32]byte
	Expires time.Time // zero: never
}
