package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/bench/load"
	"causeway/bench/rig"
)

func TestTheDefaultPlanMeasuresEverythingInHalfAnHour(t *testing.T) {
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if took := o.plan.estimate(3); took > 30*time.Minute {
		t.Errorf("it takes about %v", took)
	}
	count := map[kind]int{}
	for _, r := range o.plan.rows() {
		count[r.kind]++
	}
	if count[closedLoop] != 13 || count[paced] != 2 || count[fixedRate] != 3 || count[firstToken] != 2 || count[fullSpeed] != 1 {
		t.Errorf("rows by kind: %v", count)
	}
	if o.plan.pairs < 9 {
		t.Errorf("%d rounds; fewer than nine are not enough", o.plan.pairs)
	}
	if o.doc != "docs/benchmarks.md" || o.command != "make bench" {
		t.Errorf("it writes %q and names %q", o.doc, o.command)
	}
}

func TestAPartialRunWritesNoPageAndNamesItsFlags(t *testing.T) {
	o, err := parse([]string{"-quick", "-only", "sse,latency", "-json", "/tmp/x"})
	if err != nil {
		t.Fatal(err)
	}
	if o.doc != "" || o.command != "go run ./bench -only=sse,latency -quick=true" {
		t.Errorf("it writes %q and names %q", o.doc, o.command)
	}
	for _, r := range o.plan.rows() {
		if r.kind == closedLoop {
			t.Errorf("%s was not asked for", r.name())
		}
	}
}

func TestWrongFlagsAreTold(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"-only soap", "soap"},
		{"-conns 64,x", `"x"`},
		{"-conns 0", `"0"`},
		{"-pairs 0", "-pairs"},
		{"extra", "extra"},
	} {
		_, err := parse(strings.Fields(test.args))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want one that says %q", test.args, err, test.says)
		}
	}
}

// runs are a target's runs with these CPU times per call, in microseconds, and p99 in microseconds.
func runs(cpu, p99 []int) []load.Result {
	var all []load.Result
	for i := range cpu {
		all = append(all, load.Result{
			Answers: 1000, CPU: time.Duration(cpu[i]) * time.Millisecond / 2, CPUAfter: time.Duration(cpu[i]) * time.Millisecond / 2,
			Elapsed: time.Second, Latency: load.Quantiles{P99: time.Duration(p99[i]) * time.Microsecond},
		})
	}
	return all
}

func TestBars(t *testing.T) {
	ten := []int{10, 10, 10, 10, 10, 10, 10, 10, 10}
	for _, test := range []struct {
		name     string
		kind     kind
		cpu, p99 []int
		spoil    func(*targetResult)
		met      bool
		found    string
		why      string
	}{
		{"inside", closedLoop, []int{11, 11, 11, 11, 11, 11, 11, 11, 11}, ten, nil, true, "1.10 [1.10-1.10]", ""},
		{"one outlier does not matter", closedLoop, []int{11, 11, 11, 90, 11, 11, 11, 11, 11}, ten, nil, true, "1.10 [1.10-1.10]", ""},
		{"the median is inside, the interval's upper end is not", closedLoop, []int{11, 11, 11, 13, 13, 11, 11, 11, 11}, ten, nil, false, "1.10 [1.10-1.30]", ""},
		{"outside", closedLoop, []int{15, 15, 15, 15, 15, 15, 15, 15, 15}, ten, nil, false, "1.50 [1.50-1.50]", ""},
		{"bad answers", closedLoop, ten, ten, func(r *targetResult) { r.Runs[3].Truncated = 2 }, false, "1.00 [1.00-1.00]", "2 bad answers"},
		{"a machine with other work", closedLoop, ten, ten, func(r *targetResult) { r.Runs[3].Lost, r.Runs[4].Foreign, r.Runs[5].Lost = 1, 1, 1 }, false, "1.00 [1.00-1.00]", "in 3 of 9 runs"},
		{"never quiet", closedLoop, ten, ten, func(r *targetResult) { r.Runs[8].NeverQuiet = true }, false, "1.00 [1.00-1.00]", "still busy"},
		{"p99 inside", fixedRate, ten, []int{209, 209, 209, 209, 209, 209, 209, 209, 209}, nil, true, "199 us [199-199]", ""},
		{"p99 outside", fixedRate, ten, []int{209, 209, 209, 209, 209, 211, 211, 209, 209}, nil, false, "199 us [199-201]", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			subject := &targetResult{Name: rig.Causeway, Runs: runs(test.cpu, test.p99)}
			if test.spoil != nil {
				test.spoil(subject)
			}
			row := &rowResult{Kind: test.kind, Mode: load.REST1K, Conns: barConns, Targets: []*targetResult{
				{Name: rig.Direct, Runs: runs(ten, ten)},
				{Name: rig.Nginx, Runs: runs(ten, ten)},
				{Name: rig.HAProxy, Runs: runs(ten, ten)},
				subject,
			}}
			row.sumUp()
			r := &report{Subject: rig.Causeway, Rows: []*rowResult{row}}
			r.judge()
			if len(r.Bars) != 1 {
				t.Fatalf("%d bars, want 1: %+v", len(r.Bars), r.Bars)
			}
			b := r.Bars[0]
			if b.Met != test.met || b.Found != test.found || !strings.Contains(b.Why, test.why) || test.why == "" && b.Why != "" {
				t.Errorf("met %v, found %q, why %q; want %v, %q, %q", b.Met, b.Found, b.Why, test.met, test.found, test.why)
			}
		})
	}
}

func TestMemoryAndTruncatedBars(t *testing.T) {
	r := &report{
		Subject: rig.Causeway,
		Memory: []memoryResult{
			{Name: rig.Nginx, Idle: 900 << 20, Held: 900 << 20},
			{Name: rig.Causeway, Conns: 10_000, Idle: 49 << 20, Held: 99 << 20, Closed: 1},
		},
		Truncated: &truncatedResult{Run: load.Result{Answers: 199_999, Truncated: 1, Elapsed: time.Second}},
	}
	r.judge()
	var met []bool
	for _, b := range r.Bars {
		met = append(met, b.Met)
	}
	if want := []bool{true, false, false}; !slices.Equal(met, want) {
		t.Errorf("met %v, want %v: %+v", met, want, r.Bars)
	}
}

func TestThePageHoldsFiguresAndConfigurations(t *testing.T) {
	row := &rowResult{Kind: closedLoop, Mode: load.Chat, Conns: barConns, Targets: []*targetResult{
		{Name: rig.Nginx, Runs: runs([]int{10}, []int{10})},
		{Name: rig.Causeway, Runs: runs([]int{12}, []int{10})},
	}}
	row.sumUp()
	r := &report{Command: "make bench", Subject: rig.Causeway, Rows: []*rowResult{row}}
	r.judge()
	page, err := r.page(20_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| chat | 64 | causeway | 12.00 | 1.20 [1.20-1.20] |", "`make bench`", "access_log DIR/access.log combined;",
		"option http-no-delay", "proxy_buffering off;", "rate_limit: {requests: 100000000",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(page), "{{") || strings.Contains(string(page), "%!") {
		t.Errorf("the page has a hole:\n%s", page)
	}
}
