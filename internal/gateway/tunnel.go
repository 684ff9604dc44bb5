package gateway

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/llm"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// closeBadGateway is the close code of a WebSocket that the upstream or the gateway broke (contract
// section 6; the IANA registry of WebSocket close codes has it as Bad Gateway).
const closeBadGateway = 1014

// protocolHTTP2 is what Exchange.Protocol says over HTTP/2.
const protocolHTTP2 = "HTTP/2"

// tunnel joins the caller's and the upstream's connections after an upgrade. One that the upstream
// breaks is told by a close frame where the bytes are WebSocket's.
func (c *call) tunnel(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	// answerHead takes it out, as Connection names it.
	upgrade := bytes.Clone(u.Response.Header.Get(wire.Upgrade))
	if asked := c.rq.Header.Get(wire.Upgrade); !sameUpgrade(asked, upgrade) {
		return c.otherUpgrade(string(asked), string(upgrade), a)
	}
	over2 := c.j.Protocol == protocolHTTP2
	if over2 && !wire.GoodAccept(c.rq, &u.Response.Header) {
		return c.badAccept(a)
	}
	c.answerHead(u)
	if c.j.Status = 101; over2 {
		c.j.Status = 200 // the answer to a CONNECT (RFC 8441 section 5)
	}
	if c.ex.Switch(upgrade, &c.answer) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	caller, err := c.ex.Hijack()
	if err != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	c.ex.Unwatch()
	c.j.FirstByte = c.since()
	server := u.Hijack()
	t.MarkGood(time.Now().UnixNano())
	options := wire.TunnelOptions{
		Idle: c.upstream.Timeouts.Idle, Protocol: upgrade,
		LastWord: func(end wire.TunnelEnd) (int, string) { return c.tunnelBroke(a, end) },
	}
	if c.op == llm.Realtime {
		options.Text = c.realtimeUsed
	}
	joint := wire.NewJoint(caller, server, options)
	if u.Why() == wire.ReasonCallerGone {
		joint.CallerLeft()
	}
	c.ex.Watch(joint)
	series := c.series()
	series.TunnelOpened()
	end := joint.Run()
	series.TunnelClosed()
	c.ex.Unwatch()
	c.tunnelOver(a, end)
	c.commit()
	if c.finding != nil {
		c.logFailure()
	}
	return true
}

// otherUpgrade ends a call whose upstream switched to a protocol that was not asked for.
func (c *call) otherUpgrade(asked, got string, a *journey.Attempt) bool {
	c.releaseAnswer()
	a.Kind = fault.UpgradeFailed
	text := "the upstream switched to " + strconv.Quote(got) + ", and " + strconv.Quote(asked) + " was asked for."
	if got == "" {
		text = "the upstream switched protocols (101) without saying to which; " + strconv.Quote(asked) + " was asked for."
	}
	c.failWith(diagnose.Input{Kind: fault.UpgradeFailed, Attempts: c.j.Attempts, Detail: c.upstream.Name + ": " + text, SafeDetail: strings.ToUpper(text[:1]) + text[1:]})
	return c.explained()
}

// badAccept ends a call over HTTP/2 whose upstream switched without having read the handshake: nobody
// but the gateway can tell.
func (c *call) badAccept(a *journey.Attempt) bool {
	c.releaseAnswer()
	a.Kind = fault.UpgradeFailed
	text := "the upstream switched to WebSocket with a Sec-WebSocket-Accept that does not belong to the key it was sent."
	c.failWith(diagnose.Input{Kind: fault.UpgradeFailed, Attempts: c.j.Attempts, Detail: c.upstream.Name + ": " + text, SafeDetail: strings.ToUpper(text[:1]) + text[1:]})
	return c.explained()
}

// noSwitch ends a call over HTTP/2 whose upstream did not switch and answered with success all the same:
// as the answer to a CONNECT that would say that the tunnel stands (RFC 8441 section 5).
func (c *call) noSwitch(status int, a *journey.Attempt) bool {
	c.releaseAnswer()
	a.Kind = fault.UpgradeFailed
	text := "the upstream answered " + strconv.Itoa(status) + " in place of switching to WebSocket; over HTTP/2 its caller would take that for an open WebSocket."
	c.failWith(diagnose.Input{Kind: fault.UpgradeFailed, Attempts: c.j.Attempts, Detail: c.upstream.Name + ": " + text, SafeDetail: strings.ToUpper(text[:1]) + text[1:]})
	return c.explained()
}

// tunnelFacts notes what passed and how it ended.
func (c *call) tunnelFacts(a *journey.Attempt, end wire.TunnelEnd) {
	facts := end.Facts
	for _, frame := range [...]*journey.CloseFrame{&facts.Caller, &facts.Upstream} {
		frame.Reason = string(ledger.Mask([]byte(frame.Reason), maxReason))
	}
	a.Tunnel, a.Total, a.Silence = &facts, c.since()-a.Start, end.Silence
	c.j.BytesIn, c.j.BytesOut = facts.Up, facts.Down
}

// maxReason is the longest reason of a close frame (RFC 6455 section 5.5.1).
const maxReason = 123

// tunnelBroke names how the upstream, or the gateway's own stop, broke a tunnel, closes the record,
// and says what the caller's last word is: 1014 (bad gateway) with the kind.
func (c *call) tunnelBroke(a *journey.Attempt, end wire.TunnelEnd) (status int, reason string) {
	c.tunnelFacts(a, end)
	a.Phase = journey.PhaseBody
	switch {
	case end.Idle:
		a.End, a.Limit, a.LimitValue = journey.EndTimeout, "idle", c.upstream.Timeouts.Idle
	case end.Drained:
		a.End = journey.EndCancelled
	case end.Reset:
		a.End = journey.EndReset
	default:
		a.End = journey.EndEOF
	}
	if end.Tellable {
		a.Tunnel.Told = closeBadGateway
	}
	a.Kind = diagnose.Kind(a)
	c.j.Cut = true
	c.failWith(diagnose.Input{Kind: a.Kind, Attempts: c.j.Attempts, Status: c.j.Status})
	c.commit()
	return closeBadGateway, string(a.Kind) + ", call " + c.j.ID.String()
}

// tunnelOver notes a tunnel that either side ended; a close frame may say that something was wrong.
func (c *call) tunnelOver(a *journey.Attempt, end wire.TunnelEnd) {
	if c.committed {
		return
	}
	c.tunnelFacts(a, end)
	if a.Kind = diagnose.Kind(a); a.Kind == "" {
		return
	}
	c.finding = diagnose.Judge(c.input(diagnose.Input{Kind: a.Kind, Attempts: c.j.Attempts, Status: c.j.Status, Passed: true}))
	c.j.Finding = c.finding
}

// sameUpgrade tells whether the protocol that was switched to is one that the caller asked for.
func sameUpgrade(asked, got []byte) (same bool) {
	wire.EachToken(asked, func(t []byte) bool {
		same = bytes.EqualFold(t, got)
		return !same
	})
	return same
}
