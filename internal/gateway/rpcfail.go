package gateway

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"

	"causeway/internal/fault"
	"causeway/internal/policy"
	"causeway/internal/wire"
)

// ownWriteLimit is how long a caller may take for an answer of ours.
const ownWriteLimit = 10 * time.Second

var (
	nameGRPCStatus  = []byte("grpc-status")
	nameGRPCMessage = []byte("grpc-message")
	nameGRPCDetails = []byte("grpc-status-details-bin")
	valueGRPC       = []byte(typeGRPC)
	valueNoPushback = []byte("-1")
)

// ownStatus notes the status that a failure of ours is told by.
func (c *call) ownStatus(f *fault.Finding) {
	p := c.j.RPC
	p.Ended, p.Own, p.Code = true, true, fault.GRPCCode(f.Kind)
	p.Message = clipMessage([]byte(f.SafeDetail))
}

// addStatus adds the fields that tell a failure: to a head that is the whole answer, to the trailer of
// one that had begun, or to a frame of gRPC-Web's.
func (c *call) addStatus(h *wire.Header, f *fault.Finding, v fault.View) {
	h.Add(wire.Other, nameGRPCStatus, strconv.AppendUint(nil, uint64(fault.GRPCCode(f.Kind)), 10))
	h.Add(wire.Other, nameGRPCMessage, fault.GRPCMessage(nil, f, v))
	h.Add(wire.Other, nameGRPCDetails, fault.GRPCDetails(nil, f, v))
	switch {
	case f.Retry == fault.No:
		// A client that repeats by its own settings would do so in vain (gRPC retry design, A6).
		h.Add(wire.Other, []byte(namePushback), valueNoPushback)
	case f.Retry == fault.Safe && c.retryIn > 0:
		h.Add(wire.Other, []byte(namePushback), strconv.AppendInt(nil, c.retryIn.Milliseconds(), 10))
	}
}

// explainRPC is room 13 for gRPC: the failure as a gRPC status. Over HTTP/2 the answer is its head
// alone ("Trailers-Only"); in gRPC-Web the status is a frame of the body.
func (c *call) explainRPC(f *fault.Finding) {
	v := c.faultView()
	c.ownStatus(f)
	c.j.Status = 200
	h := &c.answer
	h.Reset()
	var body []byte
	if c.rpc.form == rpcGRPC {
		h.Add(wire.ContentType, nameContentType, valueGRPC)
		c.addStatus(h, f, v)
	} else {
		h.Add(wire.ContentType, nameContentType, c.webType())
		body = c.webTrailer(f, v)
	}
	c.willSend(body)
	h.Add(wire.CacheControl, nameCacheControl, valueNoStore)
	h.Add(wire.Vary, nameVary, c.failureVary())
	c.addOurs()
	if s := fault.ProxyStatus(f, v); s != "" {
		h.Add(wire.ProxyStatus, nameProxyStatus, []byte(s))
	}
	if c.retryIn > 0 {
		h.Add(wire.RetryAfter, nameRetryAfter, strconv.AppendInt(nil, policy.Seconds(c.retryIn), 10))
	}
	if c.svc != nil {
		c.svc.CORS().Append(h, c.rq.Header.Get(wire.OriginField))
	}
	c.commit()
	c.logFailure()
	if c.unread() || c.rq.Length-c.ex.BytesIn() > keepBody {
		c.ex.Close() // over HTTP/1.1 the rest of the body stands before the caller's next call
	}
	c.ex.WriteLimit(ownWriteLimit)
	length := int64(len(body))
	if c.rpc.form == rpcGRPC && c.j.Protocol == "HTTP/2" {
		length = wire.LengthChunked // gRPC knows no Content-Length
	}
	if c.ex.Start(200, "", h, length, -1) != nil {
		c.ex.Abort()
		return
	}
	if len(body) > 0 && c.ex.Write(body) != nil || c.ex.End(nil) != nil {
		c.ex.Abort()
	}
}

// webType is the content type of a gRPC-Web answer: the request's, as the caller reads it.
func (c *call) webType() []byte {
	v := c.rq.Header.Get(wire.ContentType)
	for i, b := range v {
		if b == ';' || b == ' ' {
			return v[:i]
		}
	}
	return v
}

// webTrailer is a status as gRPC-Web has it: a frame with the flag 0x80 whose content are header lines
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md), in base64 for the text form.
func (c *call) webTrailer(f *fault.Finding, v fault.View) []byte {
	var h wire.Header
	c.addStatus(&h, f, v)
	frame := []byte{webTrailerFlag, 0, 0, 0, 0}
	for i := range h.Fields {
		frame = append(append(frame, h.Fields[i].Name...), ": "...)
		frame = append(append(frame, h.Fields[i].Value...), "\r\n"...)
	}
	binary.BigEndian.PutUint32(frame[1:], uint32(len(frame)-webFrameHead))
	if c.rpc.form == rpcWebText {
		return base64.StdEncoding.AppendEncode(nil, frame)
	}
	return frame
}
