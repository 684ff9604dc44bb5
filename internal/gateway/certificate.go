package gateway

import (
	"context"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/policy"
)

// byCertificate looks who calls in the certificate that the connection was opened with, for a call
// without a key: a key that is sent, good or not, is the caller's word.
func (c *call) byCertificate(found *policy.Found) {
	by := c.gen.Keys.ByCertificate(c.ex.TLS())
	switch by.Kind {
	case "":
		*found = by
		c.note("guards", "let in by its client certificate")
	case fault.KeyMissing:
		found.Evidence = append(found.Evidence, "client certificate: none was shown on this connection")
	default:
		by.Example = found.Example
		by.Evidence = append(by.Evidence, found.Evidence...)
		*found = by
		if by.Kind == fault.ClientCertExpired {
			c.ex.Close() // the next connection can show its successor
		}
	}
}

// challengePrefix begins the addresses at which an ACME authority looks for its proof.
const challengePrefix = "/.well-known/acme-challenge/"

var typeText = []byte("text/plain; charset=utf-8")

// challenge is the proof that the call asks for, on a plain address, if an order of ours waits for it.
// Others are somebody's behind us.
func (c *call) challenge() ([]byte, bool) {
	if c.g.challenge == nil || c.gen.Catalog.Server.ACME == nil || c.ex.TLS() != nil || c.j.Method != "GET" || !strings.HasPrefix(view(c.rq.Path), challengePrefix) {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return c.g.challenge(ctx, string(c.rq.Authority), string(c.rq.Path))
}
