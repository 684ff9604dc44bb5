package faulty

import (
	"context"
	"fmt"
	"sync"

	"causeway/internal/fault"
)

// Upstream is a running fault and what a gateway must be told to meet it. Its fields are not
// changed after Start; its methods may be called concurrently.
type Upstream struct {
	// Name and Kind are those of the fault.
	Name string
	Kind fault.Kind
	// URL is the target: http://127.0.0.1:40123, https://..., unix:/path.sock.
	URL string
	// CAFile is a PEM file with the authority to trust for https, or "". With it the peer's
	// certificate verifies, unless the fault is that it does not.
	CAFile string
	// ServerName is the name to ask for (SNI) and to verify, or "" for the URL's host.
	ServerName string
	// Protocol is what has to be spoken: "h2c", "h2", or "" for HTTP/1.1.
	Protocol string
	// ClientCertFile and ClientKeyFile are PEM files of a client certificate that the peer would
	// accept, or "": given them, a peer that demands a certificate answers well.
	ClientCertFile, ClientKeyFile string
	// ShowCertFile and ShowKeyFile are PEM files of a client certificate that the gateway must have for
	// the fault to show, or "".
	ShowCertFile, ShowKeyFile string
	// Pins are what the gateway must be told of the peer's key for the fault to show: SHA-256 sums of
	// public keys; none for most faults.
	Pins [][32]byte
	// Resolver is the address of a DNS server (UDP and TCP), "127.0.0.1:40053", that must be
	// asked for the URL's host, or "".
	Resolver string

	site *site
}

// Counts is what an upstream has seen so far.
type Counts struct {
	Accepted int // connections accepted, TLS handshakes that failed included
	Open     int // connections open now
	Requests int // request heads read
	Queries  int // DNS questions received
}

// Counts returns what the upstream has seen so far.
func (u *Upstream) Counts() Counts { return u.site.tally.now() }

// Requests returns how many request heads the upstream has read.
func (u *Upstream) Requests() int { return u.Counts().Requests }

// Connections returns how many connections the upstream has accepted.
func (u *Upstream) Connections() int { return u.Counts().Accepted }

// Await waits until enough says yes to the counts and returns them: the way to wait for a request
// to have arrived, or for a connection to be gone, without sleeping. It returns the counts and
// ctx's error when that ends first.
func (u *Upstream) Await(ctx context.Context, enough func(Counts) bool) (Counts, error) {
	for {
		c, changed := u.site.tally.watch()
		if enough(c) {
			return c, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return c, fmt.Errorf("waiting for upstream %s: %w", u.Name, context.Cause(ctx))
		}
	}
}

// Close ends the upstream's connections, goroutines and listeners, and returns when all are gone.
// It may be called more than once.
func (u *Upstream) Close() { u.site.close() }

// tally keeps the counts and tells those who wait that they changed.
type tally struct {
	mu      sync.Mutex
	counts  Counts
	changed chan struct{} // closed on the next change; nil while nobody waits
}

func (t *tally) add(change func(*Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.counts)
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

func (t *tally) now() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

func (t *tally) watch() (Counts, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.counts, t.changed
}
