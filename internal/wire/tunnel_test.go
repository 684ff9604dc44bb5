package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"causeway/internal/journey"
)

const upgradeRequest = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\nX-A: b\r\n\r\n"

// startTunnel opens a door that joins every call to an upstream, and tells how the tunnels ended.
func startTunnel(t *testing.T, o OriginOptions, door *tls.Config, idle time.Duration) (addr string, d *Door, ends <-chan TunnelEnd) {
	t.Helper()
	ch := make(chan TunnelEnd, 10)
	g := newOrigin(t, o)
	h := handler{serve: func(ex Exchange) {
		call := &Call{Head: []byte(upgradeRequest), Upgrade: true, Limits: patient}
		var a journey.Attempt
		u := g.Try(call, &a, ex)
		if u == nil {
			reply(ex, 502, a.End.String())
			return
		}
		if u.Response.Status != 101 {
			u.Release()
			reply(ex, u.Response.Status, "")
			return
		}
		fields := &u.Response.Header
		fields.DelName([]byte("Upgrade"))
		if err := ex.Switch([]byte("echo/1"), fields); err != nil {
			t.Error(err)
			return
		}
		caller, err := ex.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		ex.Unwatch()
		server := u.Hijack()
		if a.Status != 101 || a.End != journey.EndComplete {
			t.Errorf("status %d, end %s", a.Status, a.End)
		}
		joint := NewJoint(caller, server, TunnelOptions{Idle: idle, Protocol: []byte("echo/1")})
		ex.Watch(joint)
		end := joint.Run()
		ex.Unwatch()
		ch <- end
	}}
	addr, d = startDoor(t, DoorOptions{Handler: h, TLS: door, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
	return addr, d, ch
}

// echoes agrees to the upgrade, says what it has to say at once, and echoes until the end.
func echoes(first string) func(net.Conn) {
	return func(c net.Conn) {
		br := bufio.NewReader(c)
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		_, _ = io.WriteString(c, switched+first)
		_, _ = io.Copy(c, br)
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}
}

func TestATunnelCarriesBytesBothWays(t *testing.T) {
	server, client := testTLS(t)
	for _, outer := range []bool{false, true} {
		for _, inner := range []bool{false, true} {
			t.Run(fmt.Sprintf("TLS %v and %v", outer, inner), func(t *testing.T) {
				url, roots := rawServer(t, inner, echoes("welcome "))
				var door *tls.Config
				if outer {
					door = server
				}
				addr, _, ends := startTunnel(t, OriginOptions{URL: url, TLS: roots}, door, 5*time.Second)
				var c *caller
				if outer {
					c = dialTLS(t, addr, trusting(client))
				} else {
					c = dial(t, addr)
				}
				// The caller does not wait for the answer either.
				c.send("%sahead", upgradeRequest)
				res, err := readResponse(c)
				if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "echo/1" || res.Header.Get("Connection") != "Upgrade" || res.Header.Get("X-A") != "b" {
					t.Fatalf("got %v, %v", res, err)
				}
				if got := c.raw(13); got != "welcome ahead" {
					t.Fatalf("got %q", got)
				}
				long := strings.Repeat("0123456789abcdef", 20_000)
				go io.WriteString(c, long)
				if got := c.raw(len(long)); got != long {
					t.Fatal("what came back is not what was sent")
				}
				// Closing one side ends that direction; what the other still says arrives.
				c.send("last words")
				if half, ok := c.Conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
					t.Fatal("cannot close one side")
				}
				if got := c.raw(10); got != "last words" {
					t.Errorf("got %q", got)
				}
				c.wantEnd("FIN")
				end := soon(t, "the tunnel's end", ends)
				if up, down := int64(len("ahead")+len(long)+10), int64(len("welcome ahead")+len(long)+10); end.Facts.Up != up || end.Facts.Down != down || end.Failed() || end.Facts.By != journey.SideCaller {
					t.Errorf("%+v, want %d up and %d down, ended by the caller", end, up, down)
				}
			})
		}
	}
}

func TestATunnelEndsWithEitherSide(t *testing.T) {
	for name, c := range map[string]struct {
		upstream func(net.Conn)
		caller   func(*caller)
		by       journey.Side
	}{
		"the caller resets": {echoes("x"), func(c *caller) { reset(c.Conn) }, journey.SideCaller},
		"the caller closes": {echoes("x"), func(c *caller) { c.Close() }, journey.SideCaller},
		"the upstream resets": {func(c net.Conn) {
			skipRequest(c)
			io.WriteString(c, switched+"x")
			io.ReadFull(c, make([]byte, 1))
			reset(c)
		}, func(c *caller) { c.send("y") }, journey.SideUpstream},
		"the upstream closes": {func(c net.Conn) { skipRequest(c); io.WriteString(c, switched+"x") }, func(c *caller) { c.wantEnd("FIN"); c.Close() }, journey.SideUpstream},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := rawServer(t, false, c.upstream)
			addr, d, ends := startTunnel(t, OriginOptions{URL: url}, nil, 0)
			conn := dial(t, addr)
			conn.send("%s", upgradeRequest)
			conn.raw(len(switched) + 1)
			c.caller(conn)
			if end := soon(t, "the tunnel's end", ends); end.Facts.By != c.by || end.Idle {
				t.Errorf("%+v", end)
			}
			for range 1000 {
				if d.Stats().Open == 0 {
					return
				}
				time.Sleep(time.Millisecond)
			}
			t.Error("the connection is still counted as open")
		})
	}
}

func TestASilentTunnelReachesTheIdleLimit(t *testing.T) {
	url, _ := rawServer(t, false, echoes(""))
	addr, _, ends := startTunnel(t, OriginOptions{URL: url}, nil, 500*time.Millisecond)
	c := dial(t, addr)
	c.send("%s", upgradeRequest)
	c.raw(len(switched))
	began := time.Now()
	for range 4 { // bytes in one direction keep both open
		time.Sleep(140 * time.Millisecond)
		c.send("x")
		c.raw(1)
	}
	c.wantEnd("FIN")
	if end := soon(t, "the tunnel's end", ends); !end.Idle || end.Facts.Up != 4 || end.Facts.Down != 4 || end.Facts.By != journey.SideGateway {
		t.Errorf("%+v", end)
	}
	if took := time.Since(began); took < 1040*time.Millisecond {
		t.Errorf("closed after %v, with the last byte after 560 ms and a limit of 500 ms", took)
	}
}

func TestDrainEndsATunnelThatDoesNotEndByItself(t *testing.T) {
	url, _ := rawServer(t, false, echoes(""))
	addr, d, ends := startTunnel(t, OriginOptions{URL: url}, nil, time.Minute)
	c := dial(t, addr)
	c.send("%s", upgradeRequest)
	c.raw(len(switched))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := d.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
		t.Errorf("Shutdown took %v, %v", time.Since(began), err)
	}
	c.wantEnd("FIN")
	if end := soon(t, "the tunnel's end", ends); !end.Drained || end.Facts.By != journey.SideGateway {
		t.Errorf("%+v", end)
	}
}

func TestHijackAfterAnAnswerIsRefused(t *testing.T) {
	addr := serve(t, func(ex Exchange) {
		reply(ex, 200, "ok")
		if _, err := ex.Hijack(); err == nil {
			t.Error("a connection whose answer has ended was handed over")
		}
		if err := ex.Switch([]byte("x"), &Header{}); err == nil {
			t.Error("a second answer was begun")
		}
	})
	c := dial(t, addr)
	c.send("%s%s", get("/"), get("/"))
	c.want("GET", 200, "ok")
	c.want("GET", 200, "ok")
}
