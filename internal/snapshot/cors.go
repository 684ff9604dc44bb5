package snapshot

import (
	"maps"
	"sync/atomic"

	"causeway/internal/wire"
)

// corsMemory remembers how a service's own answers allow other origins, so that a failure that we
// answer ourselves is one that the page behind a browser can read, and not a CORS error.
type corsMemory struct{ v atomic.Pointer[CORS] }

// CORS is what the service has allowed so far.
type CORS struct {
	Any         bool            // "*"
	Origins     map[string]bool // those it named; never changed
	Credentials bool
}

// mostOrigins is how many origins of one service are remembered.
const mostOrigins = 100

// CORS returns what is remembered, nil when the service never said anything.
func (s *Service) CORS() *CORS { return s.cors.v.Load() }

// RememberCORS looks at a service's own answer.
func (s *Service) RememberCORS(h *wire.Header) {
	allow := h.Get(wire.AllowOrigin)
	anyone := string(allow) == "*"
	old := s.cors.v.Load()
	if old != nil && (anyone && old.Any || old.Origins[string(allow)]) {
		return
	}
	n := &CORS{Any: anyone, Credentials: wire.EqualFold(h.Get(wire.AllowCredentials), "true")}
	if !anyone {
		if old != nil && len(old.Origins) < mostOrigins {
			n.Origins = maps.Clone(old.Origins)
		}
		if n.Origins == nil {
			n.Origins = map[string]bool{}
		}
		n.Origins[string(allow)] = true
	}
	s.cors.v.Store(n)
}

var (
	nameAllowOrigin = []byte("Access-Control-Allow-Origin")
	nameAllowCreds  = []byte("Access-Control-Allow-Credentials")
	nameExpose      = []byte("Access-Control-Expose-Headers")
	exposed         = []byte("Causeway-Call-Id, Causeway-Attempts, Proxy-Status, Retry-After")
	valueTrue       = []byte("true")
	valueAny        = []byte("*")
)

// Append adds the fields for an answer of our own to a call from origin; nil adds none.
func (c *CORS) Append(h *wire.Header, origin []byte) {
	switch {
	case c == nil || len(origin) == 0:
		return
	case c.Any:
		h.Add(wire.AllowOrigin, nameAllowOrigin, valueAny)
	case c.Origins[string(origin)]:
		h.Add(wire.AllowOrigin, nameAllowOrigin, origin)
		if c.Credentials {
			h.Add(wire.AllowCredentials, nameAllowCreds, valueTrue)
		}
	default:
		return
	}
	h.Add(wire.ExposeHeaders, nameExpose, exposed)
}
