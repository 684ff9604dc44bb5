// Command count counts, instead of timing, what a call costs: the instructions that the processor executes for it and the
// allocations it makes. A count is the same on a busy machine and on a slow one, so that two versions can be compared to
// a percent. It is made under Valgrind's callgrind, as the difference of a long and a short run of the same benchmark,
// less what the benchmark's own client and upstream take. See docs/decisions/0014-counted-cost.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// counted is what is counted: a benchmark of internal/gateway, and the one of its client and upstream alone.
var counted = []struct{ name, bench, peers string }{
	{"rest_call", "BenchmarkREST", "BenchmarkPeersREST"},
	{"chat_call", "BenchmarkChat", "BenchmarkPeersChat"},
	{"stream_event", "BenchmarkEvent", "BenchmarkPeersEvent"},
}

// The operations of the short run and of the long one.
const (
	fewer = 1000
	more  = 6000
)

// mostGrowth is the most that a count may grow over the baseline's, in percent.
const mostGrowth = 2

// cost is what one operation costs.
type cost struct{ instructions, allocations int64 }

func main() {
	baseline := flag.String("baseline", "bench/count/baseline.txt", "the `file` to compare with; none where it is empty")
	tree := flag.String("tree", ".", "the `folder` of the checkout that is counted")
	rounds := flag.Int("rounds", 3, "how often each count is made; the median counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *tree, *baseline, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, tree, baseline string, rounds int) error {
	before := map[string]cost{}
	if baseline != "" {
		text, err := os.ReadFile(baseline)
		if err != nil {
			return fmt.Errorf("reading the baseline: %w", err)
		}
		if before, err = parseBaseline(string(text)); err != nil {
			return fmt.Errorf("reading %s: %w", baseline, err)
		}
	}
	dir, err := os.MkdirTemp("", "causeway-count-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c := counter{dir: dir, program: filepath.Join(dir, "gateway.test"), rounds: max(rounds, 1)}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", c.program, "./internal/gateway")
	if build.Dir = tree; tree == "." {
		build.Dir = ""
	}
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the benchmarks: %w\n%s", err, text)
	}
	fmt.Fprintf(out, "# %s %s/%s, medians of %d\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, c.rounds)
	fmt.Fprintln(out, "# name instructions allocations")
	var grown []string
	for _, what := range counted {
		now, err := c.count(ctx, what.bench, what.peers)
		if err != nil {
			return fmt.Errorf("counting %s: %w", what.name, err)
		}
		fmt.Fprintf(out, "%s %d %d", what.name, now.instructions, now.allocations)
		if old, ok := before[what.name]; ok {
			percent := growth(old.instructions, now.instructions)
			fmt.Fprintf(out, "  # baseline: %d %d, %+.1f %%", old.instructions, old.allocations, percent)
			if percent > mostGrowth || now.allocations > old.allocations {
				grown = append(grown, what.name)
			}
		}
		fmt.Fprintln(out)
	}
	if len(grown) > 0 {
		return fmt.Errorf("grown by more than %d %%, or allocating more: %s", mostGrowth, strings.Join(grown, ", "))
	}
	return nil
}

// growth is by how many percent now is more than before.
func growth(before, now int64) float64 { return 100 * float64(now-before) / float64(before) }

// parseBaseline reads what this command writes: a name, its instructions and its allocations a line, comments behind #.
func parseBaseline(text string) (map[string]cost, error) {
	list := map[string]cost{}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 {
			return nil, fmt.Errorf("line %d: NAME INSTRUCTIONS ALLOCATIONS is expected", i+1)
		}
		instructions, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || instructions <= 0 {
			return nil, fmt.Errorf("line %d: %q is no number of instructions", i+1, words[1])
		}
		allocations, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil || allocations < 0 {
			return nil, fmt.Errorf("line %d: %q is no number of allocations", i+1, words[2])
		}
		list[words[0]] = cost{instructions, allocations}
	}
	return list, nil
}

// counter counts with one program of benchmarks.
type counter struct {
	dir, program string
	rounds       int
}

// count is what an operation of bench costs without that of peers.
func (c *counter) count(ctx context.Context, bench, peers string) (cost, error) {
	whole, err := c.median(ctx, bench)
	if err != nil {
		return cost{}, err
	}
	part, err := c.median(ctx, peers)
	if err != nil {
		return cost{}, err
	}
	return cost{whole.instructions - part.instructions, whole.allocations - part.allocations}, nil
}

func (c *counter) median(ctx context.Context, bench string) (cost, error) {
	var instructions []int64
	allocations := int64(0)
	for range c.rounds {
		short, err := c.once(ctx, bench, fewer)
		if err != nil {
			return cost{}, err
		}
		long, err := c.once(ctx, bench, more)
		if err != nil {
			return cost{}, err
		}
		instructions = append(instructions, (long.instructions-short.instructions)/(more-fewer))
		allocations = max(allocations, long.allocations)
	}
	slices.Sort(instructions)
	return cost{instructions[len(instructions)/2], allocations}, nil
}

var (
	totals      = regexp.MustCompile(`(?m)^totals: (\d+)`)
	allocations = regexp.MustCompile(`(?m)^Benchmark.*\s(\d+) allocs/op`)
)

// once runs a benchmark of n operations and gives the instructions of the whole process and the allocations of one operation.
func (c *counter) once(ctx context.Context, bench string, n int) (cost, error) {
	file := filepath.Join(c.dir, "callgrind.out")
	cmd := exec.CommandContext(ctx, "valgrind", "--tool=callgrind", "--callgrind-out-file="+file, c.program,
		"-test.run", "^$", "-test.bench", "^"+bench+"$", "-test.benchtime", strconv.Itoa(n)+"x")
	cmd.Dir = c.dir
	// One processor, no garbage collection and no preemption: nothing that is done now and then by the clock.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	text, err := cmd.CombinedOutput()
	if err != nil {
		return cost{}, fmt.Errorf("running %s under valgrind: %w\n%s", bench, err, text)
	}
	profile, err := os.ReadFile(file)
	if err != nil {
		return cost{}, fmt.Errorf("reading valgrind's count: %w", err)
	}
	return read(string(profile), string(text))
}

// read finds the instructions in a profile of callgrind's and the allocations in what the benchmark wrote.
func read(profile, text string) (c cost, err error) {
	sum, made := totals.FindStringSubmatch(profile), allocations.FindStringSubmatch(text)
	if sum == nil {
		return c, errors.New("valgrind has counted nothing")
	}
	if made == nil {
		return c, fmt.Errorf("there is no such benchmark:\n%s", text)
	}
	if c.instructions, err = strconv.ParseInt(sum[1], 10, 64); err != nil {
		return c, fmt.Errorf("reading valgrind's count: %w", err)
	}
	if c.allocations, err = strconv.ParseInt(made[1], 10, 64); err != nil {
		return c, fmt.Errorf("reading the benchmark's allocations: %w", err)
	}
	return c, nil
}
