package admin

import (
	"encoding/hex"
	"math"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// CallSummary is a call as a list shows it.
type CallSummary struct {
	ID          string   `json:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The call's id, the Causeway-Call-Id of its answer."`
	Time        string   `json:"time" format:"date-time" example:"2026-11-23T04:05:06.789Z" doc:"When the first byte of its head had come."`
	Method      string   `json:"method" example:"POST" doc:"The request's method."`
	Host        string   `json:"host,omitempty" example:"api.example.com" doc:"The host it asked for."`
	Path        string   `json:"path" example:"/orders/7" doc:"The path as the caller sent it. The query is never kept."`
	Service     string   `json:"service,omitempty" example:"orders" doc:"The service it matched. Missing: none."`
	Route       string   `json:"route,omitempty" example:"/orders/*" doc:"The route's pattern."`
	Application string   `json:"application,omitempty" example:"web" doc:"Who called. Missing: unknown, or not asked."`
	Provider    string   `json:"provider,omitempty" example:"openai" doc:"The provider that was asked."`
	Model       string   `json:"model,omitempty" example:"fast" doc:"The model as the caller named it."`
	TargetModel string   `json:"target_model,omitempty" example:"gpt-4o-mini" doc:"The model that the provider was asked for."`
	Status      int      `json:"status" example:"502" doc:"What the caller got. 0: the caller left before any answer."`
	Kind        string   `json:"kind,omitempty" example:"connection_refused" doc:"How it failed. Missing: it did not."`
	Cause       string   `json:"cause,omitempty" enum:"overload,configuration,network,software,incompatible_change,caller,gateway" example:"software" doc:"The class of the failure's cause."`
	DurationMS  float64  `json:"duration_ms" example:"12.3" doc:"From the first byte of the request to the last of the answer."`
	FirstByteMS float64  `json:"first_byte_ms,omitempty" example:"11.8" doc:"Until the first byte of the answer went to the caller. Missing: none went."`
	BytesIn     int64    `json:"bytes_in" example:"300" doc:"Bytes of the request's body."`
	BytesOut    int64    `json:"bytes_out" example:"1024" doc:"Bytes of the answer's body."`
	AttemptNum  int      `json:"attempt_count" example:"1" doc:"How many attempts were made at upstreams."`
	Stream      bool     `json:"stream,omitempty" doc:"The answer was a stream of events."`
	Cut         bool     `json:"cut,omitempty" doc:"The answer broke after its head was sent."`
	UsageSource string   `json:"usage_source,omitempty" enum:"reported,partial,counted,cached" example:"reported" doc:"Where the numbers of tokens are from: a complete answer; a stream that broke; the gateway's own count; an answer that was kept, for which nothing was used. Missing: nothing is known."`
	CostUSD     *float64 `json:"cost_usd,omitempty" example:"0.0125" doc:"What it cost, in US dollars. Missing: not known."`
}

// Call is a call with everything that is kept of it.
type Call struct {
	CallSummary
	Remote       string    `json:"remote,omitempty" example:"192.0.2.7" doc:"The caller's address, after trusted proxies."`
	Protocol     string    `json:"protocol,omitempty" example:"HTTP/1.1" doc:"How the caller spoke to the gateway."`
	TLS          bool      `json:"tls" doc:"Whether over TLS."`
	Dialect      string    `json:"dialect,omitempty" example:"openai" doc:"The LLM dialect of the call. Missing: a REST call."`
	TraceID      string    `json:"trace_id,omitempty" example:"4bf92f3577b34da6a3ce929d0e0e4736" doc:"The W3C trace that the upstream was told."`
	Generation   uint64    `json:"generation" example:"3" doc:"The configuration that was in force."`
	Timings      Timings   `json:"timings" doc:"Where the time went."`
	Attempts     []Attempt `json:"attempts" nullable:"false" doc:"The attempts at upstreams, in order."`
	RPC          *RPC      `json:"rpc,omitempty" doc:"What a gRPC call shows beside HTTP's own. Missing: it is none."`
	Tunnel       *Tunnel   `json:"tunnel,omitempty" doc:"What passed after an upgrade, such as in a WebSocket. Missing: there was none."`
	Usage        *Usage    `json:"usage,omitempty" doc:"Tokens, as the provider reported them. Missing: none were reported."`
	Finding      *Finding  `json:"finding,omitempty" doc:"What went wrong. Missing: nothing."`
	GatewayHost  *Host     `json:"gateway_host,omitempty" doc:"What the gateway's own host was like, for a call that failed. Missing: not known, or it had nothing to do with it."`
	Cache        string    `json:"cache,omitempty" example:"hit (12 s old)" doc:"What a cache did with the call: hit, stale, stored, miss or bypass, and what else is known of it. Missing: none was asked."`
	Policies     []string  `json:"policies,omitempty" nullable:"false" doc:"Policies that changed the call or ended it."`
	Translation  []string  `json:"translation,omitempty" nullable:"false" example:"logit_bias was dropped" doc:"What was lost because caller and provider speak different dialects. Missing: nothing."`
	Notes        []Note    `json:"notes,omitempty" nullable:"false" doc:"What the gateway noted on the way."`
	RequestBody  *Body     `json:"request_body,omitempty" doc:"The request's body, cut and masked. Missing: not kept."`
	ResponseBody *Body     `json:"response_body,omitempty" doc:"The answer's body, cut and masked. Missing: not kept."`
}

// Timings are points on a call's way, in milliseconds since its start; a missing one was not reached.
type Timings struct {
	RoutedMS    float64 `json:"routed_ms,omitempty" example:"0.05" doc:"The service or model was found."`
	AdmittedMS  float64 `json:"admitted_ms,omitempty" example:"0.08" doc:"The key and every policy had passed."`
	FirstByteMS float64 `json:"first_byte_ms,omitempty" example:"11.8" doc:"The first byte of the answer went to the caller."`
	TotalMS     float64 `json:"total_ms" example:"12.3" doc:"The call had ended."`
}

// Usage is what a provider said a call used.
type Usage struct {
	Input      *int64 `json:"input_tokens,omitempty" example:"12" doc:"Tokens read, cached ones included."`
	Output     *int64 `json:"output_tokens,omitempty" example:"34" doc:"Tokens written, reasoning included."`
	Cached     *int64 `json:"cached_tokens,omitempty" doc:"Of the input, read from the provider's cache."`
	CacheWrite *int64 `json:"cache_write_tokens,omitempty" doc:"Of the input, written to the provider's cache."`
	Reasoning  *int64 `json:"reasoning_tokens,omitempty" doc:"Of the output, not shown to the caller."`
	Source     string `json:"source" example:"reported" doc:"reported: by a complete answer; partial: by a stream that broke; counted: by the gateway, because the provider told nothing."`
}

// Note is one line left by a room of the gateway.
type Note struct {
	AtMS float64 `json:"at_ms" example:"0.06" doc:"Milliseconds since the call's start."`
	Room string  `json:"room" example:"choose" doc:"Which part of the gateway noted it."`
	Text string  `json:"text" example:"http://127.0.0.1:9001 was skipped: unhealthy" doc:"What."`
}

// Body is a kept body: text where it is text, else base64.
type Body struct {
	Text   string `json:"text,omitempty" doc:"The body, where it is UTF-8."`
	Base64 []byte `json:"base64,omitempty" doc:"The body, where it is not."`
}

// Finding is what is said of a failed call.
type Finding struct {
	Kind           string   `json:"kind" example:"connection_refused" doc:"The failure's stable name."`
	Title          string   `json:"title" example:"The upstream refused the connection" doc:"The kind in words."`
	Cause          string   `json:"cause" enum:"overload,configuration,network,software,incompatible_change,caller,gateway" example:"software" doc:"The class of the cause."`
	Confidence     string   `json:"confidence,omitempty" enum:"high,likely,possible" example:"high" doc:"How sure this is."`
	Pattern        string   `json:"pattern,omitempty" example:"crashed" doc:"The stable word for what tells this failure from its twins. Missing: nothing does."`
	Because        string   `json:"because,omitempty" doc:"The reasoning behind cause and pattern."`
	Check          string   `json:"check,omitempty" doc:"The one thing to look at that would settle it."`
	Warning        string   `json:"warning,omitempty" doc:"What repeating the call may do twice."`
	Detail         string   `json:"detail" example:"orders: 127.0.0.1:9001 refused the TCP connection after 0.2 ms; nothing listens there." doc:"What happened, with addresses and numbers."`
	Status         int      `json:"status,omitempty" example:"502" doc:"The status that the failure led to."`
	ReceivedStatus int      `json:"received_status,omitempty" doc:"The status that an upstream sent. Missing: none."`
	Passed         bool     `json:"passed,omitempty" doc:"The upstream's own answer went to the caller; the finding only comments on it."`
	Retry          string   `json:"retry" enum:"safe,may_repeat,no" example:"safe" doc:"Whether to repeat the call: safe, may_repeat (work may be done or billed twice), or no."`
	RetryAfterMS   int64    `json:"retry_after_ms,omitempty" example:"500" doc:"After how long. Missing: not known."`
	Evidence       []string `json:"evidence" nullable:"false" doc:"What was observed."`
	RuledOut       []string `json:"ruled_out,omitempty" nullable:"false" doc:"What it was not, and why."`
	Advice         []string `json:"advice" nullable:"false" doc:"What the operator can do."`
	CallerAdvice   []string `json:"caller_advice" nullable:"false" doc:"What the caller can do."`
	Page           string   `json:"page" example:"http://127.0.0.1:8080/.causeway/failures/connection_refused" doc:"The page about this kind, on the gateway."`
}

func summaryView(j *journey.Journey) CallSummary {
	v := CallSummary{
		ID:          j.ID.String(),
		Time:        stamp(j.Start),
		Method:      j.Method,
		Host:        j.Host,
		Path:        j.Path,
		Service:     j.Service,
		Route:       j.Route,
		Application: j.Application,
		Provider:    j.Provider,
		Model:       j.Model,
		TargetModel: j.TargetModel,
		Status:      j.Status,
		DurationMS:  millis(j.Total),
		FirstByteMS: millis(j.FirstByte),
		BytesIn:     j.BytesIn,
		BytesOut:    j.BytesOut,
		AttemptNum:  len(j.Attempts),
		Stream:      j.Stream,
		Cut:         j.Cut,
	}
	if j.Finding != nil {
		v.Kind, v.Cause = string(j.Finding.Kind), string(j.Finding.Cause)
	}
	v.UsageSource = j.Usage.Source
	if j.Usage.Priced {
		cost := float64(j.Usage.Cost) / 1e9
		v.CostUSD = &cost
	}
	return v
}

// lossOf tells whether a note says that something was lost between two dialects.
func lossOf(n *journey.Note) bool {
	if n.Room != "translate" {
		return false
	}
	for _, word := range [...]string{" was dropped", " was approximated", " was emulated"} {
		if strings.Contains(n.Text, word) {
			return true
		}
	}
	return false
}

func (a *api) callView(j *journey.Journey) Call {
	v := Call{
		CallSummary: summaryView(j),
		Remote:      j.Remote,
		Protocol:    j.Protocol,
		TLS:         j.TLS,
		Dialect:     j.Dialect,
		GatewayHost: hostView(j.GatewayHost),
		Generation:  j.Generation,
		Timings: Timings{
			RoutedMS:    millis(j.Routed),
			AdmittedMS:  millis(j.Admitted),
			FirstByteMS: millis(j.FirstByte),
			TotalMS:     millis(j.Total),
		},
		Attempts:     make([]Attempt, 0, len(j.Attempts)),
		RPC:          rpcView(j.RPC),
		Tunnel:       tunnelView(j.Attempts),
		Usage:        usageView(j.Usage),
		Cache:        j.Cache,
		Policies:     j.Policies,
		RequestBody:  bodyView(j.RequestBody),
		ResponseBody: bodyView(j.ResponseBody),
	}
	if j.Trace != [16]byte{} {
		v.TraceID = hex.EncodeToString(j.Trace[:])
	}
	for i := range j.Attempts {
		v.Attempts = append(v.Attempts, attemptView(&j.Attempts[i]))
	}
	if j.Finding != nil {
		v.Finding = findingView(j.Finding, a.Info.GatewayURL)
	}
	for i := range j.Notes {
		if n := &j.Notes[i]; lossOf(n) {
			v.Translation = append(v.Translation, n.Text)
		}
	}
	for _, n := range j.Notes {
		v.Notes = append(v.Notes, Note{AtMS: millis(n.At), Room: n.Room, Text: n.Text})
	}
	return v
}

// findingView adds to a finding what the catalogue says of its kind.
func findingView(f *fault.Finding, gateway string) *Finding {
	v := &Finding{
		Kind:           string(f.Kind),
		Title:          string(f.Kind),
		Cause:          string(f.Cause),
		Confidence:     f.Confidence,
		Pattern:        f.Pattern,
		Because:        f.Because,
		Check:          f.Check,
		Warning:        f.Warning,
		Detail:         f.Detail,
		Status:         f.Status,
		ReceivedStatus: f.ReceivedStatus,
		Passed:         f.Passed,
		Retry:          string(f.Retry),
		RetryAfterMS:   f.RetryAfterMS,
		Evidence:       list(f.Evidence),
		RuledOut:       f.RuledOut,
		Advice:         list(f.Advice),
		CallerAdvice:   list(f.CallerAdvice),
		Page:           gateway + fault.FailuresPath + string(f.Kind),
	}
	if v.Detail == "" {
		v.Detail = f.SafeDetail
	}
	// A kind of a later version, in a record that it wrote, is not in this catalogue.
	if e := fault.Lookup(f.Kind); e != nil {
		v.Title = e.Title
		if len(f.Advice) == 0 {
			v.Advice = list(e.OperatorAdvice)
		}
		if len(f.CallerAdvice) == 0 {
			v.CallerAdvice = list(e.CallerAdvice)
		}
	}
	return v
}

func usageView(u journey.Usage) *Usage {
	if u.Source == "" {
		return nil
	}
	count := func(n int64) *int64 {
		if n < 0 {
			return nil
		}
		return &n
	}
	return &Usage{
		Input:      count(u.Input),
		Output:     count(u.Output),
		Cached:     count(u.Cached),
		CacheWrite: count(u.CacheWrite),
		Reasoning:  count(u.Reasoning),
		Source:     u.Source,
	}
}

func bodyView(b []byte) *Body {
	switch {
	case len(b) == 0:
		return nil
	case utf8.Valid(b):
		return &Body{Text: string(b)}
	default:
		return &Body{Base64: b}
	}
}

// millis is a duration in milliseconds, to the microsecond.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

// list makes nil an empty list: in JSON a member that is always there is easier to read.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// withoutUser takes user information out of a target's address: it may be a password.
func withoutUser(target string) string {
	if !strings.Contains(target, "@") {
		return target
	}
	u, err := url.Parse(target)
	if err != nil {
		return target[strings.LastIndexByte(target, '@')+1:]
	}
	u.User = nil
	return u.String()
}
