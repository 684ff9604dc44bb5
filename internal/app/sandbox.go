package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/faulty"
	"causeway/internal/llm/sandbox"
	"causeway/internal/snapshot"
)

// faultPrefix begins the names of the sandbox's models that fail: sandbox/fault-KIND.
const faultPrefix = "fault-"

// faultLimits are short, so that a failure that shows only when a limit fires shows soon.
var faultLimits = catalog.Timeouts{
	Connect: 2 * time.Second, Send: 2 * time.Second, FirstByte: 2 * time.Second, Idle: 2 * time.Second, Total: 5 * time.Second,
}

// sandboxServer is the built-in provider: an HTTP server on a loopback port of its own for the models
// that answer, and for each kind of fault a peer that really fails so.
type sandboxServer struct {
	url    string
	server *http.Server
	lab    *faulty.Lab
	deps   func() snapshot.Deps

	mu     sync.Mutex
	faults map[fault.Kind]*snapshot.Upstream
}

func startSandbox(dir string, deps func() snapshot.Deps) (*sandboxServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	folder := filepath.Join(dir, "sandbox")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	lab, err := faulty.New(faulty.Options{Dir: folder})
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	s := &sandboxServer{
		url: "http://" + l.Addr().String() + "/v1",
		server: &http.Server{
			Handler: sandbox.New(sandbox.Options{}), ReadHeaderTimeout: 10 * time.Second,
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // the gateway's own record says more
		},
		lab: lab, deps: deps, faults: map[fault.Kind]*snapshot.Upstream{},
	}
	go func() { _ = s.server.Serve(l) }() // ends with Close
	return s, nil
}

// sandboxModels are the built-in models that GET /v1/models lists; sandbox/fault-KIND works for
// every kind of failure and is not listed.
var sandboxModels = []string{"echo", "tools"}

// Upstream implements gateway.Sandbox.
func (s *sandboxServer) Upstream(model string, stream bool) (up *snapshot.Upstream, synthetic fault.Kind, ok bool) {
	name, isFault := strings.CutPrefix(model, faultPrefix)
	if !isFault {
		return nil, "", false
	}
	kind := fault.Kind(name)
	if fault.Lookup(kind) == nil {
		return nil, fault.ModelNotFound, false
	}
	f, found := faulty.ForKind(kind)
	if !found || !showsOnModel(f) || f.Needs.Stream && !stream {
		return nil, kind, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if up := s.faults[kind]; up != nil {
		return up, "", true
	}
	peer, err := s.lab.StartFault(f, faulty.Params{})
	if err != nil {
		return nil, kind, false
	}
	up, err = snapshot.Single("sandbox", strings.TrimSuffix(peer.URL, "/"), snapshot.Peer{
		TLS:      catalog.UpstreamTLS{CAFile: peer.CAFile, ServerName: peer.ServerName, CertFile: peer.ShowCertFile, KeyFile: peer.ShowKeyFile, Pins: peer.Pins},
		Resolver: resolverAt(peer.Resolver), Timeouts: faultLimits, Protocol: peer.Protocol,
	}, s.deps())
	if err != nil {
		peer.Close()
		return nil, kind, false
	}
	s.faults[kind] = up
	return up, "", true
}

// showsOnModel tells whether a peer with the fault makes one call of a model end with its kind. An
// answer that is whole but in no dialect never does: there it is read as the provider's.
func showsOnModel(f faulty.Fault) bool {
	n := f.Needs
	switch {
	case n.Met() != nil, n.Upload, n.Upgrade, n.Head, n.Reuse, n.Target, n.BodyLimit:
		return false
	case f.Status != 0 && !f.LLM:
		return false
	}
	return f.Kind != fault.ConnectReset // the kernel may let the connection stand for a moment
}

// resolverAt asks one DNS server; nil for "" (the system's).
func resolverAt(addr string) *net.Resolver {
	if addr == "" {
		return nil
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}}
}

// Close ends the server and every faulty peer.
func (s *sandboxServer) Close() error {
	s.mu.Lock()
	for _, up := range s.faults {
		up.Close()
	}
	s.mu.Unlock()
	return errors.Join(s.server.Close(), s.lab.Close())
}
