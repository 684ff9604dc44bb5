package faulty

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func dialFails(want syscall.Errno) proof {
	return func(t *testing.T, u *Upstream) {
		_, _, err := fetch(t, client(t, u), get(t, u))
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func resolves(within time.Duration, is func(*net.DNSError) bool) proof {
	return func(t *testing.T, u *Upstream) {
		ctx := t.Context()
		if within > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, within)
			defer cancel()
		}
		addrs, err := resolver(u).LookupHost(ctx, "orders.test")
		var e *net.DNSError
		if !errors.As(err, &e) || !is(e) {
			t.Errorf("got %v and %#v", addrs, err)
		}
		if u.Counts().Queries == 0 {
			t.Error("the resolver saw no question")
		}
	}
}

func resolverDown(t *testing.T, u *Upstream) {
	conn, err := net.Dial("udp", u.Resolver)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patient))
	if _, err := conn.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("UDP: got %v, want ECONNREFUSED", err)
	}
}

func askedOverTCP(t *testing.T, u *Upstream) {
	answers(200, "ok\n")(t, u)
	// The resolver's TCP connection and the server's own.
	if n := u.Connections(); n < 2 {
		t.Errorf("%d TCP connections, want one more for the second question", n)
	}
}

func deadThenLive(t *testing.T, u *Upstream) {
	addrs, err := resolver(u).LookupHost(t.Context(), "orders.test")
	if err != nil || !slices.Equal(addrs, []string{"127.0.0.2", "127.0.0.1"}) {
		t.Fatalf("got %v, %v, want the dead address first", addrs, err)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(u.URL, "http://"))
	if conn, err := net.Dial("tcp", "127.0.0.2:"+port); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the dead address gave %v, %v", conn, err)
	}
	answers(200, "ok\n")(t, u)
}

func connectTimesOut(t *testing.T, u *Upstream) {
	_, addr := address(t, u)
	for range 2 { // a try does not make room for the next
		conn, err := net.DialTimeout("tcp", addr, quiet)
		var e net.Error
		if !errors.As(err, &e) || !e.Timeout() {
			t.Fatalf("got %v, %v, want a timeout", conn, err)
		}
	}
}

func resetAtOnce(t *testing.T, u *Upstream) {
	network, addr := address(t, u)
	conn, err := net.Dial(network, addr)
	if errors.Is(err, syscall.ECONNRESET) {
		return // the reset was faster than connect
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, end := drain(t, conn, patient); got != "" || end != endRST {
		t.Errorf("got %q, %s", got, end)
	}
}

// deniedToOthers dials as nobody: root is denied nothing.
func deniedToOthers(t *testing.T, u *Upstream) {
	_, path := address(t, u)
	if runtime.GOOS != "linux" {
		dialFails(syscall.EACCES)(t, u)
		return
	}
	done := make(chan error)
	go func() {
		// The thread is never unlocked, so that it ends with the goroutine and nobody else runs as nobody.
		runtime.LockOSThread()
		dropRoot()
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
		}
		done <- err
	}()
	if err := <-done; !errors.Is(err, syscall.EACCES) {
		t.Errorf("got %v, want EACCES", err)
	}
}

// rejected: the client refuses the certificate with an E for which is says yes.
func rejected[E error](is func(E) bool) proof {
	return func(t *testing.T, u *Upstream) {
		_, _, err := fetch(t, client(t, u), get(t, u))
		var verify *tls.CertificateVerificationError
		var e E
		if !errors.As(err, &verify) || !errors.As(err, &e) || is != nil && !is(e) {
			t.Errorf("got %v (%T), want %T", err, err, e)
		}
	}
}

func handshakeFails(want string) proof {
	return func(t *testing.T, u *Upstream) {
		_, _, err := fetch(t, client(t, u), get(t, u))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func demandsCertificate(version uint16, refusal string) proof {
	return func(t *testing.T, u *Upstream) {
		handshakeFails(refusal)(t, u)

		cert, err := tls.LoadX509KeyPair(u.ClientCertFile, u.ClientKeyFile)
		if err != nil {
			t.Fatal(err)
		}
		c := client(t, u)
		c.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
		res, body, err := fetch(t, c, get(t, u))
		if err != nil || body != "ok\n" || res.TLS.Version != version {
			t.Errorf("with the certificate it accepts: %q, %v", body, err)
		}
	}
}

// plainToHello sends a ClientHello to a server that does not speak TLS.
func plainToHello(want string) proof {
	return func(t *testing.T, u *Upstream) {
		conn := tls.Client(dial(t, u), tlsClientFor(t, u))
		err := conn.Handshake()
		var e tls.RecordHeaderError
		if !errors.As(err, &e) || !strings.HasPrefix(want, string(e.RecordHeader[:3])) && string(e.RecordHeader[:5]) != "HTTP/" {
			t.Fatalf("got %v, want a record header of plain text", err)
		}
		if got := talk(t, u, "\x16\x03\x01\x00\x05hello", want, endFIN); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

func tlsClientFor(t *testing.T, u *Upstream) *tls.Config {
	cfg := tlsClient(t, u)
	if cfg.ServerName == "" {
		cfg.ServerName = "127.0.0.1"
	}
	return cfg
}

// overTLS: inside TLS everything of want comes, and then that error.
func overTLS(want string, end error) proof {
	return func(t *testing.T, u *Upstream) {
		conn := tls.Client(dial(t, u), tlsClientFor(t, u))
		if _, err := io.WriteString(conn, getX); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		_, err := io.Copy(&got, conn)
		if err == nil {
			err = io.EOF // the way io.Copy tells it
		}
		if got.String() != want || !errors.Is(err, end) {
			t.Errorf("got %q, %v; want %q, %v", got.String(), err, want, end)
		}
	}
}
