// Command gotest reads the output of `go test -json` on standard input, prints the output of what
// failed as it comes, and ends with how many tests passed, what each package took and the slowest
// tests. It exits 1 when anything failed, and when nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
)

type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
}

type timed struct {
	name    string
	seconds float64
}

func main() {
	title := "tests"
	if len(os.Args) > 1 {
		title = os.Args[1]
	}
	output := map[string][]string{}
	var tests, packages []timed
	passed, failed, skipped := 0, 0, 0
	broken := false
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 64<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text()) // what the go command itself says
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			output[key] = append(output[key], e.Output)
		case "pass", "fail", "skip":
			if e.Test == "" {
				packages = append(packages, timed{e.Package, e.Elapsed})
				if e.Action == "fail" {
					broken = true
					fmt.Printf("FAIL %s\n%s", e.Package, strings.Join(output[key], ""))
				}
			} else {
				tests = append(tests, timed{e.Package + " " + e.Test, e.Elapsed})
				switch e.Action {
				case "pass":
					passed++
				case "skip":
					skipped++
					fmt.Printf("skipped: %s: %s\n", key, reason(output[key]))
				case "fail":
					failed++
					fmt.Printf("--- FAIL %s\n%s", key, strings.Join(output[key], ""))
				}
			}
			delete(output, key)
		case "build-fail":
			broken = true
			for _, lines := range output {
				fmt.Print(strings.Join(lines, ""))
			}
		}
	}
	if err := in.Err(); err != nil {
		fmt.Println("reading the tests' output:", err)
		broken = true
	}
	slowest := func(list []timed, n int, what string) {
		sort.Slice(list, func(i, j int) bool { return list[i].seconds > list[j].seconds })
		fmt.Printf("%s: slowest %s\n", title, what)
		for _, t := range list[:min(n, len(list))] {
			fmt.Printf("  %7.2f s  %s\n", t.seconds, t.name)
		}
	}
	slowest(packages, 5, "packages")
	slowest(tests, 10, "tests")
	fmt.Printf("%s: %d passed, %d failed, %d skipped\n", strings.Fields(title)[0], passed, failed, skipped)
	if broken || failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func reason(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if l := strings.TrimSpace(lines[i]); l != "" && !strings.HasPrefix(l, "---") && !strings.HasPrefix(l, "===") {
			return l
		}
	}
	return ""
}
