package catalog

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testEnv is the environment of the golden files.
func testEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"API_KEY":   "sk-secret-api",
		"WEB_KEY":   "secret-web",
		"HOST_NAME": "api.example.com",
		"TEXT":      "secret text",
		"EMPTY":     "",
		"MULTILINE": "sk-secret\nline",
		"DRAIN":     "30",
		"PORT":      "9001",
		"NET":       "10.0.0.0/8",
		"INJECT":    "secret, x: {y: 1}]\n- z: &a *b",
	}[name]
	return v, ok
}

// Each testdata/faults/NAME.yaml has its expected faults beside it in NAME.faults, which is empty
// for a valid file.
func TestEachFaultIsReportedAtItsPlaceWithWhatWouldBeRight(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("found %d golden files (%v), want at least 60", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			c, faults, err := Load(file, testEnv)
			if err != nil {
				t.Fatal(err)
			}
			if (c == nil) != (len(faults) > 0) {
				t.Errorf("catalog %v with %d faults: it must be nil exactly when there are faults", c, len(faults))
			}
			got := strings.ReplaceAll(faults.String(), filepath.Dir(file)+string(filepath.Separator), "")
			for line := range strings.Lines(got) {
				if strings.Contains(strings.NewReplacer("secret_access_key", "", "SECRET_ACCESS_KEY", "").Replace(line), "secret") {
					t.Errorf("a fault shows a secret: %s", line)
				}
				if !strings.Contains(line, "; ") {
					t.Errorf("a fault does not say what would be right: %s", line)
				}
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".faults"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("faults of %s:\n%s\nwant:\n%s", file, got, want)
			}
		})
	}
}
