package fault

import (
	"fmt"
	"time"
)

// Call is one call as its explanation tells it: for the page and the JSON under CallsPath, and
// for causeway explain. Strings may hold any bytes; every rendering escapes them.
type Call struct {
	ID       string
	Time     time.Time // when it began
	Method   string
	Host     string
	Path     string // without query
	Protocol string

	Remote      string // the caller's address
	Application string // "" when it called without a key
	Service     string
	Route       string
	Provider    string
	Model       string

	Status    int           // what the caller got, 0 when it left before any answer
	Cut       bool          // the answer broke after its head was sent
	FirstByte time.Duration // from the start to the first answer byte sent, 0 when none was
	Total     time.Duration
	BytesIn   int64       // request body
	BytesOut  int64       // answer body
	RPC       *CallRPC    // nil for a call that is not gRPC's
	Tunnel    *CallTunnel // nil without an upgrade

	Attempts []CallAttempt
	Cache    string   // what a cache did with it, "" where none was asked
	Policies []string // policies that changed or ended the call
	Notes    []string // what the rooms of the gateway noted, in order
	Finding  *Finding // nil when nothing failed
}

// CallAttempt is one attempt of a Call.
type CallAttempt struct {
	Target  string
	Address string // of the connection used, "" when none stood
	Start   time.Duration
	Total   time.Duration
	Kind    Kind // "" when the attempt was good
	Status  int  // received, 0 when none was
	Reused  bool // on a kept-alive connection
	Phases  []PhaseTime
	Why     string // why another attempt followed, or did not
}

// CallRPC is what a gRPC call shows beside HTTP's own.
type CallRPC struct {
	Form    string        // "grpc", "grpc-web" or "grpc-web-text"
	Timeout time.Duration // the caller's deadline, 0 for none
	Ended   bool          // it ended with a status
	Code    Code
	Message string // grpc-message, decoded
	Own     bool   // the status is the gateway's own
}

// answer is verdict with the gRPC status, where the call has one.
func (c *Call) answer() string {
	if c.RPC == nil {
		return c.verdict()
	}
	return c.verdict() + ", " + c.RPC.verdict()
}

// verdict is the status in a line, as "UNAVAILABLE (14): the message".
func (p *CallRPC) verdict() string {
	if !p.Ended {
		return "no gRPC status"
	}
	s := "gRPC status " + p.Code.Label()
	if p.Message != "" {
		s += ": " + p.Message
	}
	return s
}

// PhaseTime is the time one phase of an attempt took. Names are "dns", "connect", "tls", "send",
// "wait", "read" and, after an upgrade, "tunnel".
type PhaseTime struct {
	Name string
	Took time.Duration
}

// outcome is what came of an attempt, in a word.
func (a *CallAttempt) outcome() string {
	switch {
	case a.Kind != "" && a.Status != 0:
		return fmt.Sprintf("%s (status %d)", a.Kind, a.Status)
	case a.Kind != "":
		return string(a.Kind)
	case a.Status != 0:
		return fmt.Sprintf("answered %d", a.Status)
	default:
		return "no answer"
	}
}

// verdict says what became of the call, in a line.
func (c *Call) verdict() string {
	switch {
	case c.Finding == nil:
		return fmt.Sprintf("answered %d", c.Status)
	case c.Status == 0:
		return "no answer reached the caller"
	case c.Cut:
		return fmt.Sprintf("%d, cut before its end", c.Status)
	default:
		return fmt.Sprint(c.Status)
	}
}

// AppendCall appends c as a JSON object to dst. The attempts' addresses, the notes and the
// policies are only in the full view; the finding's members are those of Members.
func AppendCall(dst []byte, c *Call, v View) []byte {
	v.CallID = c.ID
	o := object{dst: dst}
	o.open()
	o.str("id", c.ID)
	o.str("time", c.Time.UTC().Format(time.RFC3339Nano))
	o.str("method", c.Method)
	o.strIf("host", c.Host)
	o.str("path", c.Path)
	o.strIf("service", c.Service)
	o.strIf("route", c.Route)
	o.strIf("model", c.Model)
	o.strIf("application", c.Application)
	o.strIf("cache", c.Cache)
	if v.Full {
		o.strIf("provider", c.Provider)
		o.strIf("remote", c.Remote)
	}
	o.num("status", int64(c.Status))
	o.boolean("cut", c.Cut)
	if c.RPC != nil {
		o.rpc(c.RPC)
	}
	if c.Tunnel != nil {
		o.tunnel(c.Tunnel)
	}
	o.ms("duration_ms", millis(c.Total))
	if c.FirstByte > 0 {
		o.ms("first_byte_ms", millis(c.FirstByte))
	}
	o.num("request_bytes", c.BytesIn)
	o.num("response_bytes", c.BytesOut)
	if v.Full {
		o.strs("policies", c.Policies)
		o.strs("notes", c.Notes)
	}
	o.callAttempts(c.Attempts, v.Full)
	if c.Finding != nil {
		o.name("finding")
		o.dst = Members(o.dst, c.Finding, v)
		if v.Full {
			o.strs("ruled_out", c.Finding.RuledOut)
			o.strIf("confidence", c.Finding.Confidence)
		}
	}
	o.close()
	return append(o.dst, '\n')
}

func (o *object) rpc(p *CallRPC) {
	o.name("rpc")
	m := object{dst: o.dst}
	m.open()
	m.str("form", p.Form)
	if p.Timeout > 0 {
		m.ms("timeout_ms", millis(p.Timeout))
	}
	if p.Ended {
		m.num("code", int64(p.Code))
		m.str("status", p.Code.String())
		m.strIf("message", p.Message)
		m.boolean("own", p.Own)
	}
	m.close()
	o.dst = m.dst
}

func (o *object) callAttempts(list []CallAttempt, full bool) {
	o.name("attempts")
	o.dst = append(o.dst, '[')
	for i := range list {
		a := &list[i]
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		m := object{dst: o.dst}
		m.open()
		if full {
			m.str("target", a.Target)
			m.strIf("address", a.Address)
		}
		m.ms("start_ms", millis(a.Start))
		m.ms("ms", millis(a.Total))
		m.strIf("kind", string(a.Kind))
		if a.Status != 0 {
			m.num("status", int64(a.Status))
		}
		m.boolean("reused", a.Reused)
		m.name("phases")
		p := object{dst: m.dst}
		p.open()
		for _, t := range a.Phases {
			p.ms(t.Name+"_ms", millis(t.Took))
		}
		p.close()
		m.dst = p.dst
		if full {
			m.strIf("why", a.Why)
		}
		m.close()
		o.dst = m.dst
	}
	o.dst = append(o.dst, ']')
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
