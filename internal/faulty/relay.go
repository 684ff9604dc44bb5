package faulty

import (
	"fmt"
	"io"
	"net"
	"strings"

	"causeway/internal/fault"
)

// relayFaults need to be told where the gateway is.
func relayFaults() []Fault {
	return []Fault{{
		Name: "loop", Kind: fault.LoopDetected, Row: "50", Needs: Needs{Target: true},
		About: "a relay that sends every byte back to the gateway, from another port than the gateway's own",
		start: func(s *site) error {
			if !strings.Contains(s.p.Target, ":") {
				return fmt.Errorf("Params.Target %q is not the address of a gateway, such as 127.0.0.1:8080", s.p.Target)
			}
			return tcp(relay)(s)
		},
	}}
}

// relay copies bytes to Params.Target and back until both sides are done.
func relay(c *peer) error {
	var d net.Dialer
	far, err := d.Dial("tcp", c.p.Target)
	if err != nil {
		return fin(c)
	}
	if !c.site.own(far) {
		return errEnd
	}
	defer c.site.disown(far)
	defer far.Close()
	c.hold()
	back := make(chan struct{})
	if !c.site.run(func() {
		defer close(back)
		copyAll(c.raw, far)
	}) {
		return errEnd
	}
	copyAll(far, c.raw)
	<-back
	return errEnd
}

// copyAll copies from src to dst until src ends, and then ends dst's direction too.
func copyAll(dst, src net.Conn) {
	_, _ = io.Copy(dst, src)
	if w, ok := dst.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
}
