package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"causeway/bench/load"
)

// The parts of a benchmark that -only names.
const (
	partLatency   = "latency"
	partMemory    = "memory"
	partTruncated = "truncated"
	partFirst     = "first"   // time to the first token
	partStreams   = "streams" // many streams at once
)

var parts = []string{string(load.REST1K), string(load.REST64K), string(load.Chat), string(load.SSE), string(load.Crossed), string(load.CrossedSSE), string(load.TLS), string(load.Handshake), string(load.Resumed), partLatency, partFirst, partStreams, partMemory, partTruncated}

// What stays the same in every run.
const (
	barConns        = 64 // the number of connections that the bars speak of
	handshakeConns  = 16 // callers that shake hands at a time
	streamEvents    = 200
	streamPace      = 2 * time.Millisecond
	firstEvents     = 10  // of a stream whose first token counts
	firstRate       = 400 // such streams a second
	manyStreams     = 512
	manyPace        = 20 * time.Millisecond
	manyEvents      = 400             // of each, so that none ends while it is looked at
	manyStagger     = 2 * time.Second // over which they begin
	manyRun         = 5 * time.Second
	truncatedEvents = 5
	truncatedConns  = 128
	warm            = 200 * time.Millisecond
	rateShare       = 0.35 // of the slowest proxy's capacity: the fixed rate of the latency rows
	calibration     = time.Second
	memorySettle    = 5 * time.Second
	mostRepeats     = 2 // of a run that something else on the machine disturbed
)

type planOptions struct {
	pairs   int
	run     time.Duration
	streams int64
	idle    int
	only    []string // empty: everything
	conns   []int
}

// quick sets what the command line has not.
func (o *planOptions) quick(given map[string]bool) {
	if !given["pairs"] {
		o.pairs = 3
	}
	if !given["run"] {
		o.run = time.Second
	}
	if !given["streams"] {
		o.streams = 20_000
	}
}

func (o *planOptions) wants(part string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, part)
}

func parseOnly(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	only := strings.Split(list, ",")
	for _, part := range only {
		if !slices.Contains(parts, part) {
			return nil, fmt.Errorf("-only: there is no %q, only %s", part, strings.Join(parts, ", "))
		}
	}
	return only, nil
}

func parseConns(list string) ([]int, error) {
	var conns []int
	for number := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 1000 {
			return nil, fmt.Errorf("-conns: %q is not a number from 1 to 1000", number)
		}
		conns = append(conns, n)
	}
	return conns, nil
}

// kind is how a row is measured.
type kind string

const (
	closedLoop kind = "closed loop" // as many calls as the connections allow: CPU per call
	paced      kind = "paced"       // streams at a fixed pace: CPU per event, delay of events
	fixedRate  kind = "fixed rate"  // calls at a fixed rate below saturation: latency
	firstToken kind = "first token" // streams at a fixed rate: time from the call to the first token
	fullSpeed  kind = "full speed"  // streams as fast as the proxy's core can: CPU per event
)

// row is one thing that is measured for every target in turn.
type row struct {
	kind     kind
	mode     load.Mode
	conns    int
	duration time.Duration
	direct   bool // also without a proxy, to tell what a proxy adds
}

func (r row) name() string { return fmt.Sprintf("%s, %d connections, %s", r.mode, r.conns, r.kind) }

// rows are the plan's rows in the order in which they run: the fixed rates follow from the closed loops.
func (o *planOptions) rows() []row {
	var rows []row
	for _, mode := range []load.Mode{load.REST1K, load.REST64K, load.Chat, load.Crossed} {
		if !o.wants(string(mode)) {
			continue
		}
		for _, conns := range o.conns {
			if mode == load.Crossed && conns != barConns {
				continue
			}
			duration := o.run / 2
			if conns == barConns {
				duration = o.run
			}
			// With one connection nothing queues, so that the closed loop tells the added time too.
			rows = append(rows, row{kind: closedLoop, mode: mode, conns: conns, duration: duration, direct: conns == 1})
		}
	}
	for _, mode := range []load.Mode{load.SSE, load.CrossedSSE} {
		if o.wants(string(mode)) {
			rows = append(rows, row{kind: paced, mode: mode, conns: barConns, duration: o.run, direct: true})
		}
	}
	if o.wants(string(load.CrossedSSE)) {
		rows = append(rows, row{kind: fullSpeed, mode: load.CrossedSSE, conns: barConns, duration: o.run})
	}
	for _, mode := range []load.Mode{load.TLS, load.Handshake, load.Resumed} {
		if o.wants(string(mode)) {
			conns := barConns
			if mode != load.TLS {
				conns = handshakeConns
			}
			rows = append(rows, row{kind: closedLoop, mode: mode, conns: conns, duration: o.run})
		}
	}
	if o.wants(partLatency) {
		for _, mode := range []load.Mode{load.REST1K, load.REST64K, load.Chat} {
			rows = append(rows, row{kind: fixedRate, mode: mode, conns: barConns, duration: o.run * 2 / 3, direct: true})
		}
	}
	if o.wants(partFirst) {
		for _, mode := range []load.Mode{load.SSE, load.CrossedSSE} {
			rows = append(rows, row{kind: firstToken, mode: mode, conns: barConns, duration: o.run, direct: true})
		}
	}
	return rows
}

// events is how many each stream of the row has.
func (r row) events() int {
	if r.kind == firstToken {
		return firstEvents
	}
	return streamEvents
}

// pace is the time between two events of a stream.
func (r row) pace() time.Duration {
	if r.kind == fullSpeed {
		return 0
	}
	return streamPace
}

// spec is the load's specification of one run of a row.
func (r row) spec(rate float64, authority string) load.Spec {
	s := load.Spec{Mode: r.mode, Conns: r.conns, Warm: warm, Duration: r.duration, Authority: authority}
	switch r.kind {
	case paced:
		s.Events, s.Steady, s.Stagger = streamEvents, true, streamEvents*streamPace
	case fixedRate:
		s.Rate = rate
	case fullSpeed:
		s.Events = streamEvents
	case firstToken:
		s.Events, s.Rate = r.events(), firstRate
	case closedLoop:
	}
	return s
}

// estimate is about how long the plan takes with a number of proxies.
func (o *planOptions) estimate(proxies int) time.Duration {
	const (
		start = 1500 * time.Millisecond // of a row: all proxies and the mock
		each  = 500 * time.Millisecond  // of a run: the load's start, its connections, the wait for quiet
	)
	var sum time.Duration
	for _, r := range o.rows() {
		run := each + warm + r.duration
		if r.kind == paced {
			run += 2 * streamEvents * streamPace
		}
		targets := proxies
		if r.direct {
			targets++
		}
		sum += start + time.Duration(o.pairs*targets)*run
	}
	if o.wants(partMemory) {
		sum += time.Duration(proxies) * (2*memorySettle + 3*time.Second)
	}
	if o.wants(partTruncated) {
		sum += start + time.Duration(o.streams)*120*time.Microsecond
	}
	return sum
}

func (o *planOptions) summary() summary {
	return summary{Pairs: o.pairs, Run: o.run, Streams: o.streams, Idle: o.idle}
}

// summary is what of the plan the report tells.
type summary struct {
	Pairs   int           `json:"pairs"`
	Run     time.Duration `json:"run"`
	Streams int64         `json:"streams"`
	Idle    int           `json:"idle"`
}
