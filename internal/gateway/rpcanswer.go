package gateway

import (
	"bytes"
	"io"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// deliverRPC is rooms 10 to 12 for a gRPC call: messages go on as they come, and what the call came to
// stands in the trailer.
func (c *call) deliverRPC(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	res := &u.Response
	if a.HTTP2 == nil {
		c.releaseAnswer()
		a.Kind = fault.GRPCUpstreamHTTP1
		return false
	}
	c.limit.forget()
	if res.Status != 200 || rpcFormOf(res.Header.Get(wire.ContentType)) != rpcGRPC {
		return c.deliverREST(t, u, a) // no gRPC server's: comment says so
	}
	if code, message, ok := readStatus(&res.Header); ok && u.Complete() {
		c.upstreamStatus(u, a, code, message)
		return c.onlyTrailers(t, u, a)
	}
	c.answerHead(u)
	c.j.Status = res.Status
	err := c.ex.Start(res.Status, "", &c.answer, wire.LengthChunked, -1)
	if err == nil && !u.Buffered() {
		err = c.ex.Flush() // what the server sends ahead of its first message is waited for
	}
	if err != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	return c.relayRPC(t, u, a)
}

// onlyTrailers passes on an answer that is its status alone ("Trailers-Only").
func (c *call) onlyTrailers(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	c.answerHead(u)
	c.j.Status = u.Response.Status
	if c.ex.Start(c.j.Status, "", &c.answer, wire.LengthChunked, -1) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	return c.overRPC(t, a, nil)
}

// overRPC ends an answer that is whole.
func (c *call) overRPC(t snapshot.Chosen, a *journey.Attempt, trailer *wire.Header) bool {
	c.endUpload()
	c.ended(t, a)
	if c.ex.End(trailer) != nil {
		c.ex.Abort()
	}
	c.releaseAnswer()
	c.logFailure()
	return true
}

// relayRPC passes the messages on. Each piece is sent when there is no more of it at hand.
func (c *call) relayRPC(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	keep := c.keepBodies(false)
	for {
		p, err := u.Next()
		if err == io.EOF {
			return c.completeRPC(t, u, a)
		}
		if err != nil {
			c.endUpload()
			c.releaseAnswer()
			return c.brokenRPC(a)
		}
		if keep {
			c.keepAnswer(p)
		}
		c.rpc.first.feed(p)
		c.j.BytesOut += int64(len(p))
		if c.j.FirstByte == 0 {
			c.j.FirstByte = c.since()
		}
		if err = c.ex.Write(p); err == nil && !u.Buffered() {
			err = c.ex.Flush()
		}
		if err != nil {
			c.releaseAnswer()
			return c.callerLeft()
		}
	}
}

// completeRPC ends an answer whose stream has ended, if it ended as a gRPC answer does.
func (c *call) completeRPC(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt) bool {
	trailer := u.Trailer()
	code, message, ok := readStatus(trailer)
	if !ok { // some servers end a status that stands in the head by an empty frame
		code, message, ok = readStatus(&u.Response.Header)
	}
	if !ok {
		a.Kind = fault.GRPCStatusMissing
		a.End, a.Phase = journey.EndComplete, journey.PhaseDone
		c.endUpload()
		c.releaseAnswer()
		return c.cutRPC(a)
	}
	c.upstreamStatus(u, a, code, message)
	out := &c.rpc.trailer
	for i := range trailer.Fields {
		if f := &trailer.Fields[i]; !wire.ForbiddenTrailer(f.ID) {
			out.Add(f.ID, f.Name, f.Value)
		}
	}
	if c.finding != nil {
		out.Add(wire.Other, nameFinding, []byte(c.finding.Kind))
	}
	return c.overRPC(t, a, out)
}

// endUpload ends the passing on of a request that nobody wants more of: the answer is over, and its
// status waits for nothing.
func (c *call) endUpload() {
	if c.stream != nil && !c.limit.whole.Load() {
		c.ex.StopReading()
	}
}

// upstreamStatus notes the status that an upstream's answer ended with, and what we read in it.
func (c *call) upstreamStatus(u *wire.Upcall, a *journey.Attempt, code fault.Code, message string) {
	p := c.j.RPC
	p.Ended, p.Code, p.Message = true, code, message
	kind := diagnose.GRPCPassed(code)
	if kind == "" {
		return
	}
	a.Kind = kind
	c.finding = diagnose.Judge(c.input(diagnose.Input{
		Kind: kind, Attempts: c.passing(), Passed: true,
		Answer: &diagnose.Answer{Status: u.Response.Status, Header: c.lookupAnswer(u), RPC: p},
	}))
	c.j.Finding = c.finding
}

// readStatus finds grpc-status and grpc-message among the fields of a trailer or of a head. A status
// that is no number counts as UNKNOWN, as clients take it.
func readStatus(h *wire.Header) (code fault.Code, message string, ok bool) {
	status := h.Lookup("grpc-status")
	if status == nil {
		return 0, "", false
	}
	return parseStatus(status), clipMessage(h.Lookup("grpc-message")), true
}

func parseStatus(b []byte) fault.Code {
	if len(b) == 0 || len(b) > 9 {
		return fault.CodeUnknown
	}
	var n fault.Code
	for _, d := range b {
		if d < '0' || d > '9' {
			return fault.CodeUnknown
		}
		n = n*10 + fault.Code(d-'0')
	}
	return n
}

// clipMessage decodes a grpc-message as far as the record keeps it.
func clipMessage(b []byte) string {
	const most = 200
	if len(b) == 0 {
		return ""
	}
	s := fault.DecodePercent(b[:min(len(b), 3*most)])
	if len(s) > most {
		s = string(bytes.ToValidUTF8([]byte(s[:most]), nil)) + "..."
	}
	return s
}

// commentForeign is comment for a call of gRPC that was answered by what is no gRPC server.
func (c *call) commentForeign(u *wire.Upcall, a *journey.Attempt) {
	res := &u.Response
	kind := diagnose.Passed(res.Status, c.lookupAnswer(u))
	if kind == "" {
		kind = fault.GRPCStatusMissing
	}
	a.Kind = kind
	contentType := "none"
	if v := res.Header.Get(wire.ContentType); v != nil {
		contentType = string(v[:min(len(v), 100)])
	}
	c.finding = diagnose.Judge(c.input(diagnose.Input{
		Kind: kind, Attempts: c.passing(), Passed: true, Evidence: []string{"content type of the answer: " + contentType},
		Answer: &diagnose.Answer{Status: res.Status, Header: c.lookupAnswer(u)},
	}))
	c.j.Finding = c.finding
}

// brokenRPC ends an answer whose upstream failed in its middle. While nothing of it has left us and no
// message is whole, it is taken back instead and false returned.
func (c *call) brokenRPC(a *journey.Attempt) bool {
	if a.Kind == "" {
		a.Kind = diagnose.Kind(a)
	}
	c.nameDeadline(a)
	if a.End == journey.EndCaller {
		if !c.uploadFault() {
			return c.callerLeft()
		}
		c.j.Cut = true
		return c.endOwn()
	}
	if !c.rpc.first.came && c.ex.Withdraw() {
		c.j.Status, c.j.BytesOut, c.j.FirstByte, c.j.ResponseBody = 0, 0, 0, nil
		c.rpc.first = firstMessage{}
		return false
	}
	return c.cutRPC(a)
}

// cutRPC ends an answer that has begun with a status of our own: a client is told what happened, where
// a reset stream would tell it nothing.
func (c *call) cutRPC(a *journey.Attempt) bool {
	c.j.Cut = true
	c.judge(a)
	return c.endOwn()
}

func (c *call) endOwn() bool {
	f, v := c.finding, c.faultView()
	c.ownStatus(f)
	c.j.Status = 200 // the head has gone
	c.commit()
	c.logFailure()
	h := &c.rpc.trailer
	h.Reset()
	c.addStatus(h, f, v)
	h.Add(wire.Other, nameFinding, []byte(f.Kind))
	if s := fault.ProxyStatus(f, v); s != "" {
		h.Add(wire.Other, nameProxyStatus, []byte(s))
	}
	c.ex.WriteLimit(ownWriteLimit)
	if c.ex.End(h) != nil {
		c.ex.Abort()
	}
	return true
}
