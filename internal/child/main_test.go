package child

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The tests run this test program as the child: what it then does is in CHILD.
func TestMain(m *testing.M) {
	if what := os.Getenv("CHILD"); what != "" {
		play(what)
		return
	}
	goleak.VerifyTestMain(m)
}

func play(what string) {
	do, argument, _ := strings.Cut(what, " ")
	switch do {
	case "exit3":
		fmt.Fprintln(os.Stderr, "cannot open the database: password=hunter2secret")
		fmt.Fprint(os.Stderr, "giving up")
		os.Exit(3)
	case "panic":
		func(m map[string]int) { m["total"] = 1 }(nil)
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Minute)
	case "listen":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println("listening on " + l.Addr().String())
		time.Sleep(time.Minute)
	case "eat":
		// Joins the control group in the argument, then takes memory until the kernel ends it.
		if err := os.WriteFile(argument+"/cgroup.procs", []byte("0"), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("joined")
		_, _ = fmt.Scanln() // standard input is empty: goes on at once
		time.Sleep(300 * time.Millisecond)
		var all [][]byte
		for {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			all = append(all, b)
			if len(all) > 1<<10 {
				panic(errors.New("no limit"))
			}
		}
	}
}
