package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/faulty"
	"causeway/internal/journey"
)

// nobody is a caller who never leaves.
type nobody struct{}

func (nobody) Watch(Canceller) {}
func (nobody) Unwatch()        {}

// newLab makes a lab of bad upstreams that ends with the test.
func newLab(t testing.TB) *faulty.Lab {
	t.Helper()
	lab, err := faulty.New(faulty.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return lab
}

// originOf is the origin of an upstream of a lab.
func originOf(t testing.TB, u *faulty.Upstream) *Origin {
	t.Helper()
	o := OriginOptions{URL: u.URL, Protocol: protocolOf(u.Protocol)}
	if u.CAFile != "" {
		pem, err := os.ReadFile(u.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		o.TLS = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: u.ServerName}
		o.TLS.RootCAs.AppendCertsFromPEM(pem)
	}
	if u.ShowCertFile != "" {
		own, err := tls.LoadX509KeyPair(u.ShowCertFile, u.ShowKeyFile)
		if err != nil {
			t.Fatal(err)
		}
		o.TLS.Certificates = []tls.Certificate{own}
	}
	if len(u.Pins) > 0 {
		o.TLS.VerifyConnection = PinnedTo(u.Pins)
	}
	if u.Resolver != "" {
		o.Resolver = resolverAt(t, u.Resolver)
	}
	return newOrigin(t, o)
}

// resolverAt asks the DNS server at addr. net.Resolver goes on waiting for an answer when its caller
// has given up, so its connections are closed with the test.
func resolverAt(t testing.TB, addr string) *net.Resolver {
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
		conns = nil
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		if err == nil {
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
		return c, err
	}}
}

func newOrigin(t testing.TB, o OriginOptions) *Origin {
	t.Helper()
	g, err := NewOrigin(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Close()
		if n := g.Stats().Open; n != 0 {
			t.Errorf("%d connections to %s are still open", n, g.URL())
		}
	})
	return g
}

// limits that no good answer of a test reaches.
var patient = AttemptLimits{Connect: 5 * time.Second, Send: 5 * time.Second, FirstByte: 5 * time.Second, Idle: 5 * time.Second}

// getCall is a plain GET.
func getCall() *Call {
	return &Call{Head: []byte("GET /x HTTP/1.1\r\nHost: orders.test\r\n\r\n"), Limits: patient}
}

// uploadCall sends a streamed body of n bytes with a declared length.
func uploadCall(n int64) *Call {
	return &Call{
		Head:   fmt.Appendf(nil, "POST /x HTTP/1.1\r\nHost: orders.test\r\nContent-Length: %d\r\n\r\n", n),
		Length: n, Stream: &zeros{left: n}, Limits: patient,
	}
}

// zeros is a body of so many zero bytes, all of them at hand.
type zeros struct {
	left    int64
	stopped atomic.Bool
}

func (z *zeros) ReadBody(p []byte, _ time.Duration) (int, error) {
	switch {
	case z.stopped.Load():
		return 0, &BodyError{Reason: "stopped"}
	case z.left == 0:
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

func (z *zeros) StopReading()   { z.stopped.Store(true) }
func (*zeros) Trailer() *Header { return &Header{} }

// outcome is one attempt as its caller sees it.
type outcome struct {
	journey.Attempt
	body []byte
	err  error // of the body
	none bool  // no answer came
}

// attempt makes one attempt, reads the answer to its end and releases it.
func attempt(g *Origin, call *Call) *outcome {
	o := &outcome{}
	u := g.Try(call, &o.Attempt, nobody{})
	if u == nil {
		o.none = true
		return o
	}
	for {
		p, err := u.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) || !u.Complete() {
				o.err = err
			}
			break
		}
		o.body = append(o.body, p...)
	}
	u.Release()
	return o
}

// show is what a failing test prints of an attempt.
func (o *outcome) show() string {
	var b strings.Builder
	fmt.Fprintf(&b, "phase=%s end=%s errno=%d fault=%s limit=%s status=%d reused=%v sent=%v out=%d/%d/%d in=%d/%d/%d offset=%d err=%v",
		o.Phase, o.End, o.Errno, o.Fault, o.Limit, o.Status, o.Reused, o.SendComplete,
		o.BytesOut, o.BodyOut, o.BodyOutLen, o.BytesIn, o.BodyIn, o.BodyInLen, o.Offset, o.err)
	if len(o.First) > 0 {
		fmt.Fprintf(&b, " first=%.30q", o.First)
	}
	if len(o.Line) > 0 {
		fmt.Fprintf(&b, " line=%.30q", o.Line)
	}
	if o.DNS != nil {
		fmt.Fprintf(&b, " dns=%+v", *o.DNS)
	}
	if o.TLS != nil {
		fmt.Fprintf(&b, " tls={%s alert=%d %s asked=%v after=%v chain=%d subject=%q names=%q %s}", o.TLS.Reason, o.TLS.Alert, o.TLS.AlertText, o.TLS.Asked, o.TLS.AfterComplete, o.TLS.Chain, o.TLS.Subject, o.TLS.Names, o.TLS.Err)
	}
	for _, t := range o.Tries {
		fmt.Fprintf(&b, " try=%s/%d/%v", t.Address, t.Errno, t.Timeout)
	}
	return b.String()
}
