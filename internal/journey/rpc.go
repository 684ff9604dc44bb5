package journey

import (
	"time"

	"causeway/internal/fault"
)

// RPC is what a gRPC call shows beside HTTP's own: its deadline and the status it ended with.
type RPC struct {
	// Form is how the call speaks, "grpc", "grpc-web" or "grpc-web-text".
	Form string
	// Timeout is the caller's time limit for the whole call (grpc-timeout), 0 when it gave none.
	Timeout time.Duration
	// Ended is true when the call ended with a status; Code and Message mean nothing before.
	Ended bool
	Code  fault.Code
	// Message is grpc-message, decoded and cut at 200 bytes.
	Message string
	// Own is true for a status that the gateway made, because it ended the call itself.
	Own bool
}

// The fields of RPC in the order they are written.
const (
	rpcForm uint64 = 1 << iota
	rpcTimeout
	rpcEnded
	rpcCode
	rpcMessage
	rpcOwn
)

func appendRPC(dst []byte, p *RPC) []byte {
	mask := flag(rpcEnded, p.Ended) | flag(rpcOwn, p.Own)
	dst, at := openSized(dst)
	dst = append(dst, 0)
	dst = optString(dst, &mask, rpcForm, p.Form)
	dst = optInt(dst, &mask, rpcTimeout, int64(p.Timeout))
	dst = optInt(dst, &mask, rpcCode, int64(p.Code))
	dst = optString(dst, &mask, rpcMessage, p.Message)
	dst[at+1] = byte(mask)
	return closeSized(dst, at)
}

func (r *reader) rpc() *RPC {
	in := r.nested()
	mask := in.mask(1)
	p := &RPC{Ended: mask&rpcEnded != 0, Own: mask&rpcOwn != 0}
	if mask&rpcForm != 0 {
		p.Form = in.string()
	}
	if mask&rpcTimeout != 0 {
		p.Timeout = in.duration()
	}
	if mask&rpcCode != 0 {
		p.Code = fault.Code(in.int())
	}
	if mask&rpcMessage != 0 {
		p.Message = in.string()
	}
	r.close(&in)
	return p
}
