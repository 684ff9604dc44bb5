package faulty

import "time"

// Params tune a fault. Each fault looks only at those named in its Defaults; a zero value means
// the default.
type Params struct {
	// Delay is the pause before the answer, or before the misbehaviour.
	Delay time.Duration
	// Interval is the pause between the pieces of a slow answer.
	Interval time.Duration
	// Status is the status of a complete answer.
	Status int
	// Header are further header lines of a complete answer, without CRLF: "Retry-After: 7".
	Header []string
	// Body is the body of a complete answer.
	Body string
	// After is what goes well first: bytes of an upload, requests on a connection, tokens of a stream.
	After int64
	// Bytes is the size of what is too large.
	Bytes int64
	// Count is how many of what there are too many of, or how many pieces a slow answer has.
	Count int
	// Target is the address of another server, "127.0.0.1:8080".
	Target string
}

// or returns p with d's value wherever p has none.
func (p Params) or(d Params) Params {
	if p.Delay == 0 {
		p.Delay = d.Delay
	}
	if p.Interval == 0 {
		p.Interval = d.Interval
	}
	if p.Status == 0 {
		p.Status = d.Status
	}
	if p.Header == nil {
		p.Header = d.Header
	}
	if p.Body == "" {
		p.Body = d.Body
	}
	if p.After == 0 {
		p.After = d.After
	}
	if p.Bytes == 0 {
		p.Bytes = d.Bytes
	}
	if p.Count == 0 {
		p.Count = d.Count
	}
	if p.Target == "" {
		p.Target = d.Target
	}
	return p
}
