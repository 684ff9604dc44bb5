package meter

import (
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

func TestGRPCCallsAreCountedByCode(t *testing.T) {
	m := newMeter(t, Options{})
	set := m.NewSet()
	s := set.Service("orders")
	models := []*Series{set.Model("one", "p"), set.Model("two", "p")}
	m.Install(set, 1)
	count := func(s *Series, p *journey.RPC) {
		j := call(200, "")
		j.RPC = p
		s.Call(nil, j)
	}
	count(s, nil)
	count(s, &journey.RPC{Form: "grpc"})
	count(s, &journey.RPC{Form: "grpc", Ended: true})
	count(s, &journey.RPC{Form: "grpc", Ended: true})
	count(s, &journey.RPC{Form: "grpc", Ended: true, Code: fault.CodeUnavailable})
	count(s, &journey.RPC{Form: "grpc", Ended: true, Code: fault.CodeUnavailable, Own: true})
	count(s, &journey.RPC{Form: "grpc-web", Ended: true, Code: 4294967295})
	for _, model := range models {
		count(model, &journey.RPC{Form: "grpc", Ended: true, Code: fault.CodeInternal, Own: true}) // to a model's address: no series, as two would be one
	}
	p := scrape(t, m)
	for series, n := range map[string]float64{
		`{code="none",own="false",service="orders"}`:        1,
		`{code="OK",own="false",service="orders"}`:          2,
		`{code="UNAVAILABLE",own="false",service="orders"}`: 1,
		`{code="UNAVAILABLE",own="true",service="orders"}`:  1,
		`{code="other",own="false",service="orders"}`:       1,
	} {
		p.want(t, "causeway_grpc_calls_total"+series, n)
	}
	p.without(t, `code="INTERNAL"`)
}
