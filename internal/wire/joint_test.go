package wire

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"causeway/internal/journey"
)

// pair is a TCP connection's two ends.
func pair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	_ = theirs.SetDeadline(time.Now().Add(10 * time.Second))
	return ours, theirs
}

// joining is a joint at work, seen from both of its peers.
type joining struct {
	caller, upstream net.Conn
	joint            *Joint
	ends             chan TunnelEnd
	told             chan TunnelEnd // what LastWord was told
}

const lastWord = "kind, call"

func join(t testing.TB, idle time.Duration, protocol string, wrapCaller, wrapUpstream func(net.Conn) net.Conn) *joining {
	t.Helper()
	near, caller := pair(t)
	far, upstream := pair(t)
	side := func(nc net.Conn, wrap func(net.Conn) net.Conn) *Tunnel {
		if wrap != nil {
			nc = wrap(nc)
		}
		s := &sock{}
		s.init(nc)
		return newTunnel(s, nil)
	}
	j := &joining{caller: caller, upstream: upstream, ends: make(chan TunnelEnd, 1), told: make(chan TunnelEnd, 1)}
	j.joint = NewJoint(side(near, wrapCaller), side(far, wrapUpstream), TunnelOptions{
		Idle: idle, Protocol: []byte(protocol),
		LastWord: func(e TunnelEnd) (int, string) {
			j.told <- e
			return 1014, lastWord
		},
	})
	go func() { j.ends <- j.joint.Run() }()
	return j
}

func gives(t testing.TB, c net.Conn, p []byte) {
	t.Helper()
	if _, err := c.Write(p); err != nil {
		t.Fatal(err)
	}
}

func takes(t testing.TB, c net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func TestAWebSocketTellsWhoEndedItAndHow(t *testing.T) {
	key := []byte{9, 8, 7, 6}
	up, down := frame(0x82, []byte("question"), key), frame(0x81, []byte("answer"), nil)
	closeUp, closeDown := frame(0x88, []byte("\x03\xe8bye"), key), frame(0x88, []byte("\x03\xf3oops"), nil)
	bye, oops := journey.CloseFrame{Code: 1000, Reason: "bye"}, journey.CloseFrame{Code: 1011, Reason: "oops"}
	for name, c := range map[string]struct {
		idle     time.Duration
		act      func(j *joining)
		caller   string // what the caller gets after the answer
		upstream string // and the upstream after the question; "?" is one that must not be looked at
		want     journey.TunnelFacts
		idled    bool
		reset    bool
		unframed bool
		drained  bool
	}{
		"the caller closes": {
			act: func(j *joining) {
				gives(t, j.caller, closeUp)
				takes(t, j.upstream, closeUp)
				gives(t, j.upstream, closeDown)
				j.upstream.Close()
			},
			caller: string(closeDown), upstream: "?",
			want: journey.TunnelFacts{By: journey.SideCaller, Caller: bye, Upstream: oops},
		},
		"the upstream closes": {
			act: func(j *joining) {
				gives(t, j.upstream, closeDown)
				takes(t, j.caller, closeDown)
				gives(t, j.caller, closeUp)
				takes(t, j.upstream, closeUp)
				j.upstream.Close()
			},
			upstream: "?",
			want:     journey.TunnelFacts{By: journey.SideUpstream, Caller: bye, Upstream: oops},
		},
		"the upstream closes and resets": {
			act:    func(j *joining) { gives(t, j.upstream, closeDown); takes(t, j.caller, closeDown); reset(j.upstream) },
			caller: "?", upstream: "?",
			want: journey.TunnelFacts{By: journey.SideUpstream, Upstream: oops},
		},
		"the caller leaves": {
			act:      func(j *joining) { j.caller.Close() },
			caller:   "?",
			upstream: "",
			want:     journey.TunnelFacts{By: journey.SideCaller},
		},
		"the caller resets": {
			act:    func(j *joining) { reset(j.caller) },
			caller: "?", upstream: "?",
			want: journey.TunnelFacts{By: journey.SideCaller},
		},
		"the upstream ends without a close frame": {
			act:    func(j *joining) { j.upstream.Close() },
			caller: string(CloseFrame(1014, lastWord)), upstream: "?",
			want: journey.TunnelFacts{By: journey.SideUpstream}, unframed: true,
		},
		"the upstream resets": {
			act:    func(j *joining) { reset(j.upstream) },
			caller: string(CloseFrame(1014, lastWord)), upstream: "?",
			want: journey.TunnelFacts{By: journey.SideUpstream}, reset: true,
		},
		"nothing moves": {
			idle:   60 * time.Millisecond,
			act:    func(*joining) {},
			caller: string(CloseFrame(1014, lastWord)), upstream: "going away",
			want: journey.TunnelFacts{By: journey.SideGateway}, idled: true,
		},
		"the gateway stops": {
			act:    func(j *joining) { j.joint.Cancel(ReasonCallerGone); j.joint.Cancel(ReasonDrain) },
			caller: string(CloseFrame(1014, lastWord)), upstream: "going away",
			want: journey.TunnelFacts{By: journey.SideGateway}, drained: true,
		},
		"the upstream breaks inside a frame": {
			act:    func(j *joining) { gives(t, j.upstream, down[:3]); takes(t, j.caller, down[:3]); reset(j.upstream) },
			caller: "", upstream: "?",
			want: journey.TunnelFacts{By: journey.SideUpstream}, reset: true,
		},
		"the gateway stops inside the caller's frame": {
			act: func(j *joining) {
				gives(t, j.caller, up[:5])
				takes(t, j.upstream, up[:5])
				j.joint.Cancel(ReasonDrain)
			},
			caller: string(CloseFrame(1014, lastWord)), upstream: "",
			want: journey.TunnelFacts{By: journey.SideGateway}, drained: true,
		},
		"the upstream's bytes are no frames": {
			act: func(j *joining) {
				gives(t, j.upstream, []byte("\x83x"))
				takes(t, j.caller, []byte("\x83x"))
				j.caller.Close()
			},
			caller: "?", upstream: "",
			want: journey.TunnelFacts{By: journey.SideCaller, BadFrames: journey.SideUpstream, Problem: "a frame has the opcode 3, which is reserved"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := join(t, c.idle, "WebSocket", nil, nil)
			gives(t, j.caller, up)
			takes(t, j.upstream, up)
			gives(t, j.upstream, down)
			takes(t, j.caller, down)
			c.act(j)
			if c.caller != "?" {
				if got, _ := io.ReadAll(j.caller); string(got) != c.caller {
					t.Errorf("the caller got %q, want %q", got, c.caller)
				}
			}
			if c.upstream != "?" {
				got, _ := io.ReadAll(j.upstream)
				var f frames
				f.masked = true
				f.feed(got)
				if c.upstream == "" && len(got) > 0 || c.upstream == "going away" && (f.close.Code != 1001 || len(got) != 8) {
					t.Errorf("the upstream got %q, want %q", got, c.upstream)
				}
			}
			if c.upstream == "" || name == "the caller closes" || strings.HasPrefix(name, "the upstream closes") {
				j.upstream.Close()
				j.caller.Close()
			}
			end := soon(t, "the tunnel's end", j.ends)
			got := end.Facts
			if got.Up < int64(len(up)) || got.Down < int64(len(down)) || got.MessagesUp != 1 || got.MessagesDown != 1 || got.Protocol != "websocket" || !got.WebSocket {
				t.Errorf("what passed: %+v", got)
			}
			got.Up, got.Down, got.MessagesUp, got.MessagesDown, got.Protocol, got.WebSocket = 0, 0, 0, 0, "", false
			if got != c.want || end.Idle != c.idled || end.Reset != c.reset || end.Unframed != c.unframed || end.Drained != c.drained {
				t.Errorf("got  %+v\nwant %+v", end, c)
			}
			if end.Failed() || end.Drained {
				if told := soon(t, "the last word", j.told); told.Facts.MessagesUp != 1 || told.Facts.MessagesDown != 1 {
					t.Errorf("whoever has the last word does not know all: %+v", told)
				}
			} else if len(j.told) > 0 {
				t.Error("a tunnel that either side ended has a last word")
			}
		})
	}
}

// TestALargeMessagePassesWhole: bytes are the same with TLS on either side and without, through reads
// of every size.
func TestALargeMessagePassesWhole(t *testing.T) {
	server, client := testTLS(t)
	secureNear := func(nc net.Conn) net.Conn { return tls.Server(nc, server) }
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			var wrap func(net.Conn) net.Conn
			if secure {
				wrap = secureNear
			}
			j := join(t, time.Second, "websocket", wrap, wrap)
			caller, upstream := j.caller, j.upstream
			if secure {
				caller, upstream = tls.Client(caller, trusting(client)), tls.Client(upstream, trusting(client))
				for _, c := range []net.Conn{caller, upstream} {
					if err := c.(*tls.Conn).Handshake(); err != nil {
						t.Fatal(err)
					}
				}
			}
			key := []byte{1, 2, 3, 4}
			big := frame(0x82, bytes.Repeat([]byte("0123456789abcdef"), 1<<18), key) // 4 MiB
			go func() { _, _ = caller.Write(big) }()
			takes(t, upstream, big)
			plain := frame(0x82, big[14:], nil)
			go func() { _, _ = upstream.Write(plain) }()
			takes(t, caller, plain)
			for range 50 {
				small := frame(0x81, []byte("x"), key)
				gives(t, caller, small)
				takes(t, upstream, small)
			}
			caller.Close()
			if rest, err := io.ReadAll(upstream); len(rest) > 0 || err != nil {
				t.Errorf("then came %d bytes, %v", len(rest), err)
			}
			upstream.Close()
			if end := soon(t, "the tunnel's end", j.ends); end.Facts.MessagesUp != 51 || end.Facts.MessagesDown != 1 || end.Facts.By != journey.SideCaller {
				t.Errorf("%+v", end)
			}
		})
	}
}

// TestSeveralRecordsOfOneSegmentPassAtOnce: what TLS has taken from the socket does not wait for more.
func TestSeveralRecordsOfOneSegmentPassAtOnce(t *testing.T) {
	server, client := testTLS(t)
	j := join(t, 0, "echo/1", nil, func(nc net.Conn) net.Conn { return tls.Server(nc, server) })
	below := &holding{Conn: j.upstream}
	upstream := tls.Client(below, trusting(client))
	if err := upstream.Handshake(); err != nil {
		t.Fatal(err)
	}
	gives(t, j.caller, []byte("go"))
	takes(t, upstream, []byte("go"))
	for range 20 {
		below.set(true)
		for _, s := range []string{"one ", "two ", "three"} {
			gives(t, upstream, []byte(s))
		}
		below.set(false)
		takes(t, j.caller, []byte("one two three"))
	}
	upstream.Close()
	j.caller.Close()
	soon(t, "the tunnel's end", j.ends)
}

// TestAnIdleTunnelHoldsNoBuffer: what a tunnel costs is its two goroutines and their sockets.
func TestAnIdleTunnelHoldsNoBuffer(t *testing.T) {
	const tunnels = 200
	measure := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := measure()
	var all []*joining
	for range tunnels {
		all = append(all, join(t, time.Minute, "websocket", nil, nil))
	}
	for _, j := range all { // each has been used
		gives(t, j.caller, frame(0x82, make([]byte, 20<<10), []byte{1, 2, 3, 4}))
		takes(t, j.upstream, frame(0x82, make([]byte, 20<<10), []byte{1, 2, 3, 4}))
	}
	each := (measure() - before) / tunnels
	t.Logf("%d bytes for each tunnel, its peers in this process included", each)
	if each > 24<<10 {
		t.Errorf("an idle tunnel costs %d bytes", each)
	}
	for _, j := range all {
		j.caller.Close()
		j.upstream.Close()
	}
	for _, j := range all {
		soon(t, "the tunnel's end", j.ends)
	}
}

// TestACallerWhoLeavesWhileTheTunnelIsMade: the attempt is cancelled for it, and no end of the gateway's.
func TestACallerWhoLeavesWhileTheTunnelIsMade(t *testing.T) {
	near, caller := pair(t)
	far, upstream := pair(t)
	here, there := &sock{}, &sock{}
	here.init(near)
	there.init(far)
	server := newTunnel(there, nil)
	caller.Close()
	there.cancel()
	j := NewJoint(newTunnel(here, nil), server, TunnelOptions{Protocol: []byte("websocket"), LastWord: func(e TunnelEnd) (int, string) {
		t.Errorf("the gateway has a last word: %+v", e)
		return 1014, lastWord
	}})
	j.CallerLeft()
	if e := j.Run(); e.Failed() || e.Drained || e.Facts.By != journey.SideCaller {
		t.Errorf("it ended with %+v", e)
	}
	if n, err := upstream.Read(make([]byte, 1)); err == nil {
		t.Errorf("the upstream gets %d bytes", n)
	}
}
