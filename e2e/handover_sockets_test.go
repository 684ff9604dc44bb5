package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Unix sockets and changed addresses in a hand-over: one that fails leaves every socket as it was, one that
// works gives each the mode that the file asks for by now, and nothing of those that it asks for no more.
func TestSocketsInAHandOver(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	dir := shortDir(t)
	first, second := filepath.Join(dir, "first.sock"), filepath.Join(dir, "second.sock")
	busy := listenFree(t)
	defer busy.Close()
	moved := freePort(t)
	config := func(listen, more string) string {
		return fmt.Sprintf("version: 1\nserver: {drain: 5s, listen: [\"127.0.0.1:0\", %s]%s}\nservices:\n", listen, more) + openService("s", "targets: "+f.targets())
	}
	g := serve(t, config(fmt.Sprintf("%q", "unix:"+first), ""), listenOn(""))
	g.admin = socketClient(t, g.Data)
	answers := func(what, network, address string) {
		t.Helper()
		a := fetch(t, over(t, network, address, "", nil), "GET", "http://gw.test/s/x", nil)
		want(t, what+": status", a.status, 200)
	}
	failed := func(says string) {
		t.Helper()
		seen := len(g.errs.all())
		g.signal(t, syscall.SIGUSR2)
		eventually(t, "the hand-over fails: "+says, func() bool {
			said := g.errs.all()[seen:]
			return strings.Contains(said, "the hand-over has failed; this process goes on") && strings.Contains(said, says)
		})
		answers("the socket after a hand-over that failed", "unix", first)
		answers("the address after a hand-over that failed", "tcp", g.Addr)
		g.metric(t, "causeway_handover_failures_total") // the console and the socket in the data folder
		if _, err := os.Lstat(filepath.Join(g.Data, "causeway.sock")); err != nil {
			t.Errorf("the data folder's socket: %v", err)
		}
	}

	// The new process has taken the sockets before it meets what stops it.
	g.configure(t, config(fmt.Sprintf("%q, %q", "unix:"+first, busy.Addr()), ""))
	failed("the address is in use by another program")

	g.configure(t, config(fmt.Sprintf("{address: %q, mode: \"0600\"}, %q, %q", "unix:"+first, "unix:"+second, moved), ", reuse_port: 2"))
	g.handedOver(t)
	answers("the first socket", "unix", first)
	answers("the second", "unix", second)
	answers("the new address", "tcp", moved)
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode that the file asks for by now: %v, %v", info, err)
	}
	contains(t, "the log", g.errs.all(), "server.reuse_port has changed: it takes effect when the program is stopped and started")

	// An address of another form for the same port.
	_, port, err := net.SplitHostPort(moved)
	if err != nil {
		t.Fatal(err)
	}
	pid := g.owner(t)
	g.configure(t, strings.Replace(config(fmt.Sprintf("%q, %q", "unix:"+second, "0.0.0.0:"+port), ""), "access: open", "access: key", 1))
	seen := len(g.errs.all())
	signalTo(t, pid, syscall.SIGUSR2)
	eventually(t, "the overlap is explained", func() bool {
		return strings.Contains(g.errs.all()[seen:], "the process before listens at "+moved)
	})

	g.configure(t, config(fmt.Sprintf("%q", "unix:"+second), ""))
	g.handedOver(t)
	answers("the second socket at its second process", "unix", second)
	eventually(t, "the first is gone", func() bool {
		_, err := os.Lstat(first)
		return errors.Is(err, os.ErrNotExist)
	})
	last := g.owner(t)
	signalTo(t, last, syscall.SIGTERM)
	g.awaitEnd(t, last)
	for _, path := range []string{second, filepath.Join(g.Data, "causeway.sock")} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

// The console is served at each socket that systemd has opened for it.
func TestTheConsoleAtSeveralSocketsOfSystemd(t *testing.T) {
	t.Parallel()
	var files []*os.File
	var addresses []string
	for range 2 {
		l := listenFree(t)
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		l.Close()
		defer file.Close()
		files = append(files, file)
	}
	g := &gateway{Data: shortDir(t)}
	g.process = startWith(t, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=console:console"}, files,
		"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary, "serve", "--data", g.Data, "--listen", "127.0.0.1:0", "--console", "systemd:console")
	if !g.awaitReady(ample) {
		t.Fatalf("not ready: %s", g.errs.all())
	}
	want(t, "the console's address", g.Console, "http://"+addresses[0])
	g.admin = socketClient(t, g.Data)
	both := func() {
		t.Helper()
		for _, address := range addresses {
			want(t, "the console at "+address, fetch(t, client(t), http.MethodGet, "http://"+address+"/healthz", nil).status, 200)
		}
	}
	both()
	g.handedOver(t)
	both()
}
