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
	"net"
	"net/http"
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
	"causeway/internal/child"
	"causeway/internal/diagnose"
	"causeway/internal/fetch"
	"causeway/internal/gateway"
	"causeway/internal/history"
	"causeway/internal/identity"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/listen"
	"causeway/internal/meter"
	"causeway/internal/owner"
	"causeway/internal/responses"
	"causeway/internal/snapshot"
	"causeway/internal/store"
	"causeway/internal/wire"
)

// Options say what to serve. Addresses are as catalog.ParseListener reads them; the rest has defaults.
type Options struct {
	ConfigFile string           // "" for Catalog, or the embedded defaults
	Catalog    *catalog.Catalog // used when there is no file
	DataDir    string
	Listen     []string // none: the file's server.listen, or DefaultListen
	Console    string
	AllowOpen  bool // access: open may listen off loopback
	// Inherited is what the process before hands over, Systemd what systemd has opened; nil for none.
	Inherited *listen.Inheritance
	Systemd   *listen.Activation
	Program   string // what HandOver starts, with this process's arguments; "" when it is not known
	Version   string
	Commit    string
	Stdout    io.Writer // gets what a first start shows once, and the ready line
	Terminal  bool      // Stdout is one: things to try are printed
	Log       *slog.Logger
	Getenv    func(string) string // nil: os.Getenv
	// Child tells what is known of the upstream's process, where the caller of New has started it; see
	// gateway.Options. nil: it has not.
	Child func(since time.Time, broke bool) *journey.Child
	// Endings are the times that this process has ended, the last first; nil where Child is.
	Endings func() []child.Ending
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
	lane     *wire.Lane // of long work
	sandbox  *sandboxServer
	gateway  *gateway.Gateway
	kept     *responses.Keeper
	limits   limits
	answers  answers
	fetch    *fetch.Fetcher
	door     *wire.Door
	doorLog  doorLog
	certs    certificates
	host     hostWatch
	history  history.Book
	console  *http.Server
	socket   *http.Server

	incidents *incidents // what failures are folded into

	listeners   []*listen.Listener
	consoles    []*listen.Listener // several only where systemd has opened several
	socketL     *listen.Listener
	proxyCounts listen.ProxyCounts
	proxyLog    seldom

	handOver         chan struct{}
	handOverFailures atomic.Int64
	successor        *listen.Successor // kept open: its pipes tell it that this process lives

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
	a := &App{o: o, log: o.Log, lane: wire.NewLane(), started: time.Now(), reload: make(chan struct{}, 1), handOver: make(chan struct{}, 1)}
	a.lane.OnTurn = a.onLongWork
	a.configError.Store("")
	defer func() {
		if err != nil {
			if o.Inherited != nil {
				o.Inherited.Failed(err)
			}
			err = errors.Join(err, a.close())
		}
	}()
	if o.Inherited != nil {
		a.onClose(o.Inherited.Close)
	}
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
	for _, step := range []func(context.Context, *catalog.Catalog) error{
		a.openListeners, a.openIncidents, a.openData, a.openAccounts, a.openMeter, a.openHost, a.openResponses, a.openLimits, a.openCache, a.openGateway, a.startIncidents, a.openDoor, a.openConsole,
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

func (a *App) openData(ctx context.Context, c *catalog.Catalog) (err error) {
	if err = os.MkdirAll(a.o.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data folder %s: %w; choose another one with --data", a.o.DataDir, err)
	}
	if given := a.o.Inherited.File(roleLock); given != nil {
		a.lock, err = ledger.InheritLock(a.o.DataDir, given)
	} else {
		a.lock, err = ledger.LockDir(a.o.DataDir)
	}
	if err != nil {
		return err
	}
	a.onClose(a.lock.Release)
	if a.store, err = store.Open(ctx, a.o.DataDir); err != nil {
		return err
	}
	a.onClose(a.store.Close)
	a.ledger, err = ledger.New(ctx, ledger.Options{
		Dir: a.o.DataDir, Store: a.store, Lock: a.lock, Limits: ledgerLimits(c), Tap: a.incidents.see, Log: a.log,
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
		Sources: meter.Sources{Door: a.doorFigures, Listen: a.listenFigures, Targets: a.targetFigures, Ledger: a.ledgerFigures, Load: a.loadFigures, Long: a.longFigures, Host: a.host.state, TLS: a.tlsFigures, Models: a.modelFigures, Keys: a.keyFigures, Guardrails: a.guardrailFigures, Cache: a.cacheFigures, Incidents: a.incidentFigures},
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
	a.fetch = fetch.New(fetch.RulesOf(c.LLM.Fetch), resolverAt(c.Server.Resolver))
	gen, err := a.compile(c, nil)
	if err != nil {
		return err
	}
	a.gateway, err = gateway.New(gateway.Options{
		Ledger: a.ledger, Sandbox: a.sandbox, Responses: a.kept, Owner: owner.New(ownedStore{a.store}), Counters: a.limits.counters, Cache: a.answers.cache, Fetch: a.fetch.Get, Log: a.log, Challenge: a.certs.challenge, Host: a.host.facts, Child: a.o.Child, MemoryMax: a.host.memoryMax, MemoryKill: a.host.memoryKill, Lane: a.lane, OnUnread: a.onUnread,
	}, gen)
	if err != nil {
		return err
	}
	a.host.gateway.Store(a.gateway)
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
		Meter: a.meter, Log: a.log, Instance: a.instance, Files: files(), Memory: a.host.memoryMax, OnLookup: a.host.lookedUp, Lane: a.lane, History: &a.history,
		Dialects: dialects(), Speak: speak(), Prices: a.limits.prices, Extra: a.extra,
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
	if err := a.certs.store.Load(c.Server); err != nil {
		return err
	}
	a.ledger.SetLimits(ledgerLimits(c))
	a.fetch.SetRules(fetch.RulesOf(c.LLM.Fetch))
	a.kept.Configure(keepResponses(c), c.LLM.KeepResponsesSize)
	a.door.Configure(a.doorOptions(c))
	a.resizeCache(c)
	a.meter.Install(gen.Meter, gen.Number)
	gen.Start()
	a.incidents.configured(old.Catalog, c, gen.Number) // before the first call that may fail by it
	a.gateway.Install(gen)
	old.Retire(gen)
	return nil
}

func (a *App) openDoor(_ context.Context, c *catalog.Catalog) error {
	if err := a.openCertificates(c); err != nil {
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
		MinRate: c.Server.MinRate, MinRateAfter: c.Server.MinRateAfter, OnAcceptError: a.host.notAccepted, Lane: a.lane,
		MaxConnections: c.Server.MaxConnections, TLS: a.certs.config(), Preamble: a.preamble(c),
		HTTP2: http2Options(c), OnHTTP2: a.onHTTP2, OnSilent: a.onSilent, OnHandshake: a.handshakeFailed,
	}
}

// secure tells whether the gateway speaks TLS.
func (a *App) secure() bool { return a.certs.config() != nil }

func (a *App) openConsole(ctx context.Context, _ *catalog.Catalog) error {
	h, err := admin.New(admin.Deps{
		Calls: adminCalls{a.ledger}, Explain: diagnose.Explain, Accounts: a.identity, Metrics: a.meter.Handler(),
		Ready: a.readiness, Status: a.status, Inventory: inventory{a}, Incidents: adminIncidents{a.incidents}, Health: a.health, Examine: a.examine, Reproduce: a.reproduce, RunDrill: a.runDrill, Loopback: local(a.consoles), Log: a.log,
		Info: admin.Info{Version: a.o.Version, GatewayURL: a.GatewayURL(), ConsoleURL: a.ConsoleURL()},
	})
	if err != nil {
		return err
	}
	a.console = a.consoleServer(h)
	if err := a.openSocket(ctx); err != nil {
		return err
	}
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
// stop (a second signal) ends at once. It also returns, likewise, after another process has taken over
// (HandOver). Everything is closed when Run returns.
func (a *App) Run(ctx, now context.Context) (err error) {
	defer func() { err = errors.Join(err, a.close()) }()
	failed := make(chan error, len(a.sockets()))
	watching, stopWatching := context.WithCancel(ctx)
	var serving, watcher sync.WaitGroup
	for _, l := range a.listeners {
		serving.Go(func() { failed <- a.door.Serve(l) })
	}
	for _, l := range a.consoles {
		serving.Go(func() { failed <- serveHTTP(a.console, l) })
	}
	serving.Go(func() { failed <- serveHTTP(a.socket, a.socketL) })
	watcher.Go(func() { a.watch(watching) })
	watcher.Go(func() { a.awaitPredecessor(watching) })
	a.announce()
	a.takeOver()
	// Hashing the first password took 19 MiB, and reading the configuration some: nobody needs them now.
	debug.FreeOSMemory()
	forgetProgram()
	handedOver, err := a.untilEnd(watching, failed)
	stopWatching()
	watcher.Wait()
	if handedOver {
		err = errors.Join(err, a.leave(ctx, now))
	} else {
		a.tell("STOPPING=1")
		err = errors.Join(err, a.drain(now))
	}
	serving.Wait()
	return err
}

// untilEnd waits until this process is to end: because ctx has ended, because something has failed, or
// because another process has taken over.
func (a *App) untilEnd(ctx context.Context, failed <-chan error) (handedOver bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var attempt chan error // nil while none is under way
	for {
		select {
		case <-a.handOver:
			if attempt == nil {
				attempt = make(chan error, 1)
				go func() { attempt <- a.startSuccessor(ctx) }()
			}
			continue
		case failure := <-attempt:
			attempt = nil
			if failure == nil {
				return true, nil
			}
			a.handOverFailures.Add(1)
			a.log.Error("the hand-over has failed; this process goes on", "error", failure.Error())
			continue
		case <-ctx.Done():
		case err = <-failed:
		}
		cancel()
		return attempt != nil && <-attempt == nil, err
	}
}

func serveHTTP(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
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
