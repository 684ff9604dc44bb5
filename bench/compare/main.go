// Command compare shows what a Python caller, and the one who runs the proxy, learn of a failing upstream from nginx,
// HAProxy, Apache, Caddy and Causeway: it provokes the same faults behind each, makes the same call with requests and
// httpx, and writes what both printed and what the proxy logged to docs/comparison.md. Linux only; everything is on
// loopback and ends with it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"causeway/internal/faulty"
)

func main() {
	causeway := flag.String("causeway", "bin/causeway", "the program")
	doc := flag.String("doc", "docs/comparison.md", "the file that is written")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *causeway, *doc); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, causeway, doc string) error {
	causeway, err := filepath.Abs(causeway)
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	dir, err := os.MkdirTemp("", "causeway-compare-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	lab, err := faulty.New(faulty.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer lab.Close()
	list, resolver, err := startFaults(lab)
	if err != nil {
		return err
	}
	caller, err := startCaller(ctx)
	if err != nil {
		return err
	}
	defer caller.close()
	var results []result
	for _, p := range proxies(causeway) {
		fmt.Fprintln(os.Stderr, "comparing:", p.name)
		r, err := measure(ctx, p, filepath.Join(dir, p.name), list, resolver, caller)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		results = append(results, r)
	}
	return os.WriteFile(doc, page(list, results, caller.versions), 0o644)
}
