package drill

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// seen is how one call went.
type seen struct {
	good    bool
	status  int
	took    time.Duration
	endless bool
	call    *journey.Journey // nil where it has no record
}

// caller makes the calls of a drill.
type caller struct {
	client *http.Client
	base   string
	key    string
	record func(ctx context.Context, id string) (*journey.Journey, error)
	slots  chan struct{}
}

// most is the number of calls at a time.
const most = 64

func newCaller(base, key string, record func(context.Context, string) (*journey.Journey, error)) *caller {
	return &caller{
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, Proxy: nil},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		base: base, key: key, record: record, slots: make(chan struct{}, most),
	}
}

// calls makes n calls at once, or one after the other.
func (c *caller) calls(ctx context.Context, u *unit, n int, inTurn bool, patience time.Duration) []seen {
	out := make([]seen, n)
	var wg sync.WaitGroup
	for i := range out {
		if inTurn {
			out[i] = c.call(ctx, u, patience)
			continue
		}
		wg.Go(func() { out[i] = c.call(ctx, u, patience) })
	}
	wg.Wait()
	return out
}

// call makes one call.
func (c *caller) call(ctx context.Context, u *unit, patience time.Duration) (s seen) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return seen{}
	}
	defer func() { <-c.slots }()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rq, err := c.request(limited, u)
	if err != nil {
		return seen{}
	}
	began := time.Now()
	id := ""
	res, err := c.client.Do(rq)
	var body []byte
	if err == nil {
		s.status, id = res.StatusCode, res.Header.Get("Causeway-Call-Id")
		body, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
		_ = res.Body.Close()
	}
	s.took = time.Since(began)
	s.endless = err != nil && limited.Err() != nil && ctx.Err() == nil
	s.good = err == nil && s.status >= 200 && s.status < 300 && u.whole(body)
	if id != "" {
		// A call without a record is counted all the same: its status and time are known.
		s.call, _ = c.record(ctx, id)
	}
	return s
}

func (c *caller) request(ctx context.Context, u *unit) (*http.Request, error) {
	if u.subject.service == nil {
		body := fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":"drill"}]}`, u.name, u.trial.stream)
		rq, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		rq.Header.Set("Content-Type", "application/json")
		rq.Header.Set("Authorization", "Bearer "+c.key)
		return rq, nil
	}
	var body io.Reader
	if m := u.subject.method; m == "POST" || m == "PUT" || m == "PATCH" {
		body = strings.NewReader(`{"drill":true}`)
	}
	rq, err := http.NewRequestWithContext(ctx, u.subject.method, c.base+"/drill", body)
	if err != nil {
		return nil, err
	}
	rq.Host = u.host()
	return rq, nil
}

// whole tells whether the body of a good answer is what a good target says.
func (u *unit) whole(body []byte) bool {
	switch {
	case u.subject.service != nil:
		return u.subject.method == "HEAD" || bytes.HasPrefix(body, []byte("ok"))
	case u.trial.stream:
		return bytes.Contains(body, []byte("data: [DONE]"))
	}
	return bytes.Contains(body, []byte(`"choices":[`))
}

// hit tells whether a call has met a fault.
func (s *seen) hit() bool {
	if !s.good {
		return true
	}
	if s.call == nil {
		return false
	}
	for i := range s.call.Attempts {
		if a := &s.call.Attempts[i]; a.Kind != "" || a.Status >= 400 {
			return true
		}
	}
	return len(s.call.Attempts) > 1
}

// told is how long the call would have taken with the limits as configured, and the limit that it waited for.
func (s *seen) told(long stretch) (took time.Duration, limit string) {
	took = s.took
	if s.call == nil {
		return took, ""
	}
	for i := range s.call.Attempts {
		if a := &s.call.Attempts[i]; a.Limit != "" {
			took += long[a.Limit][a.LimitValue]
			limit = a.Limit
		}
	}
	return took, limit
}

// kind is how a lost call was told.
func (s *seen) kind() fault.Kind {
	if s.call == nil {
		return ""
	}
	if f := s.call.Finding; f != nil {
		return f.Kind
	}
	if n := len(s.call.Attempts); n > 0 {
		return s.call.Attempts[n-1].Kind
	}
	return ""
}

// outcome adds calls up.
func (u *unit) outcome(list []seen) *Outcome {
	o := &Outcome{Calls: len(list), Told: true}
	for i := range list {
		s := &list[i]
		if s.hit() {
			o.Hit++
		}
		took, limit := s.told(u.stretch)
		if ms := took.Milliseconds(); ms >= o.TookMS {
			o.TookMS, o.limit = ms, limit
		}
		o.Endless = o.Endless || s.endless
		if s.call != nil {
			n := len(s.call.Attempts)
			o.Attempts = max(o.Attempts, n)
			o.Repeated += max(0, n-1)
			o.Unsafe += u.unsafe(s.call)
		}
		if s.good {
			continue
		}
		if !s.endless && !u.names(s.kind()) {
			o.Told = false
		}
		if o.Lost++; o.Lost > 1 {
			continue
		}
		o.Status, o.Kind = s.status, s.kind()
		if s.call != nil {
			if f := s.call.Finding; f != nil {
				o.Retry = string(f.Retry)
			}
			if n := len(s.call.Attempts); n > 0 {
				o.Again = s.call.Attempts[n-1].Again
			}
		}
	}
	if o.Hit > 0 && o.Lost == 0 {
		o.By = "retry"
		if u.how == oneTarget {
			o.By = "failover"
		}
	}
	return o
}

// names tells whether a kind is the fault's, or what a breaker, a health check or a total limit makes of it.
func (u *unit) names(k fault.Kind) bool {
	f := u.trial.fault
	if k == f.Kind || f.Kind == "" {
		return true
	}
	for _, also := range f.Also {
		if k == also {
			return true
		}
	}
	switch k {
	case fault.BreakerOpen, fault.NoHealthyTarget, fault.TotalTimeout:
		return true
	}
	if u.subject.service != nil {
		return false
	}
	switch k { // a provider's trouble is told in a model's words
	case fault.ProviderError, fault.Overloaded:
		return f.Status >= 500 || f.Kind == fault.IncompatibleResponse && f.Status != 200
	case fault.TruncatedStream:
		return u.trial.late
	}
	return false
}

// unsafe counts the attempts after one that may have been worked on, of a call that is not safe to repeat.
func (u *unit) unsafe(j *journey.Journey) (n int) {
	if u.subject.service == nil {
		return 0 // a model's answer twice costs money, and is told so; it changes nothing
	}
	switch j.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return 0
	}
	for i := range j.Attempts[:max(0, len(j.Attempts)-1)] {
		a := &j.Attempts[i]
		e := fault.Lookup(a.Kind)
		if a.BytesOut > 0 && (e == nil || e.Again != fault.Always) && (a.HTTP2 == nil || !a.HTTP2.Unworked) {
			n++
		}
	}
	return n
}

// later sums up calls after a pause.
func (u *unit) later(list []seen) *Later {
	o := u.outcome(list)
	l := &Later{Calls: o.Calls, Hit: o.Hit, Lost: o.Lost, TookMS: o.TookMS}
	if o.Lost > 0 {
		return l
	}
	l.By = "failover"
	if s := u.subject.service; s != nil && o.Hit == 0 {
		switch {
		case s.Upstream.Health != nil:
			l.By = "health"
		case s.Upstream.Breaker != nil:
			l.By = "breaker"
		}
	}
	return l
}
