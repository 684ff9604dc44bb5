package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cw-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func openAll(t *testing.T, specs ...Spec) []*Listener {
	t.Helper()
	list, err := Open(t.Context(), specs, Sources{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, l := range list {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return list
}

// answers tells whether somebody accepts a connection at the address.
func answers(network, address string) bool {
	c, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func TestAddressesThatCanBeListenedAt(t *testing.T) {
	path := filepath.Join(shortDir(t), "gw.sock")
	list := openAll(t,
		Spec{Role: "gateway", Setting: "--listen", Address: "127.0.0.1:0"},
		Spec{Role: "gateway", Setting: "--listen", Address: "[::1]:0"},
		Spec{Role: "gateway", Setting: "--listen", Address: "unix:" + path, Mode: 0o604},
		Spec{Role: "gateway", Setting: "--listen", Address: "0.0.0.0:0"},
		Spec{Role: "gateway", Setting: "--listen", Address: ":0"},
	)
	for i, want := range []struct {
		begins string
		local  bool
	}{{"127.0.0.1:", true}, {"[::1]:", true}, {"unix:" + path, true}, {"0.0.0.0:", false}, {"[::]:", false}} {
		if !strings.HasPrefix(list[i].Name(), want.begins) || list[i].Local() != want.local {
			t.Errorf("%s is %s, local %v", list[i].Spec.Address, list[i].Name(), list[i].Local())
		}
	}
	port := func(l *Listener) string {
		_, p, _ := net.SplitHostPort(l.Name())
		return p
	}
	for _, c := range []struct {
		name             string
		network, address string
		want             bool
	}{
		{"IPv4", "tcp", list[0].Name(), true},
		{"IPv6", "tcp", list[1].Name(), true},
		{"a Unix socket", "unix", path, true},
		{"every IPv4 address, by IPv4", "tcp", "127.0.0.1:" + port(list[3]), true},
		{"every IPv4 address, by IPv6", "tcp", "[::1]:" + port(list[3]), false},
		{"every address, by IPv4", "tcp", "127.0.0.1:" + port(list[4]), true},
		{"every address, by IPv6", "tcp", "[::1]:" + port(list[4]), true},
	} {
		if got := answers(c.network, c.address); got != c.want {
			t.Errorf("%s: answered %v", c.name, got)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o604 || info.Mode().Type() != fs.ModeSocket {
		t.Errorf("the socket is %v, %v", info, err)
	}
}

func TestIPv4AndIPv6CanBeListedApart(t *testing.T) {
	free := openAll(t, Spec{Address: "0.0.0.0:0"})[0]
	_, port, _ := net.SplitHostPort(free.Name())
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	list := openAll(t, Spec{Address: "0.0.0.0:" + port}, Spec{Address: "[::]:" + port})
	if list[0].Name() != "0.0.0.0:"+port || list[1].Name() != "[::]:"+port {
		t.Errorf("%s and %s", list[0].Name(), list[1].Name())
	}
	go func() {
		if c, err := list[1].Accept(); err == nil {
			_, _ = c.Write([]byte("six"))
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", "[::1]:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b [3]byte
	if _, err := c.Read(b[:]); err != nil || string(b[:]) != "six" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestSocketsThatShareAnAddress: the kernel gives connections to each of them.
func TestSocketsThatShareAnAddress(t *testing.T) {
	list := openAll(t, Spec{Setting: "server.listen", Address: "127.0.0.1:0", Copies: 3})
	if len(list) != 3 || list[1].Name() != list[0].Name() || list[2].Name() != list[0].Name() {
		t.Fatalf("%d sockets", len(list))
	}
	got := make(chan int)
	for i, l := range list {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
				got <- i
			}
		}()
	}
	seen := map[int]bool{}
	for n := 0; len(seen) < 2 && n < 1000; n++ {
		if !answers("tcp", list[0].Name()) {
			t.Fatal("nobody answers")
		}
		seen[<-got] = true
	}
	if len(seen) < 2 {
		t.Error("one of them gets every connection")
	}
}

func TestAnAddressThatCannotBeHadIsExplained(t *testing.T) {
	busy := openAll(t, Spec{Address: "127.0.0.1:0"})[0]
	dir := shortDir(t)
	served := filepath.Join(dir, "served")
	openAll(t, Spec{Address: "unix:" + served})
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	full, datagrams := filepath.Join(dir, "full"), filepath.Join(dir, "datagrams")
	fillQueue(t, full)
	packets, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: datagrams, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = packets.Close() })
	for _, c := range []struct{ name, address, says string }{
		{"in use", busy.Name(), "in use by another program"},
		{"no such address", "192.0.2.1:0", "no such address"},
		{"no such name", "no-such-host.invalid:80", "no-such-host.invalid"},
		{"a socket that is served", "unix:" + served, "in use by another program"},
		{"a file that is no socket", "unix:" + file, "no socket"},
		{"a socket whose queue is full", "unix:" + full, "in use by another program"},
		{"a socket for datagrams", "unix:" + datagrams, "a socket of another kind"},
		{"a folder that is not there", "unix:" + dir + "/none/s", "does not exist"},
		{"a path too long", "unix:" + dir + "/" + strings.Repeat("x", 100), "shorter path"},
		{"systemd without systemd", "systemd:web", "systemd has opened no socket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fine := Spec{Setting: "server.listen", Address: "127.0.0.1:0"}
			list, err := Open(t.Context(), []Spec{fine, {Setting: "server.listen", Address: c.address}}, Sources{})
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "server.listen "+c.address+": ") {
				t.Errorf("got %v", err)
			}
			if list != nil {
				t.Error("something stays open")
			}
		})
	}
	if b, err := os.ReadFile(file); string(b) != "precious" {
		t.Errorf("the file: %q, %v", b, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 4 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// fillQueue makes a Unix socket that is served by somebody who accepts nothing, with as many waiting as it
// lets wait.
func fillQueue(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 64 {
		c, err := net.DialTimeout("unix", path, time.Second)
		if errors.Is(err, syscall.EAGAIN) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the queue takes 64")
}

func TestASocketsName(t *testing.T) {
	path := filepath.Join(shortDir(t), "gw.sock")
	spec := Spec{Setting: "--listen", Address: "unix:" + path}
	gone := func(when string, want bool) {
		t.Helper()
		if _, err := os.Lstat(path); os.IsNotExist(err) != want {
			t.Errorf("%s: %v", when, err)
		}
	}
	first := openAll(t, spec)[0]
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	gone("after closing", true)

	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = stale.Close()
	second := openAll(t, spec)[0]
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	gone("after closing the one before again", false)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != DefaultMode {
		t.Errorf("%v, %v", info, err)
	}
	second.Forsake()
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	gone("when another process serves it", false)

	third := openAll(t, spec)[0]
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
	gone("when something else has the name by now", false)
}

// TestWhatSystemdHasOpened runs in a process of its own: descriptors have numbers there.
func TestWhatSystemdHasOpened(t *testing.T) {
	var files []*os.File
	var names, addresses []string
	for _, name := range []string{"web", "other", "web", "spare"} {
		l := openAll(t, Spec{Address: "127.0.0.1:0"})[0]
		f, err := l.file()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files, names, addresses = append(files, f), append(names, name), append(addresses, l.Name())
	}
	out := child(t, "systemd", files, "LISTEN_FDS=4", "LISTEN_FDNAMES="+strings.Join(names, ":"))
	for _, want := range []string{
		"systemd:web: " + addresses[0] + " " + addresses[2],
		"systemd:none: ", "it has web, other, web, spare",
		"systemd: " + addresses[1] + " " + addresses[3],
		"environment: []",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if out := child(t, "systemd", files, "LISTEN_FDS=4", "LISTEN_PID=1"); !strings.Contains(out, "nothing") {
		t.Errorf("sockets of another process: %s", out)
	}
	if out := child(t, "systemd", nil, "LISTEN_FDS=many"); !strings.Contains(out, "LISTEN_FDS is") {
		t.Errorf("a number that is none: %s", out)
	}
}

// What is no socket to listen at is named when it is asked for, and is not touched: where LISTEN_FDS is
// wrong it may be a descriptor that this process needs.
func TestWhatSystemdCannotHaveOpened(t *testing.T) {
	file, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	datagrams, err := packets.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	idle, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	silent := os.NewFile(uintptr(idle), "silent")
	defer silent.Close()
	for _, c := range []struct {
		name string
		file *os.File
		fds  string
		says string
	}{
		{"a file", file, "1", "systemd:web:  x systemd:web: what systemd has opened as web (descriptor 3) cannot be used: it is no socket"},
		{"a socket for datagrams", datagrams, "1", "it is no stream socket: open it with ListenStream="},
		{"a socket that does not listen", silent, "1", "it does not listen: Accept= must be no"},
		{"fewer than LISTEN_FDS says", file, "4000", "LISTEN_FDS is 4000, and descriptor "},
		{"none", nil, "0", "systemd has opened no socket for this process: LISTEN_FDS is 0"},
	} {
		var files []*os.File
		if c.file != nil {
			files = append(files, c.file)
		}
		if out := child(t, "systemd", files, "LISTEN_FDS="+c.fds, "LISTEN_FDNAMES=web"); !strings.Contains(out, c.says) {
			t.Errorf("%s: %q is not in\n%s", c.name, c.says, out)
		}
	}
	if out := child(t, "systemd", []*os.File{file}, "LISTEN_FDS=1", "LISTEN_FDNAMES=other"); !strings.Contains(out, "unused: [other]") && !strings.Contains(out, "(descriptor 3)") {
		t.Errorf("a file that is not asked for by name: %s", out)
	}
}

func TestSystemdIsTold(t *testing.T) {
	path := filepath.Join(shortDir(t), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := Notify("READY=1", fmt.Sprintf("MAINPID=%d", 42)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := l.Read(b)
	if err != nil || string(b[:n]) != "READY=1\nMAINPID=42" {
		t.Errorf("%q, %v", b[:n], err)
	}
	for _, bad := range []string{path + ".none", "relative"} {
		t.Setenv("NOTIFY_SOCKET", bad)
		if err := Notify("READY=1"); err == nil || !strings.Contains(err.Error(), "telling systemd") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Notify("READY=1"); err != nil {
		t.Error(err)
	}
}
