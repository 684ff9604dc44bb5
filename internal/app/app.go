package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"causeway/internal/admin"
	"causeway/internal/catalog"
	"causeway/internal/diagnose"
	"causeway/internal/gateway"
	"causeway/internal/identity"
	"causeway/internal/ledger"
	"causeway/internal/llm"
	"causeway/internal/llm/openai"
	"causeway/internal/meter"
	"causeway/internal/snapshot"
	"causeway/internal/store"
	"causeway/internal/wire"
)

// Options say what to serve. Listen and Console are addresses with a port; the rest has defaults.
type Options struct {
	ConfigFile string           // "" for Catalog, or the embedded defaults
	Catalog    *catalog.Catalog // used when there is no file
	DataDir    string
	Listen     string
	Console    string
	AllowOpen  bool // access: open may listen off loopback
	Version    string
	Commit     string
	Stdout     io.Writer // gets what a first start shows once, and the ready line
	Terminal   bool      // Stdout is one: things to try are printed
	Log        *slog.Logger
	Getenv     func(string) string // nil: os.Getenv
}

// ConfigError is a configuration that can't be put in force: every fault of a file.
type ConfigError struct {
	File   string
	Faults catalog.Faults
}

func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// App is the whole program, opened. Run serves; Close gives everything back.
type App struct {
	o       Options
	log     *slog.Logger
	started time.Time

	lock     *ledger.DirLock
	store    *store.DB
	ledger   *ledger.Ledger
	identity *identity.Identity
	meter    *meter.Meter
	sandbox  *sandboxServer
	gateway  *gateway.Gateway
	door     *wire.Door
	certs    certificates
	console  *http.Server
	socket   *http.Server

	listener net.Listener
	consoleL net.Listener
	socketL  net.Listener

	instance    string
	extra       []*catalog.Application
	sandboxKey  string
	configError atomic.Value // string
	firstStamp  stamp        // of the file, before it was first read
	reload      chan struct{}
	installMu   sync.Mutex
	closers     []func() error
}

// New opens everything: the configuration is checked first, so that a faulty one changes nothing.
// On an error everything that was opened is closed again.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	a := &App{o: o, log: o.Log, started: time.Now(), reload: make(chan struct{}, 1)}
	a.configError.Store("")
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	c := o.Catalog
	switch {
	case o.ConfigFile != "":
		a.firstStamp = stampOf(o.ConfigFile)
		if c, err = a.loadFile(); err != nil {
			return nil, err
		}
	case c == nil:
		c = catalog.Default()
	}
	if err := a.checkOpen(c); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, *catalog.Catalog) error{
		a.openListeners, a.openData, a.openAccounts, a.openMeter, a.openGateway, a.openDoor, a.openConsole,
	} {
		if err := step(ctx, c); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// onClose notes what Close does, in reverse order.
func (a *App) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *App) close() (err error) {
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, a.closers[i]())
	}
	a.closers = nil
	return err
}

// openListeners takes the two addresses first: one that is in use ends the start before anything
// was written.
func (a *App) openListeners(ctx context.Context, _ *catalog.Catalog) (err error) {
	if a.listener, err = listen(ctx, "--listen", a.o.Listen); err != nil {
		return err
	}
	a.onClose(closing(a.listener))
	if a.consoleL, err = listen(ctx, "--console", a.o.Console); err != nil {
		return err
	}
	a.onClose(closing(a.consoleL))
	return nil
}

// closing closes a listener that its server may have closed already.
func closing(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s: the address is in use by another program; stop that one, or choose another address with %s", flag, addr, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s %s: no permission for this port; choose one above 1023 with %s", flag, addr, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s %s: this machine has no such address", flag, addr)
	}
	return nil, fmt.Errorf("%s %s: %w", flag, addr, err)
}

// checkOpen refuses services without keys on an address that others can reach, unless that was
// asked for.
func (a *App) checkOpen(c *catalog.Catalog) error {
	if a.o.AllowOpen || loopback(a.o.Listen) {
		return nil
	}
	for name, s := range c.Services {
		if s.Access == "open" {
			return fmt.Errorf("service %s has access: open and %s can be reached by others: set access: key, listen on 127.0.0.1, or start with --allow-open", name, a.o.Listen)
		}
	}
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (a *App) openData(ctx context.Context, c *catalog.Catalog) (err error) {
	if err = os.MkdirAll(a.o.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data folder %s: %w; choose another one with --data", a.o.DataDir, err)
	}
	if a.lock, err = ledger.LockDir(a.o.DataDir); err != nil {
		return err
	}
	a.onClose(a.lock.Release)
	if a.store, err = store.Open(ctx, a.o.DataDir); err != nil {
		return err
	}
	a.onClose(a.store.Close)
	a.ledger, err = ledger.New(ctx, ledger.Options{
		Dir: a.o.DataDir, Store: a.store, Lock: a.lock, Limits: ledgerLimits(c), Log: a.log,
	})
	if err != nil {
		return err
	}
	a.onClose(a.ledger.Close)
	return nil
}

func ledgerLimits(c *catalog.Catalog) ledger.Limits {
	l := ledger.Limits{Keep: c.Calls.Keep, MaxSize: c.Calls.MaxSize, WhenFull: ledger.Drop}
	if c.Calls.WhenFull == "refuse" {
		l.WhenFull = ledger.Refuse
	}
	return l
}

func (a *App) openMeter(context.Context, *catalog.Catalog) (err error) {
	a.meter, err = meter.New(meter.Options{
		Version: a.o.Version, Commit: a.o.Commit, Log: a.log,
		Sources: meter.Sources{Door: a.doorFigures, Targets: a.targetFigures, Ledger: a.ledgerFigures},
	})
	return err
}

func (a *App) openGateway(_ context.Context, c *catalog.Catalog) (err error) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	a.instance = hex.EncodeToString(id[:])
	if a.sandbox, err = startSandbox(a.o.DataDir, a.deps); err != nil {
		return err
	}
	a.onClose(a.sandbox.Close)
	gen, err := a.compile(c, nil)
	if err != nil {
		return err
	}
	a.gateway, err = gateway.New(gateway.Options{
		Ledger: a.ledger, Sandbox: a.sandbox, Log: a.log,
	}, gen)
	if err != nil {
		return err
	}
	a.meter.Install(gen.Meter, gen.Number)
	gen.Start()
	a.onClose(func() error {
		a.gateway.Generation().Retire(nil)
		return nil
	})
	return nil
}

// compile makes a generation of c.
func (a *App) compile(c *catalog.Catalog, old *snapshot.Generation) (*snapshot.Generation, error) {
	d := a.deps()
	d.Resolver, d.ResolverName = resolverAt(c.Server.Resolver), c.Server.Resolver
	return snapshot.Compile(c, old, d)
}

// deps are what a generation is compiled with.
func (a *App) deps() snapshot.Deps {
	d := snapshot.Deps{
		Meter: a.meter, Log: a.log, Instance: a.instance, Files: files(), Memory: memory(),
		Dialects: []llm.Dialect{openai.New()}, Speaks: openai.New(), Extra: a.extra,
	}
	if a.sandbox != nil {
		d.SandboxURL, d.SandboxModels = a.sandbox.url, sandboxModels
	}
	return d
}

// files is how many descriptors this process may have; the soft limit is raised by the runtime.
func files() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(r.Cur, 1<<30))
}

// memory is how many bytes this process may take: GOMEMLIMIT, or what its host or its control group
// lets it have; 0 when that is not known.
func memory() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	return hostMemory()
}

// install compiles a catalogue and puts it in force. Calls in flight end on the generation that
// they began with.
func (a *App) install(c *catalog.Catalog) error {
	a.installMu.Lock()
	defer a.installMu.Unlock()
	old := a.gateway.Generation()
	gen, err := a.compile(c, old)
	if err != nil {
		return err
	}
	if err := a.certs.load(c.Server.TLS); err != nil {
		return err
	}
	a.ledger.SetLimits(ledgerLimits(c))
	a.door.Configure(a.doorOptions(c))
	a.meter.Install(gen.Meter, gen.Number)
	gen.Start()
	a.gateway.Install(gen)
	old.Retire(gen)
	return nil
}

func (a *App) openDoor(_ context.Context, c *catalog.Catalog) error {
	if err := a.certs.load(c.Server.TLS); err != nil {
		return err
	}
	door, err := wire.NewDoor(a.doorOptions(c))
	if err != nil {
		return err
	}
	a.door = door
	a.onClose(func() error {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = door.Shutdown(now) // after Run nobody is left to be cut
		return nil
	})
	return nil
}

func (a *App) doorOptions(c *catalog.Catalog) wire.DoorOptions {
	return wire.DoorOptions{
		Handler: a.gateway, Limits: wire.Limits{Head: int(c.Server.MaxHeader)},
		ReadHeaderTimeout: c.Server.ReadHeaderTimeout, IdleTimeout: c.Server.IdleTimeout,
		MaxConnections: c.Server.MaxConnections, TLS: a.certs.config(),
	}
}

// GatewayURL is where calls come in.
func (a *App) GatewayURL() string {
	scheme := "http"
	if a.certs.config() != nil {
		scheme = "https"
	}
	return scheme + "://" + a.listener.Addr().String()
}

// ConsoleURL is where the admin API is.
func (a *App) ConsoleURL() string { return "http://" + a.consoleL.Addr().String() }

func (a *App) openConsole(_ context.Context, _ *catalog.Catalog) error {
	h, err := admin.New(admin.Deps{
		Calls: adminCalls{a.ledger}, Explain: diagnose.Explain, Accounts: a.identity, Metrics: a.meter.Handler(),
		Ready: a.readiness, Status: a.status, Loopback: loopback(a.o.Console), Log: a.log,
		Info: admin.Info{Version: a.o.Version, GatewayURL: a.GatewayURL(), ConsoleURL: a.ConsoleURL()},
	})
	if err != nil {
		return err
	}
	a.console = a.consoleServer(h)
	if a.socketL, err = admin.Listen(SocketPath(a.o.DataDir)); err != nil {
		return err
	}
	a.onClose(closing(a.socketL))
	a.socket = a.consoleServer(admin.Trusted(h))
	return nil
}

// consoleServer serves the admin API. What net/http has to say of connections goes to our log, so
// that --log rules it too.
func (a *App) consoleServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// SocketPath is the socket that commands use to ask a running instance.
func SocketPath(dataDir string) string { return filepath.Join(dataDir, "causeway.sock") }

// Run serves until ctx ends, then drains: calls in flight may end within server.drain. A call to
// stop (a second signal) ends at once. Everything is closed when Run returns.
func (a *App) Run(ctx, now context.Context) (err error) {
	defer func() { err = errors.Join(err, a.close()) }()
	failed := make(chan error, 3)
	watching, stopWatching := context.WithCancel(ctx)
	var serving, watcher sync.WaitGroup
	serving.Go(func() { failed <- a.door.Serve(a.listener) })
	serving.Go(func() { failed <- serveHTTP(a.console, a.consoleL) })
	serving.Go(func() { failed <- serveHTTP(a.socket, a.socketL) })
	watcher.Go(func() { a.watch(watching) })
	a.announce()
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopWatching()
	watcher.Wait()
	err = errors.Join(err, a.drain(now))
	serving.Wait()
	return err
}

func serveHTTP(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the console: %w", err)
	}
	return nil
}

// drain lets the calls in flight end, and flushes the ledger.
func (a *App) drain(now context.Context) error {
	a.gateway.Drain()
	limit := a.gateway.Generation().Catalog.Server.Drain
	ctx, cancel := context.WithTimeout(now, limit)
	defer cancel()
	if n := a.gateway.InFlight(); n > 0 {
		a.log.Info("draining", "calls", n, "limit", limit.String())
	}
	if err := a.door.Shutdown(ctx); err != nil {
		a.log.Warn("calls were cut short", "reason", context.Cause(ctx).Error())
	}
	_ = a.console.Close()
	_ = a.socket.Close()
	flush, cancelFlush := context.WithTimeout(context.WithoutCancel(now), 10*time.Second)
	defer cancelFlush()
	return a.ledger.Flush(flush)
}

// Reload reads the configuration file again, as SIGHUP does. It returns at once.
func (a *App) Reload() {
	select {
	case a.reload <- struct{}{}:
	default:
	}
}

// keyHash is how a caller's key is known.
func keyHash(key string) [32]byte { return sha256.Sum256([]byte(key)) }
