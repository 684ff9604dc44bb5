package probe

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, said, body   string
		part               bool
		is, title, problem string
	}{
		{"an object", "application/json; charset=utf-8", `{"a":1}`, false, "json", "", ""},
		{"a problem", "application/problem+json", `{"title":"x"}`, false, "json", "", ""},
		{"broken JSON", "application/json", `{"a":`, false, "text", "", "not valid JSON"},
		{"the beginning of JSON", "application/json", `{"a":`, true, "json", "", ""},
		{"a page for JSON", "application/json", "\n<!DOCTYPE html><title> Sign\n in </title>", false, "html", "Sign in", "is an HTML page"},
		{"nothing for JSON", "application/json", "", false, "empty", "", "is empty"},
		{"a page", "text/html", "<html><head><title>A &amp; B</title>", false, "html", "A & B", ""},
		{"a page without an end of its title", "text/html", "<html><title>x", false, "html", "", ""},
		{"JSON for a page", "text/html", `{}`, false, "json", "", "is JSON"},
		{"Swagger", "application/json", `{"swagger":"2.0","info":{"title":"Pets","version":"1"}}`, false, "json", "Pets 1", ""},
		{"a title that is no description's", "application/json", `{"info":{"title":"Pets"}}`, false, "json", "", ""},
		{"bytes", "application/octet-stream", "\x00\x01\xff", false, "binary", "", ""},
		{"text", "text/plain", "grüß", false, "text", "", ""},
		{"a character that was cut", "text/plain", "gr\xc3", true, "text", "", ""},
	} {
		s := ShapeOf(c.said, []byte(c.body), !c.part)
		if s.Is != c.is || s.Title != c.title || c.problem == "" != (s.Problem == "") || !strings.Contains(s.Problem, c.problem) {
			t.Errorf("%s: %+v, want %s, %q, %q", c.name, s, c.is, c.title, c.problem)
		}
	}
}

func FuzzShapeOf(f *testing.F) {
	for _, s := range []string{`{"openapi":"3.1.0","info":{"title":"x"}}`, `[1,2]`, "<title>x</title>", "\xff", strings.Repeat("[", 1000)} {
		f.Add("application/json", []byte(s), true)
		f.Add("text/html", []byte(s), false)
	}
	f.Fuzz(func(t *testing.T, said string, body []byte, whole bool) {
		s := ShapeOf(said, body, whole)
		if s.Is == "" || len(s.Title) > 300 || len(s.Members) > 12 {
			t.Errorf("%+v", s)
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := ReadMetrics([]byte("# TYPE node_load1 gauge\nnode_load1 2.5\nnode_load1x 9\n" +
		`node_filesystem_size_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} 100` + "\n" +
		`node_filesystem_avail_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} 50` + "\n" +
		`node_filesystem_size_bytes{fstype="ext4",mountpoint="/a \"b\", {c}"} 100` + "\n" +
		`node_filesystem_avail_bytes{fstype="ext4",mountpoint="/a \"b\", {c}"} 1 1700000000` + "\n" +
		`node_filesystem_size_bytes{fstype="tmpfs",mountpoint="/run"} 1` + "\n" +
		"process_open_fds NaN\nprocess_max_fds +Inf\nnode_cpu_seconds_total{cpu=\"0\n{}\n"))
	if m.Value("node_load1") != 2.5 || m.Has("process_open_fds") || m.Has("process_max_fds") || m.CPUs() != 0 || m.Has("node_load1x") {
		t.Errorf("%+v", m)
	}
	if size, free, where := m.FullestDisk(); size != 100 || free != 1 || where != `/a \"b\", {c}` {
		t.Errorf("the fullest disk is %q, %v of %v", where, free, size)
	}
}

func FuzzReadMetrics(f *testing.F) {
	f.Add([]byte("node_load1 1\nnode_cpu_seconds_total{cpu=\"0\\\"\",mode=\"x\"} 1\n"))
	f.Add([]byte("a{b=\"\\"))
	f.Fuzz(func(t *testing.T, page []byte) {
		m := ReadMetrics(page)
		if m.Len() > len(MetricNames()) {
			t.Errorf("%d metrics", m.Len())
		}
	})
}

func TestResolversOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	text := "# a comment\nsearch example.com\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver nonsense\nnameserver\n" + strings.Repeat("nameserver 192.0.2.9\n", 9)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.9:53", "192.0.2.9:53"}
	if got := Resolvers(path); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Resolvers(path + "x"); got != nil {
		t.Errorf("a missing file has %q", got)
	}
}

// TestALyingResolver answers with what belongs to another question, and then with noise.
func TestALyingResolver(t *testing.T) {
	t.Parallel()
	nc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := nc.ReadFrom(buf)
			if err != nil {
				return
			}
			wrong := slices.Clone(buf[:n])
			wrong[0]++
			wrong[2] |= 0x80
			_, _ = nc.WriteTo(wrong, from)
			_, _ = nc.WriteTo([]byte("\xff\xff"), from)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if a := Lookup(ctx, nc.LocalAddr().String(), "orders.test"); a.Good() || !a.Timeout || a.Took > 5*time.Second {
		t.Errorf("%+v", a)
	}
	if a := Lookup(t.Context(), nc.LocalAddr().String(), strings.Repeat("x", 300)); a.Err == "" {
		t.Errorf("a name too long for DNS: %+v", a)
	}
}

func TestConnectKeepsTheOrder(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	well := netip.MustParseAddrPort(l.Addr().String())
	dead := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), well.Port())
	list := Connect(t.Context(), []netip.AddrPort{dead, well, dead}, time.Second)
	if list[0].Good() || !list[1].Good() || list[2].Good() || list[0].Errno != syscall.ECONNREFUSED || list[1].Local == "" {
		t.Errorf("%+v", list)
	}
}
