package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// binary is the program under test.
var binary string

// scratch is a folder for what the tests build; it is removed at the end.
var scratch string

func TestMain(m *testing.M) {
	if order := os.Getenv(attackVariable); order != "" {
		os.Exit(attackFromEnv(order))
	}
	flag.Parse()
	parallel := flag.Lookup("test.parallel")
	if parallel.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		// The stories mostly wait for one another's limits to fire.
		_ = parallel.Value.Set("8")
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cw-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	if binary = os.Getenv("CAUSEWAY_BIN"); binary == "" {
		binary = filepath.Join(dir, "causeway")
		build := exec.Command("go", "build", "-o", binary, "causeway/cmd/causeway")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "building the program:", err)
			return 1
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, err := os.Stat(binary); err != nil {
		fmt.Fprintln(os.Stderr, "CAUSEWAY_BIN:", err)
		return 1
	}
	return m.Run()
}
