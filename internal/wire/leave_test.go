package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/listen"
)

// TestLeavingLosesNoCall: callers on idle connections are not cut off when another process serves the
// addresses: each has one more answer, which asks to connect anew.
func TestLeavingLosesNoCall(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	d := newDrainable(t, handler{serve: func(ex Exchange) {
		if string(ex.Request().Path) == "/stream" {
			_ = ex.Start(200, "", &Header{}, 5, -1)
			_ = ex.Flush()
			close(begun)
			<-finish
			_ = ex.Write([]byte("hello"))
			_ = ex.End(nil)
			return
		}
		reply(ex, 200, "ok")
	}})
	var idle []*caller
	for range 20 {
		c := dial(t, d.addr)
		c.send("%s", get("/"))
		if res := c.want("GET", 200, "ok"); res.Close {
			t.Fatal("a connection ends without a reason")
		}
		idle = append(idle, c)
	}
	stream, silent := dial(t, d.addr), dial(t, d.addr)
	stream.send("%s", get("/stream"))
	soon(t, "the stream", begun)
	for d.Stats().Accepted < 22 {
		time.Sleep(time.Millisecond)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	left := make(chan error, 1)
	go func() { left <- d.Leave(ctx) }()
	if err := soon(t, "Serve to return", d.served); err != nil {
		t.Errorf("serving ended with %v", err)
	}
	if c, err := net.Dial("tcp", d.addr); err == nil {
		c.Close()
		t.Error("the address still accepts connections")
	}
	for _, c := range append(idle, silent) {
		c.send("%s", get("/"))
		if res := c.want("GET", 200, "ok"); !res.Close {
			t.Error("the answer does not ask to connect anew")
		}
		c.wantEnd("FIN")
	}
	select {
	case err := <-left:
		t.Errorf("it left with a call in flight: %v", err)
	default:
	}
	close(finish)
	stream.want("GET", 200, "hello") // its head had gone out, so its connection may have another call
	stream.send("%s", get("/"))
	if res := stream.want("GET", 200, "ok"); !res.Close {
		t.Error("the answer after the stream does not ask to connect anew")
	}
	if err := soon(t, "everybody to leave", left); err != nil {
		t.Errorf("leaving: %v", err)
	}
	if err := d.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLeavingEndsWithItsTime(t *testing.T) {
	d := newDrainable(t, handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }})
	c := dial(t, d.addr)
	c.send("%s", get("/"))
	c.want("GET", 200, "ok")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := d.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("leaving ended with %v", err)
	}
	if _, err := d.drain(t, 5*time.Second); err != nil {
		t.Error(err)
	}
	c.wantEnd("FIN")
}

// TestLeavingTellsHTTP2 to open no further streams.
func TestLeavingTellsHTTP2(t *testing.T) {
	secure, client := testTLS(t)
	d, err := NewDoor(DoorOptions{
		Handler: handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }}, TLS: secure, HTTP2: &HTTP2Options{},
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve(l) }()
	tr := &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	call := func() error {
		res, err := (&http.Client{Transport: tr}).Get("https://" + l.Addr().String() + "/")
		if err == nil {
			err = res.Body.Close()
			if res.ProtoMajor != 2 {
				t.Errorf("it speaks %s", res.Proto)
			}
		}
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := d.Leave(ctx); err != nil { // it ends with the last connection
		t.Errorf("leaving: %v", err)
	}
	if err := soon(t, "Serve to return", served); err != nil {
		t.Error(err)
	}
	if err := d.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// headers reads PROXY protocol headers as the program does.
type headers struct{ *listen.Proxy }

func (h headers) Read(nc net.Conn) (netip.AddrPort, netip.AddrPort, *PreambleError) {
	said, _, err := h.Proxy.Read(nc)
	if err != nil {
		return said.From, said.To, &PreambleError{
			Missing: errors.Is(err, listen.ErrMissing), Silent: errors.Is(err, listen.ErrClosed) || errors.Is(err, listen.ErrTimeout), Detail: err.Error(),
		}
	}
	return said.From, said.To, nil
}

func headersFrom(network string) Preamble {
	return headers{listen.NewProxy(listen.ProxyOptions{From: []netip.Prefix{netip.MustParsePrefix(network)}, Timeout: 100 * time.Millisecond}, &listen.ProxyCounts{})}
}

func TestThePreambleSaysWhoCalls(t *testing.T) {
	secure, client := testTLS(t)
	whoCalls := handler{serve: func(ex Exchange) {
		reply(ex, 200, fmt.Sprintf("%s|%s|%s", ex.Remote(), ex.RemoteIP(), ex.Local()))
	}}
	for _, c := range []struct{ name, header, want string }{
		{"version 1", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1:56324|192.0.2.1|198.51.100.2:443"},
		{"IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", "[2001:db8::1]:56324|2001:db8::1|[2001:db8::2]:443"},
		{"the load balancer's own", "PROXY UNKNOWN\r\n", "own"},
	} {
		for _, withTLS := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", c.name, withTLS), func(t *testing.T) {
				o := DoorOptions{Handler: whoCalls, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, Preamble: headersFrom("127.0.0.0/8")}
				if withTLS {
					o.TLS = secure
				}
				addr, _ := startDoor(t, o)
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := nc.Write([]byte(c.header)); err != nil {
					t.Fatal(err)
				}
				own := fmt.Sprintf("%s|127.0.0.1|%s", nc.LocalAddr(), addr)
				if withTLS {
					config := client.Clone()
					config.ServerName = "127.0.0.1"
					nc = tls.Client(nc, config)
				}
				caller := newCaller(t, nc)
				for range 2 {
					want := c.want
					if want == "own" {
						want = own
					}
					caller.send("%s", get("/"))
					caller.want("GET", 200, want)
				}
			})
		}
	}
}

func TestAPreambleThatIsNoGood(t *testing.T) {
	secure, _ := testTLS(t)
	var refused atomic.Pointer[Refusal]
	h := handler{
		serve: func(ex Exchange) { reply(ex, 200, "served") },
		refuse: func(ex Exchange, why *Refusal) {
			if since := time.Since(ex.Began()); since < 0 || since > time.Minute {
				t.Errorf("the call began %v ago", since)
			}
			r := *why
			refused.Store(&r)
			reply(ex, 400, "refused")
		},
	}
	for _, c := range []struct {
		name   string
		from   string
		tls    bool
		sent   string
		reason RefusalReason
		status int
		ends   string
	}{
		{"a request without one", "127.0.0.0/8", false, get("/"), RefuseNoPreamble, 400, "FIN"},
		{"a malformed one", "127.0.0.0/8", false, "PROXY TCP4 x\r\n" + get("/"), RefusePreamble, 400, "FIN"},
		{"none in time", "127.0.0.0/8", false, "", 0, 0, "FIN"},
		{"half of one", "127.0.0.0/8", false, "PROXY ", 0, 0, "FIN"},
		{"from somebody else, as a request", "10.0.0.0/8", false, "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n\r\n", RefuseMalformed, 400, "FIN"},
		{"from somebody else, none", "10.0.0.0/8", false, get("/"), 0, 200, ""},
		{"on TLS", "127.0.0.0/8", true, "\x16\x03\x01\x02\x00\x01\x00", 0, 0, "RST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused.Store(nil)
			o := DoorOptions{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, Preamble: headersFrom(c.from)}
			if c.tls {
				o.TLS = secure
			}
			addr, _ := startDoor(t, o)
			caller := dial(t, addr)
			caller.send("%s", c.sent)
			if c.status > 0 {
				if res, _ := caller.answer("GET"); res.StatusCode != c.status {
					t.Errorf("got %s", res.Status)
				}
			}
			if c.ends != "" {
				caller.wantEnd(c.ends)
			}
			r := refused.Load()
			if (r != nil) != (c.status == 400) || r != nil && r.Reason != c.reason {
				t.Errorf("refused with %+v", r)
			}
		})
	}
}

// TestAPlainAddressBesideTLS: a listener says that its connections are not TLS's.
func TestAPlainAddressBesideTLS(t *testing.T) {
	secure, client := testTLS(t)
	addr, d := startDoor(t, DoorOptions{
		Handler: handler{serve: func(ex Exchange) { reply(ex, 200, fmt.Sprint(ex.TLS() != nil)) }}, TLS: secure, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second,
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve(plainListener{l}) }()
	plain, tlsCaller := dial(t, l.Addr().String()), dialTLS(t, addr, client)
	plain.send("%s", get("/"))
	plain.want("GET", 200, "false")
	tlsCaller.send("%s", get("/"))
	tlsCaller.want("GET", 200, "true")
	d.StopAccepting()
	if err := soon(t, "Serve to return", served); err != nil {
		t.Error(err)
	}
}

type plainListener struct{ net.Listener }

func (plainListener) Plain() bool { return true }
