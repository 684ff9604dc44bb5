package e2e

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// nginxServer is a real nginx in the foreground, with a folder of its own.
type nginxServer struct {
	*process
	URL, Folder string
}

// startNginx runs nginx with the inside of a server block.
func startNginx(t *testing.T, server string) *nginxServer {
	t.Helper()
	name := needs(t, "nginx", "/usr/sbin/nginx")
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	addr := freePort(t)
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n"
	}
	config := user + fmt.Sprintf(`
daemon off;
master_process off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 512; }
http {
  access_log off;
  default_type text/plain;
  client_max_body_size 0;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    root %[1]s/www;
    %[3]s
  }
}
`, dir, addr, server)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	www := filepath.Join(dir, "www")
	if err := os.Mkdir(www, 0o755); err != nil {
		t.Fatal(err)
	}
	n := &nginxServer{URL: "http://" + addr, Folder: www}
	n.process = start(t, nil, name, "-p", dir, "-c", file)
	awaitListener(t, n.process, addr)
	return n
}

func (n *nginxServer) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.Folder, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// goUpstream is a server on net/http with the behaviours that the REST stories ask for.
type goUpstream struct {
	URL    string
	events chan struct{} // one event of /sse for each
}

func startGo(t *testing.T) *goUpstream {
	t.Helper()
	u := &goUpstream{events: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Query", r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/x-echo")
		_, _ = w.Write(body)
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		sum := crc32.NewIEEE()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %08x %v", n, sum.Sum32(), err)
	})
	mux.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
		if r.URL.Query().Get("framing") == "length" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		_, _ = io.CopyN(w, &counting{}, size)
	})
	mux.HandleFunc("/sse", u.sse)
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Checksum")
		_, _ = io.WriteString(w, "with trailers")
		w.Header().Set("X-Checksum", "abc "+r.Trailer.Get("X-Sent"))
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "after the hints")
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		w.Header().Set("ETag", `"v1"`)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Accept-Encoding", r.Header.Get("Accept-Encoding"))
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			_, _ = io.WriteString(w, "plain")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "compressed")
		_ = z.Close()
	})
	server := httptest.NewServer(mux)
	u.URL = server.URL
	t.Cleanup(server.Close)
	return u
}

// sse sends one event for each permission, so that a reader who got one has not got the next.
func (u *goUpstream) sse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for i := 0; ; i++ {
		select {
		case _, more := <-u.events:
			if !more {
				return
			}
			fmt.Fprintf(w, "data: event %d\n\n", i)
			_ = flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// counting is an endless body in which every place can be told from the next.
type counting struct{ at int64 }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c.at * 2654435761 >> 13)
		c.at++
	}
	return len(p), nil
}

// sumOf is the checksum of size bytes of counting.
func sumOf(size int64) uint32 {
	sum := crc32.NewIEEE()
	_, _ = io.CopyN(sum, &counting{}, size)
	return sum.Sum32()
}

// mirror is an upstream that answers every request with its own head, line by line, as it came.
func mirror(t *testing.T) *rawServer {
	return listenRaw(t, func(c *rawConn) {
		for {
			head := c.head()
			if head == nil {
				return
			}
			for _, line := range head {
				name, value, _ := strings.Cut(line, ":")
				if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && strings.EqualFold(name, "content-length") {
					_, _ = io.CopyN(io.Discard, c.br, int64(n))
				}
			}
			text := strings.Join(head, "\n") + "\n"
			if !c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text)) {
				return
			}
		}
	})
}

// fields are the lines of a mirrored head with that name, without it.
func fields(head []byte, name string) (values []string) {
	for line := range strings.Lines(string(head)) {
		n, v, ok := strings.Cut(strings.TrimRight(line, "\n"), ":")
		if ok && strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// hostPort is the address in a URL.
func hostPort(url string) string {
	_, addr, _ := strings.Cut(url, "://")
	addr, _, _ = strings.Cut(addr, "/")
	return addr
}

func portOf(url string) string {
	_, port, _ := net.SplitHostPort(hostPort(url))
	return port
}

// vmHWM is the most memory that a process has had, in bytes.
func vmHWM(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

func newSum() hash.Hash32 { return crc32.NewIEEE() }

// selfSigned writes a certificate of its own for the name and 127.0.0.1.
func selfSigned(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
