package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/listen"
	"causeway/internal/meter"
	"causeway/internal/wire"
)

// DefaultListen is where calls come in when neither a flag nor the file says so.
const DefaultListen = "127.0.0.1:8080"

// What the sockets are for, when they are handed over.
const (
	roleGateway = "gateway"
	roleConsole = "console"
	roleSocket  = "socket"
	roleLock    = "lock"
)

// gatewaySpecs are the addresses that calls come in at: the flags', else the file's, else the default.
func (a *App) gatewaySpecs(c *catalog.Catalog) ([]listen.Spec, error) {
	var specs []listen.Spec
	add := func(setting string, l catalog.Listener) {
		specs = append(specs, listen.Spec{
			Role: roleGateway, Setting: setting, Address: l.Address, Mode: l.Mode, Plain: l.Plain, Copies: c.Server.ReusePort,
		})
	}
	for _, text := range a.o.Listen {
		l, err := catalog.ParseListener(text)
		if err != nil {
			return nil, fmt.Errorf("--listen %s: %w", text, err)
		}
		add("--listen", l)
	}
	if len(specs) == 0 {
		for _, l := range c.Server.Listen {
			add("server.listen", l)
		}
	}
	if len(specs) == 0 {
		add("--listen", catalog.Listener{Address: DefaultListen})
	}
	return specs, nil
}

// openListeners takes the addresses first: one that is in use ends the start before anything was
// written. What the process before has handed over, or systemd has opened, is taken as it is.
func (a *App) openListeners(ctx context.Context, c *catalog.Catalog) error {
	specs, err := a.gatewaySpecs(c)
	if err != nil {
		return err
	}
	console, err := catalog.ParseListener(a.o.Console)
	if err != nil {
		return fmt.Errorf("--console %s: %w", a.o.Console, err)
	}
	specs = append(specs, listen.Spec{Role: roleConsole, Setting: "--console", Address: console.Address})
	list, err := listen.Open(ctx, specs, listen.Sources{Inherited: a.o.Inherited, Systemd: a.o.Systemd})
	if err != nil {
		return err
	}
	for _, l := range list {
		a.onClose(l.Close)
		if l.Spec.Role == roleGateway {
			a.listeners = append(a.listeners, l)
		} else {
			a.consoles = append(a.consoles, l)
		}
	}
	if names := a.o.Systemd.Unused(); len(names) > 0 {
		a.log.Warn("systemd has opened sockets that nothing asks for", "names", strings.Join(names, ", "))
	}
	a.warnListen(c) // of what could not be taken over as the file has it
	return a.checkOpen(c)
}

// local tells whether only processes of this machine can reach any of them.
func local(list []*listen.Listener) bool {
	return !slices.ContainsFunc(list, func(l *listen.Listener) bool { return !l.Local() })
}

// openSocket makes the socket in the data folder.
func (a *App) openSocket(ctx context.Context) error {
	list, err := listen.Open(ctx, []listen.Spec{{
		Role: roleSocket, Setting: "--data", Address: "unix:" + SocketPath(a.o.DataDir), Mode: 0o600,
	}}, listen.Sources{Inherited: a.o.Inherited})
	if err != nil {
		return err
	}
	a.socketL = list[0]
	a.onClose(a.socketL.Close)
	return nil
}

// checkOpen refuses services without keys on an address that others can reach, unless that was asked
// for. Before there are listeners it has nothing to say.
func (a *App) checkOpen(c *catalog.Catalog) error {
	if a.o.AllowOpen {
		return nil
	}
	for _, l := range a.listeners {
		if l.Local() {
			continue
		}
		for name, s := range c.Services {
			if s.Access == "open" {
				return fmt.Errorf("service %s has access: open and %s can be reached by others: set access: key, listen on 127.0.0.1, or start with --allow-open", name, l.Name())
			}
		}
	}
	return nil
}

// listenChanged tells whether a file asks for other addresses than those that are open, or for other
// numbers of sockets at them.
func (a *App) listenChanged(c *catalog.Catalog) (addresses, sockets bool) {
	specs, err := a.gatewaySpecs(c)
	if err != nil {
		return false, false
	}
	open := map[string]listen.Spec{}
	for _, l := range a.listeners {
		open[l.Spec.Address] = l.Spec
	}
	for _, s := range specs {
		was, ok := open[s.Address]
		if !ok || was.Plain != s.Plain || s.Mode != 0 && was.Mode != s.Mode {
			addresses = true
		}
		_, _, noPort := net.SplitHostPort(s.Address)
		if ok && noPort == nil && max(was.Copies, 1) != max(s.Copies, 1) {
			sockets = true
		}
		delete(open, s.Address)
	}
	return addresses || len(open) > 0, sockets
}

// warnListen says which of a file's settings of server.listen are not in force, and what puts them there.
func (a *App) warnListen(c *catalog.Catalog) {
	addresses, sockets := a.listenChanged(c)
	if addresses {
		a.log.Warn("server.listen has changed: it takes effect with a new process; SIGUSR2 starts one without losing a call", "file", a.o.ConfigFile)
	}
	if sockets {
		a.log.Warn("server.reuse_port has changed: it takes effect when the program is stopped and started", "file", a.o.ConfigFile)
	}
}

// urls are the addresses that calls come in at, as the ready line and the console show them.
func (a *App) urls() []string {
	scheme := "http"
	if a.secure() {
		scheme = "https"
	}
	var list []string
	for i, l := range a.listeners {
		switch {
		case i > 0 && l.Name() == a.listeners[i-1].Name(): // sockets that share an address
		case strings.HasPrefix(l.Name(), "unix:"):
			list = append(list, l.Name())
		case l.Plain():
			list = append(list, "http://"+l.Name())
		default:
			list = append(list, scheme+"://"+l.Name())
		}
	}
	return list
}

// GatewayURL is where calls come in: the first address, unix:/PATH for a Unix socket.
func (a *App) GatewayURL() string { return a.urls()[0] }

// ConsoleURL is where the admin API is.
func (a *App) ConsoleURL() string {
	if name := a.consoles[0].Name(); strings.HasPrefix(name, "unix:") {
		return name
	}
	return "http://" + a.consoles[0].Name()
}

// preamble reads PROXY protocol headers by a configuration; nil when there are none to read.
func (a *App) preamble(c *catalog.Catalog) wire.Preamble {
	p := c.Server.ProxyProtocol
	if p == nil {
		return nil
	}
	return proxyPreamble{
		listen.NewProxy(listen.ProxyOptions{From: p.From, Unix: p.Unix, Optional: !p.Required, Timeout: p.Timeout}, &a.proxyCounts),
		&a.proxyLog, a.log,
	}
}

// proxyPreamble lets the door read PROXY protocol headers.
type proxyPreamble struct {
	*listen.Proxy
	said *seldom
	log  *slog.Logger
}

// Read implements wire.Preamble.
func (p proxyPreamble) Read(nc net.Conn) (caller, local netip.AddrPort, bad *wire.PreambleError) {
	h, _, err := p.Proxy.Read(nc)
	if err == nil {
		return h.From, h.To, nil
	}
	bad = &wire.PreambleError{Detail: err.Error()}
	var malformed *listen.MalformedError
	switch {
	case errors.Is(err, listen.ErrMissing):
		bad.Missing = true
	case errors.As(err, &malformed):
		bad.Detail = malformed.Reason
	default:
		bad.Silent = true
	}
	if errors.Is(err, listen.ErrClosed) {
		return caller, local, bad // somebody who only asked whether we listen
	}
	if again, ok := p.said.allow(time.Now()); ok {
		p.log.Warn("a connection was refused for its PROXY protocol header", "remote", nc.RemoteAddr().String(), "reason", err.Error(), "lines_left_out", again)
	}
	return caller, local, bad
}

// seldom lets a line through each second and counts the others.
type seldom struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (s *seldom) allow(now time.Time) (skipped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.last) < time.Second {
		s.skipped++
		return 0, false
	}
	skipped, s.skipped, s.last = s.skipped, 0, now
	return skipped, true
}

func (a *App) listenFigures() meter.Listen {
	l := meter.Listen{ProxyRefused: a.proxyCounts.Refused(), HandOverFailures: a.handOverFailures.Load()}
	for version := 1; version < len(l.ProxyAccepted); version++ {
		l.ProxyAccepted[version] = a.proxyCounts.Accepted(version)
	}
	l.Leaving = a.gateway != nil && a.gateway.Draining()
	return l
}
