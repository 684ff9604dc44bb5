package meter

import (
	"sync/atomic"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

var descRPC = desc("grpc_calls_total",
	"gRPC and gRPC-Web calls that ended, by the status they ended with. code is the status's name, other for one that the specification does not have, or none when no status was seen (the caller left, or its form of gRPC-Web was not read). own is true for statuses that the gateway made itself.",
	"service", "code", "own")

// rpcCounts counts the gRPC calls of a series by code, passed on and own. They are not split over
// shards: a gRPC call costs many times what the contention does.
type rpcCounts [2][fault.Codes + 2]atomic.Uint64

func (c *rpcCounts) add(p *journey.RPC) {
	slot := fault.Codes + 1
	if p.Ended {
		slot = int(min(p.Code, fault.Code(fault.Codes)))
	}
	own := 0
	if p.Own {
		own = 1
	}
	c[own][slot].Add(1)
}

// collect shows the codes that occurred.
func (c *rpcCounts) collect(e emitter, service string) {
	for own, label := range [...]string{"false", "true"} {
		for slot := range c[own] {
			n := c[own][slot].Load()
			if n == 0 {
				continue
			}
			code := fault.Code(slot).String()
			switch slot {
			case fault.Codes:
				code = Other
			case fault.Codes + 1:
				code = "none"
			}
			e.counter(descRPC, float64(n), service, code, label)
		}
	}
}
