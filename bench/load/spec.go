// Package load is the benchmark's caller: raw sockets on one thread, in a closed loop (each
// connection sends its next call when its answer is whole) or at a fixed rate, checking every
// answer's status, framing, length and end. It reads the CPU clock of the processes it loads
// around exactly the calls it counts.
package load

import (
	"fmt"
	"net/netip"
	"time"

	"causeway/bench/answers"
)

// Mode is what is called.
type Mode string

// The modes.
const (
	REST1K  Mode = "rest1k"  // GET, 1 KB JSON answer
	REST64K Mode = "rest64k" // GET, 64 KB JSON answer
	Chat    Mode = "chat"    // POST of a chat body of about 1 KB, 1 KB JSON answer
	SSE     Mode = "sse"     // the same, answered by a stream of events
	// Chat and SSE of a model whose provider speaks Anthropic's dialect: a gateway translates request and answer, a proxy
	// passes them on to a provider of the caller's dialect.
	Crossed    Mode = "crossed"
	CrossedSSE Mode = "crossed-sse"
	// Over TLS 1.3, with an ECDSA P-256 certificate and X25519; see RunSecure.
	TLS       Mode = "tls"       // rest1k on kept-alive connections
	Handshake Mode = "handshake" // a new connection with a full handshake for each rest1k
	Resumed   Mode = "resumed"   // the same, resumed by a session ticket
)

// Spec is one run against one server.
type Spec struct {
	Addr  string `json:"addr"` // 127.0.0.1:PORT
	Mode  Mode   `json:"mode"`
	Conns int    `json:"conns"`
	Key   string `json:"key,omitempty"` // sent as Authorization: Bearer, to every server alike
	// Authority is a PEM file with what the server's certificate is verified with, for the modes over TLS.
	Authority string `json:"authority,omitempty"`
	// Events is the number of events that each stream must have, Done not counted.
	Events int `json:"events,omitempty"`
	// Warm is a time before Duration whose calls are in no latency, and in no other figure either
	// when Steady is set.
	Warm     time.Duration `json:"warm"`
	Duration time.Duration `json:"duration"`
	// Answers, when not 0, ends the run after that many answers, whatever Duration says.
	Answers int64 `json:"answers,omitempty"`
	// Rate, when not 0, is calls per second in an open loop: a call's latency counts from the
	// moment it was due, so that a server that stalls pays for every call it delayed.
	Rate float64 `json:"rate,omitempty"`
	// Steady counts CPU and answers between the end of Warm and the end of Duration only. Without
	// it they count from the first call to the last, and then CPU until the processes are quiet.
	Steady bool `json:"steady,omitempty"`
	// Stagger spreads the first calls evenly over this time.
	Stagger time.Duration `json:"stagger,omitempty"`
	// PIDs are the processes whose CPU time counts, and Core the core that they run on, so that what
	// others did there can be told.
	PIDs []int `json:"pids,omitempty"`
	Core int   `json:"core,omitempty"`
	// Quiet is how long the processes must do (almost) nothing before work after the last answer,
	// such as a log written in the background, counts as finished; 0 does not wait.
	Quiet time.Duration `json:"quiet,omitempty"`
	// Hold opens the connections, makes one call on each and keeps them idle: see Hold.
	Hold bool `json:"hold,omitempty"`
}

// Result is what one run found. Durations are nanoseconds in JSON.
type Result struct {
	Answers int64 `json:"answers"` // whole and right
	Events  int64 `json:"events"`  // of streams, in whole and broken ones
	Reads   int64 `json:"reads"`   // reads that brought stream data: Events/Reads tells how far events were joined
	// Wrong answers: another status or length, or not HTTP. Truncated ones ended early, or without
	// Done. Closed: the connection ended before an answer's first byte. Stuck: no end within 10 s
	// of the last call.
	Wrong      int64         `json:"wrong"`
	Truncated  int64         `json:"truncated"`
	Closed     int64         `json:"closed"`
	Stuck      int64         `json:"stuck"`
	Unsent     int64         `json:"unsent"`     // in an open loop: due before the end, but no connection was free
	Reconnects int64         `json:"reconnects"` // connections closed by the server between two calls
	Example    string        `json:"example,omitempty"`
	Elapsed    time.Duration `json:"elapsed"`   // the time that Answers, Events and CPU belong to
	CPU        time.Duration `json:"cpu"`       // of PIDs, while the calls ran
	CPUAfter   time.Duration `json:"cpu_after"` // of PIDs, from the last answer until quiet
	NeverQuiet bool          `json:"not_quiet"` // still busy when the wait was given up
	// Lost is the share of its time in which the load itself did not run, when it never sleeps, and
	// Foreign about the share of the processes' core that others used: both near 0 on a machine
	// that does nothing else, and small enough to forget below Disturbed.
	Lost       float64   `json:"lost"`
	Foreign    float64   `json:"foreign"`
	Latency    Quantiles `json:"latency"`     // of whole answers
	EventDelay Quantiles `json:"event_delay"` // of events, from the upstream's write to our read
	FirstEvent Quantiles `json:"first_event"` // of streams, from the call to the first event with text
}

// Bad is the number of calls that did not get a right and whole answer.
func (r *Result) Bad() int64 { return r.Wrong + r.Truncated + r.Closed + r.Stuck }

// Disturbed is whether something else on the machine took enough of the two cores to move the figures.
func (r *Result) Disturbed() bool { return r.Lost > 0.05 || r.Foreign > 0.10 }

// Quantiles sum up a histogram.
type Quantiles struct {
	P50  time.Duration `json:"p50"`
	P90  time.Duration `json:"p90"`
	P99  time.Duration `json:"p99"`
	P999 time.Duration `json:"p999"`
	Max  time.Duration `json:"max"`
}

// want is what the spec's answers must be.
type want struct {
	request []byte
	length  int64
	stream  bool
	events  int
	crossed bool // the answer may be longer than length, and its events stand wherever they stand
}

func (s *Spec) check() (netip.AddrPort, want, error) {
	addr, err := netip.ParseAddrPort(s.Addr)
	if err != nil || !addr.Addr().Is4() {
		return addr, want{}, fmt.Errorf("the address %q is not an IPv4 address and port", s.Addr)
	}
	if s.Conns < 1 {
		return addr, want{}, fmt.Errorf("%d connections: at least one is needed", s.Conns)
	}
	w := want{}
	switch s.Mode {
	case REST1K, TLS, Handshake, Resumed:
		w.request, w.length = s.get(answers.PathREST1K), answers.SizeREST1K
	case REST64K:
		w.request, w.length = s.get(answers.PathREST64K), answers.SizeREST64K
	case Chat:
		w.request, w.length = s.post(answers.ChatRequest(answers.CallerModel, false)), answers.SizeChat
	case SSE:
		w.request, w.length = s.post(answers.ChatRequest(answers.CallerModel, true)), answers.StreamLength(s.Events)
		w.stream, w.events = true, s.Events
	case Crossed:
		w.request, w.length, w.crossed = s.post(answers.ChatRequest(answers.CrossModel, false)), answers.MessageText, true
	case CrossedSSE:
		w.request, w.length = s.post(answers.ChatRequest(answers.CrossModel, true)), int64(s.Events)*answers.StampSize
		w.stream, w.events, w.crossed = true, s.Events, true
	default:
		return addr, w, fmt.Errorf("unknown mode %q", s.Mode)
	}
	return addr, w, nil
}

func (s *Spec) get(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\n" + s.headers("*/*") + "\r\n")
}

func (s *Spec) post(body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		answers.PathChat, s.headers("application/json"), len(body), body)
}

// headers are those of an ordinary client.
func (s *Spec) headers(accept string) string {
	h := "Host: " + s.Addr + "\r\nUser-Agent: causeway-bench/1\r\nAccept: " + accept + "\r\n"
	if s.Key != "" {
		h += "Authorization: Bearer " + s.Key + "\r\n"
	}
	return h
}
