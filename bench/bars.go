package main

import (
	"fmt"
	"io"
	"time"

	"causeway/bench/load"
	"causeway/bench/rig"
	"causeway/bench/stats"
)

// bar is a promise and what was found of it.
type bar struct {
	Name  string  `json:"name"`
	Limit string  `json:"limit"`
	Found string  `json:"found"`
	Met   bool    `json:"met"`
	Why   string  `json:"why,omitempty"` // what the figure alone does not say
	Value float64 `json:"value"`         // what the limit is compared with: an interval's upper end
}

// The bars.
const (
	mostREST      = 1.2   // x nginx, CPU per request
	mostChat      = 1.5   // x nginx, CPU per request
	mostSSE       = 1.5   // x nginx, CPU per event
	mostTLS       = 1.5   // x nginx, CPU per request on kept-alive connections
	mostP99       = 200.0 // us above HAProxy's
	mostCrossed   = 3.0   // x nginx passing a chat on, CPU per translated request
	mostCrossedUs = 10.0  // us of CPU for a translated event
	mostFirst     = 500.0 // us added to the time to the first token, p99
	mostEach      = 32 << 10
	mostDelay     = 100 * time.Millisecond // of an event of many streams: longer is a stall
	mostIdle      = 50 << 20
	mostHeld      = 100 << 20
	leastInterval = 0.95
	fullCPU       = 0.8 // of its core, at least, is what "at full CPU" means
)

// judge compares what was found of the subject with the bars; a bar whose part was not measured is
// not in the list.
func (r *report) judge() {
	if r.Subject == "" {
		return
	}
	for _, row := range r.Rows {
		switch {
		case row.Conns != barConns:
		case row.Kind == closedLoop && row.Mode == load.REST1K:
			r.judgeRatio(row, "CPU per request, REST 1 KB", mostREST)
		case row.Kind == closedLoop && row.Mode == load.TLS:
			r.judgeRatio(row, "CPU per request over TLS, REST 1 KB", mostTLS)
		case row.Kind == closedLoop && row.Mode == load.Chat:
			r.judgeRatio(row, "CPU per request, chat completions", mostChat)
		case row.Kind == closedLoop && row.Mode == load.Crossed:
			r.judgeRatio(row, "CPU per request, chat translated to Messages", mostCrossed)
		case row.Kind == fullSpeed:
			subject := row.find(r.Subject)
			r.judgeEstimate(row, bar{Name: fmt.Sprintf("CPU per translated event, full speed, %d connections", row.Conns), Limit: fmt.Sprintf("%.0f us", mostCrossedUs)},
				&subject.CPU, mostCrossedUs, "%.1f us [%.1f-%.1f]")
		case row.Kind == firstToken:
			subject := row.find(r.Subject)
			r.judgeEstimate(row, bar{Name: fmt.Sprintf("added p99 to the first token, %s", title(row.Mode)), Limit: fmt.Sprintf("%.0f us", mostFirst)},
				subject.AddedP99, mostFirst, "%.0f us [%.0f-%.0f]")
		case row.Kind == paced && row.Mode == load.SSE:
			r.judgeRatio(row, "CPU per event, SSE", mostSSE)
		case row.Kind == fixedRate:
			r.judgeLatency(row)
		}
	}
	for i := range r.Streams {
		r.judgeStreams(&r.Streams[i])
	}
	for _, m := range r.Memory {
		if m.Name != r.Subject {
			continue
		}
		r.judgeMemory("idle memory", m.Idle, mostIdle, 0)
		r.judgeMemory(fmt.Sprintf("memory with %d idle connections", m.Conns), m.Held, mostHeld, m.Closed)
	}
	if t := r.Truncated; t != nil {
		bad := t.Run.Bad()
		b := bar{
			Name: fmt.Sprintf("truncated of %d streamed answers at full CPU", t.Run.Answers+bad), Limit: "0",
			Found: fmt.Sprintf("%d truncated, %d otherwise bad, at %.0f %% of the core", t.Run.Truncated, bad-t.Run.Truncated, 100*t.busy()),
			Value: float64(bad), Met: bad == 0 && t.Run.Answers > 0,
		}
		if t.busy() < fullCPU {
			b.Why = "something else, or the load, kept it from all of its core"
		}
		r.Bars = append(r.Bars, b)
	}
}

func (r *report) judgeStreams(s *streamsResult) {
	bad := s.Run.Bad()
	stall := bar{
		Name: fmt.Sprintf("longest delay of an event, %d streams at once, %s", s.Many, title(s.Mode)), Limit: mostDelay.String(),
		Found: s.Run.EventDelay.Max.Round(100 * time.Microsecond).String(), Value: micros(s.Run.EventDelay.Max), Met: bad == 0 && s.Run.EventDelay.Max <= mostDelay,
	}
	if bad > 0 {
		stall.Why = fmt.Sprintf("%d bad answers", bad)
	}
	r.Bars = append(r.Bars, stall, bar{
		Name: fmt.Sprintf("memory of each stream, %s", title(s.Mode)), Limit: fmt.Sprintf("%d KiB", mostEach>>10),
		Found: fmt.Sprintf("%.1f KiB", float64(s.each())/1024), Value: float64(s.each()), Met: s.each() < mostEach,
	})
}

func (r *report) judgeRatio(row *rowResult, name string, limit float64) {
	subject := row.find(r.Subject)
	r.judgeEstimate(row, bar{Name: fmt.Sprintf("%s, %d connections", name, row.Conns), Limit: fmt.Sprintf("%.1f x nginx", limit)},
		subject.ToNginx, limit, "%.2f [%.2f-%.2f]")
}

func (r *report) judgeLatency(row *rowResult) {
	above := row.each(r.Subject, rig.HAProxy, func(own, haproxy load.Result) float64 {
		return micros(own.Latency.P99 - haproxy.Latency.P99)
	})
	r.judgeEstimate(row, bar{Name: fmt.Sprintf("added p99 above HAProxy's, %s, %d connections", row.Mode, row.Conns), Limit: fmt.Sprintf("%.0f us", mostP99)},
		above, mostP99, "%.0f us [%.0f-%.0f]")
}

// judgeEstimate holds an interval's upper end against a limit.
func (r *report) judgeEstimate(row *rowResult, b bar, e *stats.Estimate, limit float64, format string) {
	subject := row.find(r.Subject)
	b.Found, b.Value = fmt.Sprintf(format, e.Median, e.Low, e.High), e.High
	switch {
	case subject.Bad > 0:
		b.Why = fmt.Sprintf("%d bad answers", subject.Bad)
	case subject.Noisy != "":
		b.Why = "can't be judged: " + subject.Noisy
	case e.Confidence < leastInterval:
		b.Why = fmt.Sprintf("%d rounds are too few for a 95 %% interval", e.N)
		b.Met = e.High <= limit
	default:
		b.Met = e.High <= limit
	}
	r.Bars = append(r.Bars, b)
}

func (r *report) judgeMemory(name string, bytes, limit, closed int64) {
	b := bar{
		Name: name, Limit: fmt.Sprintf("%.0f MiB", mebibytes(limit)), Found: fmt.Sprintf("%.1f MiB", mebibytes(bytes)),
		Value: mebibytes(bytes), Met: bytes < limit && closed == 0,
	}
	if closed > 0 {
		b.Why = fmt.Sprintf("%d of the connections were closed", closed)
	}
	r.Bars = append(r.Bars, b)
}

func (b bar) verdict() string {
	verdict := "not met"
	if b.Met {
		verdict = "met"
	}
	if b.Why != "" {
		verdict += " (" + b.Why + ")"
	}
	return verdict
}

func (r *report) printBars(w io.Writer) {
	if len(r.Bars) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s against its bars (an interval counts with its upper end)\n", r.Subject)
	for _, b := range r.Bars {
		fmt.Fprintf(w, "  %-55s at most %-12s %-40s %s\n", b.Name, b.Limit, b.Found, b.verdict())
	}
}
