package matrix

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the tests see to testdata/carry and docs/dialects.md")

// carry holds what becomes of each feature against the committed list of the pair: the report
// may name nothing that is on it, and must name what is not.
func carry(t *testing.T, all []*side) {
	requests, answers := map[pair]map[string]outcome{}, map[pair]map[string]outcome{}
	for _, from := range all {
		for _, to := range all {
			if from == to {
				continue
			}
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				p := pair{from.name, to.name}
				requests[p], answers[p] = map[string]outcome{}, map[string]outcome{}
				var list []string
				for _, f := range features() {
					t.Run(f.name, func(t *testing.T) { requests[p][f.name] = crossed(t, from, to, f) })
					if requests[p][f.name] == carried {
						list = append(list, "request: "+f.name)
					}
				}
				for _, f := range answerFeatures() {
					t.Run("answer "+f.name, func(t *testing.T) { answers[p][f.name] = answered(t, to, from, f) })
					if answers[p][f.name] == carried {
						list = append(list, "answer: "+f.name)
					}
				}
				compare(t, filepath.Join("testdata", "carry", from.name+"-to-"+to.name+".txt"), strings.Join(list, "\n")+"\n")
			})
		}
	}
	if !t.Failed() {
		compare(t, "../../../docs/dialects.md", document(all, requests, answers))
	}
}

// pair is a caller's and a provider's side.
type pair struct{ caller, provider string }

// compare holds a committed file against what it must be, or writes it.
func compare(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: make it with go test ./internal/llm/matrix -update", err)
	}
	if bytes.Equal(have, []byte(want)) {
		return
	}
	old, now := strings.Split(string(have), "\n"), strings.Split(want, "\n")
	for _, line := range old {
		if !contains(now, line) {
			t.Errorf("%s: no longer so: %s", path, line)
		}
	}
	for _, line := range now {
		if !contains(old, line) {
			t.Errorf("%s: new: %s", path, line)
		}
	}
	if !t.Failed() {
		t.Errorf("%s is in another order", path)
	}
}

func contains(list []string, line string) bool {
	for _, l := range list {
		if l == line {
			return true
		}
	}
	return false
}
