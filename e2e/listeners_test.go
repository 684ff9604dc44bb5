package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// over is a client whose every connection goes to one place, from one local address.
func over(t *testing.T, network, address, from string, config *tls.Config) *http.Client {
	t.Helper()
	c := client(t)
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	tr := c.Transport.(*http.Transport)
	tr.TLSClientConfig = config
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, network, address) }
	return c
}

// One program, several addresses: each kind serves the same calls, and says so in the ready line.
func TestSeveralAddresses(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	socket := filepath.Join(shortDir(t), "gw.sock")
	v6, plain := strings.Replace(freePort(t), "127.0.0.1", "[::1]", 1), freePort(t)
	cert := newCertificate(t, "one.test")
	config := func(more string) string {
		return "version: 1\n" + strings.TrimSuffix(tlsConfig(cert), "}\n") +
			fmt.Sprintf(", reuse_port: 2, listen: [\"127.0.0.1:0\", %q, {address: %q, tls: false}, {address: %q, tls: false, mode: \"0600\"}%s]}\n", v6, plain, "unix:"+socket, more) +
			"services:\n" + openService("s", fmt.Sprintf("targets: [{url: %q}]", up.URL))
	}
	g := serve(t, config(""), listenOn(""))
	if !strings.HasPrefix(g.URL, "https://127.0.0.1:") || strings.Join(g.Also, " ") != "https://"+v6+" http://"+plain+" unix:"+socket {
		t.Errorf("ready at %s and %v", g.URL, g.Also)
	}
	trusting := &tls.Config{InsecureSkipVerify: true}
	for _, c := range []struct {
		name           string
		url            string
		client         *http.Client
		remote         string
		xff, forwarded string
	}{
		{"IPv4", g.URL, over(t, "tcp", g.Addr, "", trusting), "127.0.0.1", "X-Forwarded-For: 127.0.0.1", `Forwarded: for=127.0.0.1;host="`},
		{"IPv6", "https://" + v6, over(t, "tcp", v6, "", trusting), "::1", "X-Forwarded-For: ::1", `Forwarded: for="[::1]";host="` + v6 + `"`},
		{"plain beside TLS", "http://" + plain, over(t, "tcp", plain, "", nil), "127.0.0.1", "X-Forwarded-Proto: http\n", ";proto=http\n"},
		{"a Unix socket", "http://gw.test", over(t, "unix", socket, "", nil), "", "X-Forwarded-For: unknown", `Forwarded: for=unknown;host="gw.test"`},
	} {
		a := fetch(t, c.client, "GET", c.url+"/s/x", nil)
		want(t, c.name+": status", a.status, 200)
		contains(t, c.name, strings.ReplaceAll(string(a.body), "\r\n", "\n"), c.xff, c.forwarded)
		want(t, c.name+": the caller in the log", g.record(t, a.id).Remote, c.remote)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	g.configure(t, config(", systemd"))
	if _, ok := g.errs.find(patience, func(line string) bool {
		return strings.Contains(line, "server.listen has changed") && strings.Contains(line, "SIGUSR2")
	}); !ok {
		t.Errorf("nothing is said of another address:\n%s", g.errs.all())
	}
	want(t, "exit", g.stop(t), 0)
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// IPv6 on both sides: targets, Host forms, and what an error says.
func TestIPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	up := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s from %s", r.Host, r.RemoteAddr) })}
	go func() { _ = up.Serve(l) }()
	defer up.Close()
	gone, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	g := serve(t, "version: 1\nservices:\n"+
		openService("six", fmt.Sprintf("targets: [{url: %q}]", "http://"+l.Addr().String()))+
		openService("gone", fmt.Sprintf("targets: [{url: %q}], retries: {max: 0}", "http://"+gone.Addr().String())), listenOn("[::1]:0"))
	if !strings.HasPrefix(g.URL, "http://[::1]:") {
		t.Fatalf("ready at %s", g.URL)
	}
	c := client(t)
	a := fetch(t, c, "GET", g.URL+"/six/x", nil)
	contains(t, "the upstream", string(a.body), l.Addr().String()+" from [::1]:")
	a = fetch(t, c, "GET", g.URL+"/gone/x", nil)
	p := a.problem(t)
	want(t, "kind", p.Kind, "connection_refused")
	contains(t, "its detail", p.Detail, gone.Addr().String())
	for host, status := range map[string]int{"[::1]": 200, "[::1]:80": 200, "[2001:db8::1]:8080": 200, "[::1": 400, "::1": 400, "[fe80::1%25eth0]": 400, "[fe80::1%eth0]": 400, "[::1]x": 400, "[v1.x]": 400} {
		conn, err := net.Dial("tcp", g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /six/x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || !strings.HasPrefix(string(answer), fmt.Sprintf("HTTP/1.1 %d ", status)) {
			t.Errorf("Host: %s gets %.60q, %v; want %d", host, answer, err, status)
		}
	}
}

// Sockets that systemd has opened are taken by name; LISTEN_PID is what the shell says it is.
func TestSystemdSockets(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	var files []*os.File
	var addresses []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		l.Close()
		defer file.Close()
		files = append(files, file)
	}
	notify := filepath.Join(shortDir(t), "notify")
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	data := shortDir(t)
	config := filepath.Join(data, "causeway.yaml")
	text := "version: 1\nserver: {listen: [\"systemd:web\"]}\nservices:\n" + openService("s", "targets: "+f.targets())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &gateway{Data: data, File: config}
	g.process = startWith(t, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=spare:web", "NOTIFY_SOCKET=" + notify}, files,
		"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary, "serve", "--config", config, "--data", data, "--console", "127.0.0.1:0")
	if !g.awaitReady(ample) {
		t.Fatalf("not ready: %s", g.errs.all())
	}
	want(t, "the address", g.Addr, addresses[1])
	want(t, "a call", fetch(t, client(t), "GET", g.URL+"/s/x", nil).status, 200)
	contains(t, "the log", g.errs.all(), "systemd has opened sockets that nothing asks for", "spare")
	hear := func(wanted ...string) {
		t.Helper()
		b := make([]byte, 1000)
		_ = told.SetReadDeadline(time.Now().Add(patience))
		n, err := told.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, "what systemd is told", string(b[:n]), wanted...)
	}
	hear("READY=1", fmt.Sprintf("MAINPID=%d", g.cmd.Process.Pid))
	g.configure(t, text+"# changed\n")
	hear("RELOADING=1\nMONOTONIC_USEC=")
	hear("READY=1")
	want(t, "exit", g.stop(t), 0)
	hear("STOPPING=1")
}

// startHAProxy runs it with a configuration, until it listens at the address.
func startHAProxy(t *testing.T, listens, config string) {
	t.Helper()
	file := filepath.Join(shortDir(t), "haproxy.cfg")
	const head = "global\n  maxconn 200\ndefaults\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n"
	if err := os.WriteFile(file, []byte(head+config), 0o600); err != nil {
		t.Fatal(err)
	}
	awaitListener(t, start(t, nil, needs(t, "haproxy", "/usr/sbin/haproxy"), "-db", "-f", file), listens)
}

// HAProxy before the gateway says who calls, over plain connections and before TLS, and HAProxy behind
// it is told.
func TestProxyProtocolWithHAProxy(t *testing.T) {
	t.Parallel()
	const caller = "127.10.0.9"
	up := mirror(t)
	cert := newCertificate(t, "one.test")
	gw, secure, front, frontTLS, frontV1, behind := freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t)
	startHAProxy(t, behind, fmt.Sprintf(`frontend behind
  mode http
  bind %s accept-proxy
  http-request return status 200 content-type text/plain lf-string "%%[src]:%%[src_port] to %%[dst]:%%[dst_port]"
`, behind))
	g := serve(t, "version: 1\n"+strings.TrimSuffix(tlsConfig(cert), "}\n")+
		fmt.Sprintf(", listen: [%q, {address: %q, tls: false}], proxy_protocol: {from: [127.0.0.1]}}\n", secure, gw)+
		"services:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}]", up.URL))+
		openService("out1", fmt.Sprintf("targets: [{url: \"http://%s\"}], proxy_protocol: v1", behind))+
		openService("out2", fmt.Sprintf("targets: [{url: \"http://%s\"}], proxy_protocol: v2, health: {path: /healthz, interval: 100ms}", behind)), listenOn(""))
	startHAProxy(t, frontV1, fmt.Sprintf(`listen plain
  mode tcp
  bind %s
  server gw %s send-proxy-v2 proxy-v2-options crc32c,unique-id
listen secure
  mode tcp
  bind %s
  server gw %s send-proxy-v2
listen old
  mode tcp
  bind %s
  server gw %s send-proxy
`, front, gw, frontTLS, secure, frontV1, gw))

	for _, c := range []struct {
		name, front string
		secure      bool
	}{{"version 2 with a checksum", front, false}, {"version 2 before TLS", frontTLS, true}, {"version 1", frontV1, false}} {
		scheme := "http://"
		if c.secure {
			scheme = "https://"
		}
		a := fetch(t, over(t, "tcp", c.front, caller, &tls.Config{InsecureSkipVerify: true}), "GET", scheme+c.front+"/s/x", nil)
		want(t, c.name+": status", a.status, 200)
		contains(t, c.name, string(a.body), "X-Forwarded-For: "+caller)
		want(t, c.name+": the caller in the log", g.record(t, a.id).Remote, caller)
	}
	for _, version := range []string{"1", "2"} {
		if g.metric(t, `causeway_proxy_protocol_headers_total{version="`+version+`"}`) < 1 {
			t.Errorf("no headers of version %s are counted", version)
		}
	}

	for _, version := range []string{"out1", "out2"} {
		c := over(t, "tcp", front, caller, nil)
		first := fetch(t, c, "GET", "http://"+front+"/"+version+"/x", nil)
		contains(t, "sent with "+version, string(first.body), caller+":", " to "+front)
		second := fetch(t, c, "GET", "http://"+front+"/"+version+"/y", nil)
		want(t, version+": the second call of a connection", string(second.body), string(first.body))
		r := g.record(t, second.id)
		want(t, version+": its connection is used again", len(r.Attempts) == 1 && r.Attempts[0].Reused, true)
		other := fetch(t, over(t, "tcp", front, "127.10.0.10", nil), "GET", "http://"+front+"/"+version+"/z", nil)
		contains(t, "another caller with "+version, string(other.body), "127.10.0.10:")
		want(t, version+": its connection is another", g.record(t, other.id).Attempts[0].Reused, false)
	}
	eventually(t, "the health check of a target that wants a header", func() bool {
		return g.metric(t, fmt.Sprintf(`causeway_target_healthy{provider="",service="out2",target="http://%s"}`, behind)) == 1
	})
}

// Connections that do not say who calls as they must: each has a name, in the answer, the log and the
// figures, and there is at most a line a second for all of them.
func TestProxyProtocolRefusals(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	g := serve(t, "version: 1\nserver: {proxy_protocol: {from: [127.0.0.1], timeout: 1500ms}}\nservices:\n"+openService("s", "targets: "+f.targets()))
	say := func(text string) string {
		t.Helper()
		c, err := net.Dial("tcp", g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(c) // what is cut off may end with a reset
		return string(b)
	}
	const request = "GET /s/x HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
	begun := time.Now()
	good := "PROXY TCP4 192.0.2.9 198.51.100.1 4711 443\r\n" + request
	contains(t, "a good one", say(good), "HTTP/1.1 200 ")
	for range 20 {
		contains(t, "none", say(request), "HTTP/1.1 400 Bad Request (proxy_header_missing)", `"kind":"proxy_header_missing"`, `"cause":"configuration"`)
	}
	contains(t, "a malformed one", say("PROXY TCP4 192.0.2.9 198.51.100.1 4711\r\n"+request), "400 Bad Request (proxy_header_malformed)")
	contains(t, "a wrong checksum", say("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x13\x01\x02\x03\x04\x01\x02\x03\x04\x00\x01\x00\x02\x03\x00\x04abcd"+request), "(proxy_header_malformed)", "checksum")
	want(t, "none in time", say("PROXY"), "")
	for reason, n := range map[string]float64{"missing": 20, "malformed": 2, "timeout": 1} {
		want(t, "refused for "+reason, g.metric(t, `causeway_proxy_protocol_refused_total{reason="`+reason+`"}`), n)
	}
	lines := strings.Count(g.errs.all(), "refused for its PROXY protocol header")
	if took := time.Since(begun); lines < 1 || lines > 3+int(took.Seconds()) {
		t.Errorf("%d lines in the log after %v", lines, took)
	}
	kinds := map[string]int{}
	for c := range g.everyCall(t) {
		kinds[c.Kind]++
		if c.Kind == "" {
			want(t, "the caller of the good one", g.record(t, c.ID).Remote, "192.0.2.9")
		}
	}
	want(t, "calls refused in the log", fmt.Sprint(kinds), "map[:1 proxy_header_malformed:2 proxy_header_missing:20]")
}

// A caller on a Unix socket has no address: what an allow list makes of that is told as it is, and the caller can
// read what became of its calls.
func TestACallerOnAUnixSocket(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	socket := filepath.Join(shortDir(t), "gw.sock")
	g := serve(t, fmt.Sprintf("version: 1\nserver: {listen: [\"127.0.0.1:0\", %q]}\nservices:\n", "unix:"+socket)+
		openService("s", "targets: "+f.targets())+"    policies: {ip_allow: [\"127.0.0.0/8\"]}\n", listenOn(""))
	c := over(t, "unix", socket, "", nil)
	a := fetch(t, c, "GET", "http://gw.test/s/x", nil)
	p := a.problem(t)
	want(t, "kind", p.Kind, "address_not_allowed")
	want(t, "detail", p.Detail, "s: calls from a Unix socket, which have no address, are not allowed.")
	contains(t, "its evidence", string(a.body), "the caller is on a Unix socket: it has no address")
	want(t, "its own call", fetch(t, c, "GET", "http://gw.test/.causeway/calls/"+a.id, nil, "Accept", "application/json").status, 200)
	want(t, "another caller's", fetch(t, client(t), "GET", g.URL+"/.causeway/calls/"+a.id, nil, "Accept", "application/json").status, 404)
}
