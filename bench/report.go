package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"causeway/bench/load"
	"causeway/bench/rig"
	"causeway/bench/stats"
)

// report is everything that a benchmark found.
type report struct {
	Command   string           `json:"command"`
	Plan      summary          `json:"plan"`
	Facts     facts            `json:"facts"`
	Subject   string           `json:"subject"` // whom the bars judge; "" for nobody
	Rows      []*rowResult     `json:"rows"`
	Memory    []memoryResult   `json:"memory"`
	Streams   []streamsResult  `json:"streams,omitempty"`
	Truncated *truncatedResult `json:"truncated,omitempty"`
	Bars      []bar            `json:"bars"`
}

// rowResult is what one row found.
type rowResult struct {
	Kind    kind            `json:"kind"`
	Mode    load.Mode       `json:"mode"`
	Conns   int             `json:"conns"`
	Rate    float64         `json:"rate,omitempty"` // calls per second, of a fixed rate
	Repeats int             `json:"repeats"`        // of runs that something else on the machine disturbed
	Targets []*targetResult `json:"targets"`
}

// targetResult is what one row found of one target: medians over the rounds.
type targetResult struct {
	Name string `json:"name"`
	// CPU is microseconds per call, or per event of a stream; After is the share of it that was
	// used after the last answer. Both are 0 for direct.
	CPU        stats.Estimate  `json:"cpu_us"`
	After      float64         `json:"after_share"`
	ToNginx    *stats.Estimate `json:"to_nginx,omitempty"` // CPU divided by nginx's in the same round
	PerSecond  float64         `json:"per_second"`         // calls, or events
	P50        float64         `json:"p50_us"`
	P99        float64         `json:"p99_us"`
	AddedP50   *stats.Estimate `json:"added_p50_us,omitempty"` // over direct in the same round
	AddedP99   *stats.Estimate `json:"added_p99_us,omitempty"`
	PeakMemory int64           `json:"peak_memory"`
	Joined     float64         `json:"events_per_read,omitempty"` // 1: every event came alone
	Bad        int64           `json:"bad"`
	Example    string          `json:"example,omitempty"`
	Noisy      string          `json:"noisy,omitempty"` // why the figures are not to be trusted
	Runs       []load.Result   `json:"runs"`
}

// memoryResult is what one proxy takes; nginx is its worker alone.
type memoryResult struct {
	Name     string `json:"name"`
	Idle     int64  `json:"idle"`      // just started
	Conns    int    `json:"conns"`     // that are held open, idle after one call each
	Held     int64  `json:"held"`      // with them
	HeldPeak int64  `json:"held_peak"` // the most until then
	Closed   int64  `json:"closed"`    // connections that it closed meanwhile
}

// streamsResult is what many streams at once found of the subject.
type streamsResult struct {
	Name       string      `json:"name"`
	Mode       load.Mode   `json:"mode"`
	Few        int         `json:"few"`  // streams before
	Many       int         `json:"many"` // streams at once
	FewMemory  int64       `json:"few_memory"`
	ManyMemory int64       `json:"many_memory"` // while they ran, the median as of FewMemory
	Run        load.Result `json:"run"`         // of the many
}

// each is the memory of each stream more, in bytes.
func (s *streamsResult) each() int64 { return (s.ManyMemory - s.FewMemory) / int64(s.Many-s.Few) }

func (s *streamsResult) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d streams at once (%s) through %s: %.0f events/s, delay p50 %v, p99 %v, most %v; %d bad; %.1f KiB for each stream more\n",
		s.Many, s.Mode, s.Name, float64(s.Run.Events)/s.Run.Elapsed.Seconds(), s.Run.EventDelay.P50, s.Run.EventDelay.P99, s.Run.EventDelay.Max, s.Run.Bad(), float64(s.each())/1024)
	if s.Run.Example != "" {
		fmt.Fprintln(w, " ", s.Run.Example)
	}
}

type truncatedResult struct {
	Name string      `json:"name"`
	Run  load.Result `json:"run"`
}

func (r *rowResult) find(name string) *targetResult {
	if i := slices.IndexFunc(r.Targets, func(t *targetResult) bool { return t.Name == name }); i >= 0 {
		return r.Targets[i]
	}
	return nil
}

// unit is what CPU counts by.
func (r *rowResult) unit(run load.Result) int64 {
	if r.Kind == paced || r.Kind == fullSpeed {
		return run.Events
	}
	return run.Answers
}

// cost is a run's CPU in microseconds per unit, with what came after its last answer.
func (r *rowResult) cost(run load.Result) float64 {
	return micros(run.CPU+run.CPUAfter) / float64(max(r.unit(run), 1))
}

// times are the quantiles that the row is about: of a stream its events' delay.
func (r *rowResult) times(run load.Result) load.Quantiles {
	switch r.Kind {
	case paced:
		return run.EventDelay
	case firstToken:
		return run.FirstEvent
	case closedLoop, fixedRate, fullSpeed:
	}
	return run.Latency
}

func (r *rowResult) sumUp() {
	for _, t := range r.Targets {
		if len(t.Runs) == 0 {
			continue
		}
		var cpu, after, perSecond, p50, p99 []float64
		var events, reads int64
		disturbed := 0
		for _, run := range t.Runs {
			cpu = append(cpu, r.cost(run))
			after = append(after, float64(run.CPUAfter)/float64(max(run.CPU+run.CPUAfter, 1)))
			perSecond = append(perSecond, float64(r.unit(run))/run.Elapsed.Seconds())
			p50 = append(p50, micros(r.times(run).P50))
			p99 = append(p99, micros(r.times(run).P99))
			events, reads = events+run.Events, reads+run.Reads
			t.Bad += run.Bad()
			if t.Example == "" {
				t.Example = run.Example
			}
			switch {
			case run.Disturbed():
				disturbed++
			case run.NeverQuiet:
				t.Noisy = "still busy 30 s after its last answer"
			case run.Unsent > run.Answers/100:
				t.Noisy = "did not keep up with the rate"
			}
		}
		if disturbed > len(t.Runs)/4 {
			t.Noisy = fmt.Sprintf("something else used the cores in %d of %d runs", disturbed, len(t.Runs))
		}
		t.CPU, t.After, t.PerSecond = stats.MedianInterval(cpu), stats.Median(after), stats.Median(perSecond)
		t.P50, t.P99 = stats.Median(p50), stats.Median(p99)
		if reads > 0 {
			t.Joined = float64(events) / float64(reads)
		}
	}
	r.compare()
}

// compare sets each target beside nginx and direct, round by round.
func (r *rowResult) compare() {
	for _, t := range r.Targets {
		if t.Name == rig.Direct {
			continue
		}
		if t.Name != rig.Nginx && r.Kind != fixedRate && r.Kind != firstToken {
			t.ToNginx = r.each(t.Name, rig.Nginx, func(own, nginx load.Result) float64 { return r.cost(own) / r.cost(nginx) })
		}
		t.AddedP50 = r.each(t.Name, rig.Direct, func(own, direct load.Result) float64 {
			return micros(r.times(own).P50 - r.times(direct).P50)
		})
		t.AddedP99 = r.each(t.Name, rig.Direct, func(own, direct load.Result) float64 {
			return micros(r.times(own).P99 - r.times(direct).P99)
		})
	}
}

// each is the median, with its interval, of what f makes of two targets' runs of each round; nil
// when the row lacks one of them.
func (r *rowResult) each(one, other string, f func(one, other load.Result) float64) *stats.Estimate {
	a, b := r.find(one), r.find(other)
	if a == nil || b == nil || len(a.Runs) == 0 || len(a.Runs) != len(b.Runs) {
		return nil
	}
	var values []float64
	for i := range a.Runs {
		values = append(values, f(a.Runs[i], b.Runs[i]))
	}
	estimate := stats.MedianInterval(values)
	return &estimate
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// print writes the row as a person reads it on a terminal.
func (r *rowResult) print(w io.Writer) {
	title := fmt.Sprintf("%s, %d connections", r.Mode, r.Conns)
	each := "request"
	if r.Kind == paced || r.Kind == fullSpeed {
		each = "event"
	}
	if r.Kind == firstToken {
		title += ", time to the first token"
	}
	if r.Kind == fixedRate {
		title += fmt.Sprintf(", %.0f calls/s", r.Rate)
	}
	if r.Repeats > 0 {
		title += fmt.Sprintf(", %d disturbed runs repeated", r.Repeats)
	}
	fmt.Fprintf(w, "\n%s; us of CPU per %s\n", title, each)
	fmt.Fprintf(w, "  %-10s %8s %22s %10s %9s %9s   %-24s %s\n", "", "CPU", "x nginx", each+"s/s", "p50 us", "p99 us", "added p50 / p99 us", "peak MiB")
	for _, t := range r.Targets {
		ratio, added := "", ""
		if t.ToNginx != nil {
			ratio = fmt.Sprintf("%.2f [%.2f-%.2f]", t.ToNginx.Median, t.ToNginx.Low, t.ToNginx.High)
		}
		if t.AddedP50 != nil {
			added = fmt.Sprintf("%.0f / %.0f", t.AddedP50.Median, t.AddedP99.Median)
		}
		cpu, peak := "", ""
		if t.Name != rig.Direct {
			cpu, peak = fmt.Sprintf("%.2f", t.CPU.Median), fmt.Sprintf("%.1f", mebibytes(t.PeakMemory))
		}
		fmt.Fprintf(w, "  %-10s %8s %22s %10.0f %9.0f %9.0f   %-24s %s", t.Name, cpu, ratio, t.PerSecond, t.P50, t.P99, added, peak)
		if t.After > 0.01 {
			fmt.Fprintf(w, "  (%.0f %% of the CPU after the last answer)", 100*t.After)
		}
		fmt.Fprintln(w)
		if t.Bad > 0 {
			fmt.Fprintf(w, "    %d BAD ANSWERS, such as: %s\n", t.Bad, t.Example)
		}
		if t.Noisy != "" {
			fmt.Fprintf(w, "    not to be trusted: %s\n", t.Noisy)
		}
	}
}

func (r *report) printMemory(w io.Writer) {
	fmt.Fprintf(w, "\nmemory, MiB resident\n  %-10s %10s %25s %8s\n", "", "idle", "with idle connections", "peak")
	for _, m := range r.Memory {
		fmt.Fprintf(w, "  %-10s %10.1f %25s %8.1f", m.Name, mebibytes(m.Idle), fmt.Sprintf("%.1f (%d)", mebibytes(m.Held), m.Conns), mebibytes(m.HeldPeak))
		if m.Closed > 0 {
			fmt.Fprintf(w, "  %d OF THEM CLOSED", m.Closed)
		}
		fmt.Fprintln(w)
	}
}

// busy is the share of its core that the subject used.
func (t *truncatedResult) busy() float64 { return t.Run.CPU.Seconds() / t.Run.Elapsed.Seconds() }

func (t *truncatedResult) print(w io.Writer) {
	fmt.Fprintf(w, "\nstreams through %s at %.0f %% of its core: %d whole, %d truncated, %d closed before their first byte, %d wrong, %d stuck, in %.1f s\n",
		t.Name, 100*t.busy(), t.Run.Answers, t.Run.Truncated, t.Run.Closed, t.Run.Wrong, t.Run.Stuck, t.Run.Elapsed.Seconds())
	if t.Run.Example != "" {
		fmt.Fprintln(w, " ", t.Run.Example)
	}
}
