package gateway

import (
	"encoding/binary"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// rpcForm is how a gRPC call speaks.
type rpcForm uint8

const (
	rpcNone    rpcForm = iota
	rpcGRPC            // gRPC over HTTP/2: application/grpc
	rpcWeb             // gRPC-Web: application/grpc-web, its trailer a frame of the body
	rpcWebText         // the same in base64: application/grpc-web-text
)

var rpcForms = [...]string{"", "grpc", "grpc-web", "grpc-web-text"}

// rpcCall is what the rooms keep of a gRPC call beside the journey's own.
type rpcCall struct {
	form     rpcForm
	deadline bool // the caller's limit is below timeouts.total
	web      *webTap
	trailer  wire.Header // of the answer, as the caller gets it
	first    firstMessage
}

// firstMessage follows an answer to the end of its first message: from there on a client has something
// that it would also have had without us, and the answer is not taken back.
type firstMessage struct {
	head [messageHead]byte
	got  int   // bytes of head that are there
	left int64 // bytes of the message that are still to come
	came bool
}

const messageHead = 5 // a flag and the length (PROTOCOL-HTTP2, Length-Prefixed-Message)

func (m *firstMessage) feed(p []byte) {
	if m.came {
		return
	}
	if m.got < messageHead {
		n := copy(m.head[m.got:], p)
		m.got += n
		if m.got < messageHead {
			return
		}
		p, m.left = p[n:], int64(binary.BigEndian.Uint32(m.head[1:]))
	}
	m.left -= int64(len(p))
	m.came = m.left <= 0
}

const (
	typeGRPC  = "application/grpc"
	typeSlash = len("application/")
)

// rpcFormOf reads a content type (gRPC over HTTP/2: Requests; gRPC-Web: Content-type). What follows
// the name is a message format ("+proto") or a parameter.
func rpcFormOf(v []byte) rpcForm {
	if len(v) < len(typeGRPC) || v[typeSlash]|0x20 != 'g' || !wire.EqualFold(v[:len(typeGRPC)], typeGRPC) {
		return rpcNone
	}
	rest := v[len(typeGRPC):]
	end := 0
	for end < len(rest) && rest[end] != '+' && rest[end] != ';' && rest[end] != ' ' {
		end++
	}
	switch rest = rest[:end]; {
	case end == 0:
		return rpcGRPC
	case wire.EqualFold(rest, "-web"):
		return rpcWeb
	case wire.EqualFold(rest, "-web-text"):
		return rpcWebText
	}
	return rpcNone
}

// enterRPC finds out whether the call is gRPC's, by its content type alone: whoever sends that reads
// failures in its form.
func (c *call) enterRPC() {
	form := rpcFormOf(c.rq.Header.Get(wire.ContentType))
	if form == rpcNone {
		return
	}
	c.rpc.form = form
	c.j.RPC = &journey.RPC{Form: rpcForms[form], Timeout: parseGRPCTimeout(c.rq.Header.Get(wire.GRPCTimeout))}
	c.limit.keep = form == rpcGRPC
}

// parseGRPCTimeout reads grpc-timeout: at most eight digits and a unit. 0 means that there is none, or
// that it is not valid, which the upstream then says in its own way.
func parseGRPCTimeout(v []byte) time.Duration {
	if len(v) < 2 || len(v) > 9 {
		return 0
	}
	var unit time.Duration
	switch v[len(v)-1] {
	case 'H':
		unit = time.Hour
	case 'M':
		unit = time.Minute
	case 'S':
		unit = time.Second
	case 'm':
		unit = time.Millisecond
	case 'u':
		unit = time.Microsecond
	case 'n':
		unit = time.Nanosecond
	default:
		return 0
	}
	var n int64
	for _, b := range v[:len(v)-1] {
		if b < '0' || b > '9' {
			return 0
		}
		n = n*10 + int64(b-'0')
	}
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64
	}
	return max(time.Duration(n)*unit, 1)
}

// appendGRPCTimeout writes a time limit in the finest unit that holds it in eight digits, cut and not
// rounded up: the upstream must not work on for longer than the caller waits.
func appendGRPCTimeout(dst []byte, d time.Duration) []byte {
	for _, u := range [...]struct {
		size   time.Duration
		letter byte
	}{{time.Nanosecond, 'n'}, {time.Microsecond, 'u'}, {time.Millisecond, 'm'}, {time.Second, 'S'}, {time.Minute, 'M'}} {
		if n := d / u.size; n < 1e8 {
			return append(strconv.AppendInt(dst, int64(n), 10), u.letter)
		}
	}
	return append(strconv.AppendInt(dst, int64(min(d/time.Hour, 1e8-1)), 10), 'H')
}

// rpcDeadline makes the caller's limit that of the whole call, where it is the smaller one.
func (c *call) rpcDeadline() {
	d := c.j.RPC.Timeout
	if d == 0 {
		return
	}
	left := d - c.since()
	now := wire.Now()
	if until := now + int64(left); c.until == 0 || until < c.until {
		if left > math.MaxInt64/2 {
			return // in 146 years
		}
		c.until, c.rpc.deadline = until, true
	}
}

// nameDeadline says whose limit it was that fired: wire knows only that the call's time is over. An
// upstream that keeps the deadline itself says so by cancelling its stream.
func (c *call) nameDeadline(a *journey.Attempt) {
	if c.metDeadline(a) {
		a.Limit, a.LimitValue = diagnose.RPCLimit, c.j.RPC.Timeout
		a.Kind = fault.DeadlineExceeded
	}
}

// metDeadline tells whether it was the caller's deadline that ended an attempt.
func (c *call) metDeadline(a *journey.Attempt) bool {
	if !c.rpc.deadline {
		return false
	}
	cancelled := a.HTTP2 != nil && a.HTTP2.Signal == journey.HTTP2Reset && a.HTTP2.Code == journey.HTTP2Cancel
	return a.End == journey.EndTimeout && a.Limit == "total" || cancelled && c.goneKind() == fault.DeadlineExceeded
}

// goneKind is what it is called that the caller has left: a gRPC client leaves at its deadline, a
// moment before or after our own limit.
func (c *call) goneKind() fault.Kind {
	if p := c.j.RPC; p != nil && p.Timeout > 0 && c.since() >= p.Timeout-min(p.Timeout/10, 20*time.Millisecond) {
		return fault.DeadlineExceeded
	}
	return fault.CallerGone
}

// rpcLuggage is room 6's own question of a gRPC call: whether it came over HTTP/2, as it must.
func (c *call) rpcLuggage() bool {
	c.dropped |= 1 << wire.GRPCTimeout // written anew, less the time that was spent
	if c.rpc.form != rpcGRPC || c.j.Protocol == "HTTP/2" {
		return true
	}
	text := "The call is gRPC (content type " + typeGRPC + ") and came over " + c.j.Protocol + "; gRPC needs HTTP/2."
	return c.fail(failure{
		kind: fault.GRPCOverHTTP1, detail: text, safe: text,
		evidence: []string{"protocol of the caller's connection: " + c.j.Protocol},
	})
}

// appendRPCFields tells the upstream how much of the caller's time is left.
func (c *call) appendRPCFields(dst []byte, up *snapshot.Upstream) []byte {
	v := c.rq.Header.Get(wire.GRPCTimeout)
	if v == nil || up.Rules != nil && up.Rules.Drops(nameGRPCTimeout) {
		return dst
	}
	dst = append(append(dst, nameGRPCTimeout...), ": "...)
	if spent := c.since(); c.j.RPC.Timeout > 0 && spent >= time.Millisecond {
		dst = appendGRPCTimeout(dst, max(c.j.RPC.Timeout-spent, 1))
	} else {
		dst = append(dst, v...)
	}
	return append(dst, "\r\n"...)
}

// rpcUpstream refuses a gRPC call for an upstream that is known to be spoken to in HTTP/1.1, before
// anything is sent.
func (c *call) rpcUpstream(t snapshot.Chosen) bool {
	if c.rpc.form != rpcGRPC || t.Origin.MaySpeakHTTP2() {
		return true
	}
	where := c.whereProtocol()
	return c.fail(failure{
		kind:     fault.GRPCUpstreamHTTP1,
		detail:   c.upstream.Name + ": the call is gRPC, and the gateway speaks HTTP/1.1 to " + t.URL + "; " + where + " must be h2c for gRPC over plain TCP, h2 for gRPC over TLS.",
		safe:     c.upstream.Name + ": the call is gRPC, and the gateway speaks HTTP/1.1 to this upstream.",
		evidence: []string{"target: " + t.URL, where + " is not h2c or h2, nor auto with a target of https"},
		advice:   []string{"Set " + where + ": h2c (plain TCP) or h2 (TLS)."},
	})
}

func (c *call) whereProtocol() string { return "services." + c.upstream.Name + ".upstream.protocol" }

// repeatRPC is repeatAnswer for gRPC: an answer that is nothing but UNAVAILABLE is what 503 is
// elsewhere. Only what the rules for retries let through is repeated: gRPC's own transparent retries
// cover a call that no server has seen, which is one without an answer.
func (c *call) repeatRPC(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	if !u.Complete() {
		return false
	}
	code, _, ok := readStatus(&u.Response.Header)
	if !ok || code != fault.CodeUnavailable {
		return false
	}
	pushback, ok := retryPushback(&u.Response.Header)
	if !ok {
		a.Again = "not retried: the upstream asks not to (" + namePushback + ")"
		return false
	}
	a.Kind = fault.GRPCUnavailable
	c.tried.Add(t.Target)
	if !c.repeat(a, 503, pushback) {
		return false
	}
	c.releaseAnswer()
	c.releaseTarget()
	return true
}

const namePushback = "grpc-retry-pushback-ms"

var nameGRPCTimeout = []byte("grpc-timeout")

// retryPushback reads what a server says of repeating the call: after a pause, or, with a negative or
// invalid value, not at all (gRPC retry design, A6).
func retryPushback(h *wire.Header) (time.Duration, bool) {
	v := h.Lookup(namePushback)
	if v == nil {
		return 0, true
	}
	n, err := strconv.Atoi(view(v))
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, false
	}
	return time.Duration(n) * time.Millisecond, true
}

// keptGRPC is the most of a call's messages that is kept until the answer begins, so that a call that
// no server has worked on can be sent again: a unary call comes as a stream of unknown length too.
const keptGRPC = 16 << 10

// keptBody is the begin of a body that is passed on while it comes. add is called by the upload's
// goroutine, the rest when that has ended.
type keptBody struct {
	buf  []byte
	lost atomic.Bool // there was more than is kept, or nobody needs it any more
}

func (k *keptBody) add(p []byte) {
	switch {
	case k.lost.Load():
	case len(k.buf)+len(p) > keptGRPC:
		k.lost.Store(true)
	default:
		k.buf = append(k.buf, p...)
	}
}

// isKept tells whether the whole body was read and is kept.
func (b *limitedBody) isKept() bool { return b.keep && b.whole.Load() && !b.kept.lost.Load() }

// forget ends the keeping: the answer has begun.
func (b *limitedBody) forget() { b.kept.lost.Store(true) }

// useKept makes the kept body the one of the attempt that follows.
func (c *call) useKept() {
	if c.stream != nil && c.limit.isKept() {
		c.body, c.length, c.stream = c.limit.kept.buf, int64(len(c.limit.kept.buf)), nil
	}
}
