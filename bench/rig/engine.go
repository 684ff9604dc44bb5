package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"causeway/bench/load"
)

// The lines with which the engine tells what it has reached.
const (
	SaysListening = "listening "
	SaysHeld      = "held "
	SaysResult    = "result "
)

// Engine is the process that is both the load generator and the mock upstream, on the load's core.
type Engine struct {
	process *Process
	key     string
	addr    string
}

// StartEngine starts the load and its mock, whose streams have so many events at such a pace.
func (r *Rig) StartEngine(ctx context.Context, dir string, events int, pace time.Duration) (*Engine, error) {
	p, err := r.start(r.Cores.Load, filepath.Join(dir, "engine"), "engine", true, r.Self, "engine",
		"-events", strconv.Itoa(events), "-pace", pace.String())
	if err != nil {
		return nil, err
	}
	line, err := p.line(ctx, SaysListening, startPatience)
	return &Engine{process: p, key: r.Key, addr: strings.TrimPrefix(line, SaysListening)}, err
}

// Mock is the mock upstream, for the proxies and to be loaded directly.
func (e *Engine) Mock() Target { return Target{Name: Direct, Addr: e.addr} }

// Load does one run against a target.
func (e *Engine) Load(ctx context.Context, t Target, spec load.Spec) (load.Result, error) {
	spec.PIDs, spec.Core, spec.Quiet = t.PIDs, t.Core, t.Quiet
	if err := e.order(t, spec); err != nil {
		return load.Result{}, err
	}
	const overhead = 2 * time.Minute // a run ends by itself well before
	result, err := e.result(ctx, spec.Warm+spec.Duration+spec.Stagger+overhead)
	if err != nil {
		return result, fmt.Errorf("loading %s: %w", t.Name, err)
	}
	return result, nil
}

// Hold opens connections to a target, makes a call on each, calls f while they are open and idle,
// and returns how many of them the target had closed by then.
func (e *Engine) Hold(ctx context.Context, t Target, conns int, f func() error) (closed int64, err error) {
	if err := e.order(t, load.Spec{Mode: load.REST1K, Conns: conns, Hold: true}); err != nil {
		return 0, err
	}
	if _, err := e.process.line(ctx, SaysHeld, time.Minute); err != nil {
		return 0, fmt.Errorf("holding %d connections to %s: %w", conns, t.Name, err)
	}
	if err := f(); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintln(e.process.stdin); err != nil { // an empty order ends the hold
		return 0, fmt.Errorf("ending the hold: %w", err)
	}
	result, err := e.result(ctx, time.Minute)
	return result.Reconnects, err
}

func (e *Engine) order(t Target, spec load.Spec) error {
	spec.Addr, spec.Key = t.Addr, e.key
	text, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("writing the load's specification: %w", err)
	}
	if _, err := fmt.Fprintf(e.process.stdin, "%s\n", text); err != nil {
		return fmt.Errorf("ordering a run: %w", err)
	}
	return nil
}

func (e *Engine) result(ctx context.Context, patience time.Duration) (load.Result, error) {
	var result load.Result
	line, err := e.process.line(ctx, SaysResult, patience)
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, SaysResult)), &result); err != nil {
		return result, fmt.Errorf("reading the load's result: %w", err)
	}
	return result, nil
}
