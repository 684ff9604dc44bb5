// Command bench measures Causeway beside nginx and HAProxy on one machine: what a call costs in
// CPU, what it adds in time, and how much memory it takes. It starts and ends all it needs, the
// mock upstream included, writes docs/benchmarks.md, and exits with 1 when a bar is missed and 2
// when it could not measure. Linux only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"causeway/bench/rig"
)

func main() {
	// The rig's processes die with the thread that started them, and get their core through it.
	runtime.LockOSThread()
	if known, err := child(os.Args[1:]); known {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	met, err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "\nbench: ended by a signal; nothing was written")
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case !met:
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	causeway     string
	withHTTPUtil bool
	plan         planOptions
	json, doc    string
	command      string // what makes the same measurement again
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.causeway, "causeway", "bin/causeway", "the `program` to measure; empty to leave it out")
	flags.BoolVar(&o.withHTTPUtil, "with-httputil", false, "measure Go's net/http/httputil.ReverseProxy as well")
	flags.IntVar(&o.plan.pairs, "pairs", 9, "rounds, in each of which every proxy runs once")
	flags.DurationVar(&o.plan.run, "run", 2*time.Second, "length of one run at 64 connections; the others are half as long")
	flags.Int64Var(&o.plan.streams, "streams", 200_000, "streamed answers in the search for truncated ones")
	flags.IntVar(&o.plan.idle, "idle", 10_000, "idle connections whose memory is measured")
	only := flags.String("only", "", "what to measure, a `list` of "+strings.Join(parts, ", ")+"; empty for all")
	conns := flags.String("conns", "1,64,256", "numbers of connections, a `list`")
	quick := flags.Bool("quick", false, "three rounds of 1 s at 1 and 64 connections: for work on the benchmark, not for figures")
	flags.StringVar(&o.json, "json", "", "also write everything measured to a `file` as JSON")
	flags.StringVar(&o.doc, "doc", "", "the page to write; docs/benchmarks.md for a whole run, none for a quick or partial one")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	given := map[string]bool{}
	flagged := ""
	flags.Visit(func(f *flag.Flag) {
		given[f.Name] = true
		switch f.Name {
		case "json", "doc", "causeway": // where things are changes no figure
		default:
			flagged += " -" + f.Name + "=" + f.Value.String()
		}
	})
	if o.command = "make bench"; flagged != "" {
		o.command = "go run ./bench" + flagged
	}
	if *quick {
		o.plan.quick(given)
		if !given["conns"] {
			*conns = "1,64"
		}
	}
	var err error
	if o.plan.only, err = parseOnly(*only); err != nil {
		return o, err
	}
	if o.plan.conns, err = parseConns(*conns); err != nil {
		return o, err
	}
	if o.plan.pairs < 1 || o.plan.run < 100*time.Millisecond || o.plan.streams < 1 || o.plan.idle < 1 {
		return o, errors.New("-pairs, -streams and -idle must be at least 1, -run at least 100ms")
	}
	if whole := !*quick && !given["only"] && !given["conns"] && o.causeway != ""; whole && !given["doc"] {
		o.doc = "docs/benchmarks.md"
	}
	return o, nil
}

// run measures as the arguments say; met is false when a bar was missed.
func run(ctx context.Context, args []string) (met bool, err error) {
	o, err := parse(args)
	if err != nil {
		return false, err
	}
	bench, err := prepare(o)
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(bench.rig.Dir)
	defer bench.rig.StopAll()
	bench.announce(o)
	if err := bench.measure(ctx, o.plan); err != nil {
		return false, err
	}
	report := bench.report
	report.judge()
	report.printBars(os.Stdout)
	if o.json != "" {
		text, err := json.MarshalIndent(report, "", " ")
		if err != nil {
			return false, fmt.Errorf("writing the figures as JSON: %w", err)
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return false, fmt.Errorf("writing the figures: %w", err)
		}
	}
	if o.doc != "" {
		page, err := report.page(bench.rig.Descriptors)
		if err != nil {
			return false, err
		}
		if err := os.WriteFile(o.doc, page, 0o644); err != nil {
			return false, fmt.Errorf("writing the page: %w", err)
		}
		fmt.Println("\nwritten:", o.doc)
	}
	return !slices.ContainsFunc(report.Bars, func(b bar) bool { return !b.Met }), nil
}

// prepare finds the programs and the cores, so that nothing is missing half-way.
func prepare(o options) (*bench, error) {
	targets := []string{rig.Nginx, rig.HAProxy}
	if _, err := rig.FindProgram("nginx", "nginx-light"); err != nil {
		return nil, err
	}
	if _, err := rig.FindProgram("haproxy", "haproxy"); err != nil {
		return nil, err
	}
	subject := ""
	if o.withHTTPUtil {
		targets, subject = append(targets, rig.HTTPUtil), rig.HTTPUtil
	}
	if o.causeway != "" {
		if info, err := os.Stat(o.causeway); err != nil || info.IsDir() {
			return nil, fmt.Errorf("there is no program %s: build it first (go build -o bin/causeway ./cmd/causeway), or leave it out with -causeway ''", o.causeway)
		}
		targets, subject = append(targets, rig.Causeway), rig.Causeway
	}
	cores, err := rig.FindCores()
	if err != nil {
		return nil, err
	}
	descriptors, err := rig.RaiseDescriptors()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	facts, err := findFacts(o.causeway, cores)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "causeway-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the run: %w", err)
	}
	// nginx's worker gives up root's rights and must still reach its folders.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for the run: %w", err)
	}
	return &bench{
		rig:     rig.Rig{Cores: cores, Descriptors: descriptors, Dir: dir, Binary: o.causeway, Self: self, Key: rig.NewKey()},
		targets: targets,
		report:  &report{Command: o.command, Facts: facts, Subject: subject, Plan: o.plan.summary()},
	}, nil
}
