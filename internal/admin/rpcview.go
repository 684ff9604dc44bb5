package admin

import "causeway/internal/journey"

// RPC is what a gRPC call shows beside HTTP's own.
type RPC struct {
	Form      string  `json:"form" enum:"grpc,grpc-web,grpc-web-text" example:"grpc" doc:"How it speaks."`
	TimeoutMS float64 `json:"timeout_ms,omitempty" example:"5000" doc:"The caller's deadline (grpc-timeout). Missing: it gave none."`
	Code      *uint32 `json:"code,omitempty" example:"14" doc:"The gRPC status it ended with, as a number. Missing: it ended without one, or none was read."`
	Status    string  `json:"status,omitempty" example:"UNAVAILABLE" doc:"The same by name."`
	Message   string  `json:"message,omitempty" example:"connection refused" doc:"The status's message, decoded and cut at 200 bytes."`
	Own       bool    `json:"own,omitempty" doc:"The gateway made the status: it ended the call itself."`
}

func rpcView(p *journey.RPC) *RPC {
	if p == nil {
		return nil
	}
	v := &RPC{Form: p.Form, TimeoutMS: millis(p.Timeout)}
	if p.Ended {
		code := uint32(p.Code)
		v.Code, v.Status, v.Message, v.Own = &code, p.Code.String(), p.Message, p.Own
	}
	return v
}
