package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"causeway/bench/stats"
)

// Secure is whether a mode's calls go over TLS.
func (m Mode) Secure() bool { return m == TLS || m == Handshake || m == Resumed }

// secure is one run over TLS under way: a goroutine for each connection with crypto/tls, because a
// handshake is no work for an event loop. All that counts is the proxy's CPU, which does not see who
// calls.
type secure struct {
	spec   Spec
	want   want
	config *tls.Config

	counting atomic.Bool // of answers
	over     atomic.Bool
	mu       sync.Mutex
	result   Result
	latency  *stats.Histogram
}

// RunSecure is Run for the modes over TLS. beside is called on a goroutine of its own while calls are
// under way.
func RunSecure(ctx context.Context, spec Spec, beside func() error) (Result, error) {
	_, want, err := spec.check()
	if err != nil {
		return Result{}, err
	}
	s := &secure{spec: spec, want: want, latency: new(stats.Histogram)}
	if s.config, err = clientTLS(spec.Authority); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var helper sync.WaitGroup
	if beside != nil {
		helper.Go(func() {
			for ctx.Err() == nil {
				if err := beside(); err != nil {
					cancel(err)
				}
				runtime.Gosched()
			}
		})
	}
	result, err := s.run(ctx)
	if cause := context.Cause(ctx); cause != nil && err == nil {
		err = cause
	}
	cancel(nil)
	helper.Wait()
	return result, err
}

// clientTLS is what every proxy is spoken to with: one version, key exchange and cipher for all.
func clientTLS(authority string) (*tls.Config, error) {
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, fmt.Errorf("reading the proxies' certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", authority)
	}
	return &tls.Config{
		RootCAs: pool, ServerName: ServerName, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}, NextProtos: []string{"http/1.1"},
	}, nil
}

// ServerName is the name that the proxies' certificate is for.
const ServerName = "bench.test"

func (s *secure) run(ctx context.Context) (Result, error) {
	var callers sync.WaitGroup
	failed := make(chan error, s.spec.Conns)
	for range s.spec.Conns {
		callers.Go(func() {
			if err := s.caller(ctx); err != nil {
				failed <- err
			}
		})
	}
	ended := func() error {
		s.over.Store(true)
		callers.Wait()
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	}
	if err := wait(ctx, s.spec.Warm+warmSecure); err != nil {
		return Result{}, errors.Join(err, ended())
	}
	g := &generator{spec: s.spec}
	begin, err := g.look()
	s.counting.Store(true)
	if err == nil {
		err = wait(ctx, s.spec.Duration)
	}
	s.counting.Store(false)
	end, lookErr := g.look()
	if err := errors.Join(err, lookErr, ended()); err != nil {
		return Result{}, err
	}
	s.result.Latency = Quantiles{P50: s.latency.Quantile(0.5), P90: s.latency.Quantile(0.9), P99: s.latency.Quantile(0.99), P999: s.latency.Quantile(0.999), Max: s.latency.Max()}
	g.between(&s.result, begin, end)
	return s.result, nil
}

// warmSecure is for the first handshakes, which are no part of any figure.
const warmSecure = 300 * time.Millisecond

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// caller makes calls one after the other until the run is over: on one connection, or on a new one
// for each.
func (s *secure) caller(ctx context.Context) error {
	config := s.config.Clone()
	if s.spec.Mode == Resumed {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	var nc *tls.Conn
	defer func() {
		if nc != nil {
			_ = nc.NetConn().Close()
		}
	}()
	buf := make([]byte, 128<<10)
	for first := true; !s.over.Load() && ctx.Err() == nil; first = false {
		began := time.Now()
		if nc == nil {
			var err error
			if nc, err = s.connect(ctx, config); err != nil {
				return err
			}
			if resumed := nc.ConnectionState().DidResume; resumed != (s.spec.Mode == Resumed) && !first {
				return fmt.Errorf("a handshake is resumed: %v", resumed)
			}
		}
		err := s.call(nc, buf)
		s.count(err, time.Since(began))
		if err != nil || s.spec.Mode != TLS {
			_ = nc.NetConn().Close() // without close_notify, as the proxies are not measured by their goodbyes
			nc = nil
		}
	}
	return nil
}

func (s *secure) connect(ctx context.Context, config *tls.Config) (*tls.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.spec.Addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", s.spec.Addr, err)
	}
	nc := tls.Client(c, config)
	if err := nc.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("shaking hands with %s: %w", s.spec.Addr, err)
	}
	return nc, nil
}

var errWrongAnswer = errors.New("an answer that is not the one expected")

// call sends one call and reads its answer to the end.
func (s *secure) call(nc *tls.Conn, buf []byte) error {
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write(s.want.request); err != nil {
		return err
	}
	var answer reader
	for answer.phase != whole {
		n, err := nc.Read(buf)
		if err != nil {
			return err
		}
		rest, err := answer.feed(buf[:n], false, nil)
		if err != nil || len(rest) > 0 {
			return errWrongAnswer
		}
	}
	if answer.status != 200 || answer.length != s.want.length {
		return fmt.Errorf("%w: status %d, %d bytes", errWrongAnswer, answer.status, answer.length)
	}
	return nil
}

func (s *secure) count(err error, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && (!s.over.Load() || errors.Is(err, errWrongAnswer)):
		s.result.Wrong++
		if s.result.Example == "" {
			s.result.Example = err.Error()
		}
	case err == nil && s.counting.Load():
		s.result.Answers++
		s.latency.Add(took)
	}
}
