package e2e

import (
	"bytes"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What strangers can do to the gateway over HTTP/2, by the rules of TestAttacks: the other callers, who
// speak HTTP/1.1, feel next to nothing of it, and each is named.

var drillsH2 = []drill{
	{"h2 rapid reset", 4, 50, []mark{resets}, 0},
	{"h2 provoked resets", 4, 50, []mark{resets}, 0},
	{"h2 CONTINUATION", 4, 50, []mark{breaks("control_flood")}, 0},
	{"h2 SETTINGS", 4, 50, []mark{breaks("control_flood")}, 0},
	{"h2 PING", 4, 50, []mark{breaks("control_flood")}, 0},
	{"h2 PRIORITY", 4, 50, []mark{breaks("control_flood")}, 0},
	{"h2 empty DATA", 4, 50, []mark{breaks("control_flood")}, 0},
	{"h2 small windows", 4, 50, []mark{breaks("control_flood")}, 0},
	{"h2 header bombs", 4, 20, []mark{failed("request_header_too_large")}, 0},
	{"h2 slow heads", 50, 1000, []mark{breaks("header_timeout")}, 0},
	{"h2 slow bodies", 5, 50, []mark{failed("request_body_too_slow")}, 0},
	{"h2 stalled answers", 5, 20, []mark{failed("caller_too_slow")}, 0},
	{"h2 broken requests", 4, 50, []mark{brokenRequests, failed("malformed_request")}, 0},
	{"h2 idle connections", 300, 5000, []mark{silentConnections}, 0},
}

func TestAttacksOverHTTP2(t *testing.T) {
	t.Parallel()
	if os.Getenv("CAUSEWAY_ATTACKS") != "" {
		t.Skip("make attacks runs TestAttacksAloneOverHTTP2")
	}
	g := attackedGateway(t)
	calm := watchCallers(t, g, time.Second)
	before := g.usage(t)
	var orders []attackOrder
	for _, d := range drillsH2 {
		orders = append(orders, attackOrder{Name: d.name, Conns: d.conns, For: 4 * time.Second})
	}
	during := g.underAttackBeside(t, orders, &calm)
	t.Logf("before or elsewhere: %v, %v; during: %v, %v", calm, before, during.callers, during.peak)
	g.untilNamed(t, orders, drillsH2)
	for _, d := range drillsH2 {
		g.wasNamed(t, d, during)
	}
	during.check(t, calm, mostRise+4*calm.p99)
	g.recovers(t, before)
	g.logIsBounded(t, time.Since(g.begun))
	contains(t, "the log", g.errs.all(), `"msg":"a caller breaks the rules of HTTP/2"`)
	contains(t, "the log", g.errs.all(), `"reason":"control_flood"`)
}

// TestAttacksAloneOverHTTP2 is part of `make attacks`: each attack alone, in full.
func TestAttacksAloneOverHTTP2(t *testing.T) { runAlone(t, "HTTP/2", drillsH2) }

// h2Attacker writes frames, and reads what comes only to know the end.
type h2Attacker struct {
	*assault
	c    net.Conn
	fr   *http2.Framer
	over chan struct{} // closed when the gateway has ended the connection
	next uint32
}

// overH2 makes an attack of one that speaks HTTP/2.
func overH2(fn func(h *h2Attacker), settings ...http2.Setting) func(*assault, net.Conn) {
	return func(a *assault, c net.Conn) {
		h := &h2Attacker{assault: a, c: c, fr: http2.NewFramer(c, nil), over: make(chan struct{}), next: 1}
		h.fr.AllowIllegalWrites = true
		if _, err := c.Write([]byte(http2.ClientPreface)); err != nil || h.fr.WriteSettings(settings...) != nil {
			return
		}
		go h.listen()
		fn(h)
		_ = c.SetDeadline(time.Unix(1, 0))
		<-h.over
	}
}

// listen reads to the end of the connection and notes GOAWAY's code.
func (h *h2Attacker) listen() {
	defer close(h.over)
	fr := http2.NewFramer(nil, h.c)
	said := "no GOAWAY"
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			break
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			said = g.ErrCode.String()
		}
	}
	h.mu.Lock()
	h.report.Statuses[said]++
	h.mu.Unlock()
}

func (h *h2Attacker) ended() bool {
	select {
	case <-h.over:
		return true
	default:
		return !time.Now().Before(h.until)
	}
}

// wait holds the connection until the gateway ends it or the time is over.
func (h *h2Attacker) wait() {
	select {
	case <-h.over:
	case <-time.After(time.Until(h.until)):
	}
}

// flood sends many frames in each write, until the gateway has had enough.
func (h *h2Attacker) flood(frames func(fr *http2.Framer)) {
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	fr.AllowIllegalWrites = true
	for !h.ended() {
		b.Reset()
		for range 100 {
			frames(fr)
		}
		h.turns.Add(100)
		if _, err := h.c.Write(b.Bytes()); err != nil {
			break
		}
	}
	h.wait()
}

// h2Block is a lawful request's fields, without the dynamic table.
func h2Block(method, path string, more ...string) (block []byte) {
	fields := append([]string{":method", method, ":scheme", "http", ":authority", "a", ":path", path}, more...)
	for i := 0; i < len(fields); i += 2 {
		block = append(block, 0, byte(len(fields[i])))
		block = append(block, fields[i]...)
		block = append(block, byte(len(fields[i+1])))
		block = append(block, fields[i+1]...)
	}
	return block
}

func (h *h2Attacker) stream() uint32 {
	id := h.next
	h.next += 2
	return id
}

func headersOf(id uint32, block []byte, end bool) http2.HeadersFrameParam {
	return http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: end}
}

// assaultsH2 are the attacks by name.
var assaultsH2 = map[string]func(*assault, net.Conn){
	"h2 rapid reset": overH2(func(h *h2Attacker) {
		block := h2Block("GET", "/small")
		h.flood(func(fr *http2.Framer) {
			id := h.stream()
			_ = fr.WriteHeaders(headersOf(id, block, true))
			_ = fr.WriteRSTStream(id, http2.ErrCodeCancel)
		})
	}),
	"h2 provoked resets": overH2(func(h *h2Attacker) {
		block := h2Block("GET", "/small")
		h.flood(func(fr *http2.Framer) {
			id := h.stream()
			_ = fr.WriteHeaders(headersOf(id, block, true))
			_ = fr.WriteWindowUpdate(id, 0)
		})
	}),
	"h2 CONTINUATION": overH2(func(h *h2Attacker) {
		_ = h.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
		h.flood(func(fr *http2.Framer) { _ = fr.WriteContinuation(1, false, nil) })
	}),
	"h2 SETTINGS": overH2(func(h *h2Attacker) { h.flood(func(fr *http2.Framer) { _ = fr.WriteSettings() }) }),
	"h2 PING":     overH2(func(h *h2Attacker) { h.flood(func(fr *http2.Framer) { _ = fr.WritePing(false, [8]byte{}) }) }),
	"h2 PRIORITY": overH2(func(h *h2Attacker) {
		h.flood(func(fr *http2.Framer) { _ = fr.WritePriority(h.stream(), http2.PriorityParam{Weight: 1}) })
	}),
	"h2 empty DATA": overH2(func(h *h2Attacker) {
		_ = h.fr.WriteHeaders(headersOf(1, h2Block("POST", "/sink"), false))
		h.flood(func(fr *http2.Framer) { _ = fr.WriteData(1, false, nil) })
	}),
	"h2 small windows": overH2(func(h *h2Attacker) {
		_ = h.fr.WriteHeaders(headersOf(1, h2Block("GET", "/endless"), true))
		h.flood(func(fr *http2.Framer) { _ = fr.WriteWindowUpdate(1, 1) })
	}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}),
	"h2 header bombs": overH2(func(h *h2Attacker) {
		var b bytes.Buffer
		enc := hpack.NewEncoder(&b)
		_ = enc.WriteField(hpack.HeaderField{Name: "x-bomb", Value: strings.Repeat("b", 3<<10)})
		first := append(h2Block("GET", "/small"), b.Bytes()...)
		// Above our own limit at first, then above what is decoded at all.
		_ = h.fr.WriteHeaders(headersOf(h.stream(), append(bytes.Clone(first), strings.Repeat("\xbe", 25)...), true))
		for !h.ended() {
			block := append(h2Block("GET", "/small"), strings.Repeat("\xbe", 10_000)...)
			if h.fr.WriteHeaders(headersOf(h.stream(), block, true)) != nil {
				break
			}
			h.turns.Add(1)
			time.Sleep(time.Millisecond)
		}
		h.wait()
	}),
	"h2 slow heads": overH2(func(h *h2Attacker) {
		_ = h.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
		for !h.ended() {
			time.Sleep(50 * time.Millisecond)
			if h.fr.WriteContinuation(1, false, nil) != nil {
				break
			}
			h.turns.Add(1)
		}
		h.wait()
	}),
	"h2 slow bodies": overH2(func(h *h2Attacker) {
		block := h2Block("POST", "/sink")
		var ids []uint32
		for range 10 {
			ids = append(ids, h.stream())
			_ = h.fr.WriteHeaders(headersOf(ids[len(ids)-1], block, false))
		}
		for !h.ended() {
			time.Sleep(50 * time.Millisecond)
			for _, id := range ids {
				if h.fr.WriteData(id, false, []byte("x")) != nil {
					return
				}
			}
			h.turns.Add(int64(len(ids)))
		}
	}),
	"h2 stalled answers": overH2(func(h *h2Attacker) {
		block := h2Block("GET", "/endless")
		for !h.ended() {
			for range 10 {
				if h.fr.WriteHeaders(headersOf(h.stream(), block, true)) != nil {
					return
				}
				h.turns.Add(1)
			}
			time.Sleep(1500 * time.Millisecond)
		}
	}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100}),
	"h2 broken requests": overH2(func(h *h2Attacker) {
		paths := [][]byte{h2Block("GET", "small"), h2Block("GET", "/small x"), h2Block("G T", "/small"), h2Block("GET", "/small", "X-A", "b"), h2Block("GET", "/small", "connection", "close")}
		for i := 0; !h.ended(); i++ {
			if h.fr.WriteHeaders(headersOf(h.stream(), paths[i%len(paths)], true)) != nil {
				break
			}
			h.turns.Add(1)
			time.Sleep(time.Millisecond)
		}
	}),
	"h2 idle connections": overH2((*h2Attacker).wait),
}
