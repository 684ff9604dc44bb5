package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"causeway/internal/admin"
	"causeway/internal/catalog"
	"causeway/internal/drill"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/meter"
	"causeway/internal/price"
	"causeway/internal/snapshot"
)

// Drill is drill.Run with the program's own gateway, after the configuration was compiled as serve does. Set in o is
// what is drilled, and who is told.
func Drill(ctx context.Context, o drill.Options) (*drill.Report, error) {
	if o.Catalog == nil {
		o.Catalog = catalog.Default()
	}
	if err := compiles(o.Catalog); err != nil {
		return nil, err
	}
	o.Open = openDrillGateway
	return drill.Run(ctx, o)
}

// runDrill is admin.Deps.RunDrill: the configuration in force.
func (a *App) runDrill(ctx context.Context, what admin.Drill, tell func(drill.Step)) (*drill.Report, error) {
	name := "the configuration in force"
	if a.o.ConfigFile != "" {
		name = filepath.Base(a.o.ConfigFile)
	}
	return Drill(ctx, drill.Options{
		Catalog: a.gateway.Generation().Catalog, Config: name, Only: what.Only, Faults: what.Faults, Full: what.Full, Try: what.Try, OnStep: tell,
	})
}

// compiles tells whether serve could put a configuration in force. Nothing is started.
func compiles(c *catalog.Catalog) error {
	prices, err := price.Builtin()
	if err != nil {
		return err
	}
	m, err := meter.New(meter.Options{})
	if err != nil {
		return err
	}
	_, err = snapshot.Compile(c, nil, snapshot.Deps{
		Meter: m, Log: slog.New(slog.DiscardHandler), Instance: "drill", Dialects: dialects(), Speak: speak(), Prices: prices,
		SandboxURL: "http://127.0.0.1:1/v1", SandboxModels: sandboxModels, // it is never asked
	})
	return err
}

// drillGateway is a whole gateway in this process without a console, an account or a name in the system.
type drillGateway struct {
	app     *App
	serving sync.WaitGroup
}

func openDrillGateway(ctx context.Context, c *catalog.Catalog, dataDir string) (drill.Gateway, error) {
	a, err := New(ctx, Options{
		Catalog: c, DataDir: filepath.Join(dataDir, "data"), Listen: []string{"127.0.0.1:0"}, Console: "127.0.0.1:0",
		Getenv: func(string) string { return "" },
	})
	if err != nil {
		return nil, err
	}
	g := &drillGateway{app: a}
	for _, l := range a.listeners {
		g.serving.Go(func() { _ = a.door.Serve(l) }) // ends with Close
	}
	return g, nil
}

func (g *drillGateway) URL() string { return g.app.GatewayURL() }

func (g *drillGateway) Install(c *catalog.Catalog) error { return g.app.install(c) }

func (g *drillGateway) Call(ctx context.Context, id string) (*journey.Journey, error) {
	at, ok := journey.ParseID(id)
	if !ok {
		return nil, fmt.Errorf("%q is no call's id", id)
	}
	j, err := g.app.ledger.Get(ctx, at)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, fmt.Errorf("call %s: %w", id, err)
	}
	return &j, err
}

func (g *drillGateway) Close() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = g.app.door.Shutdown(now) // what is under way is cut: nobody waits for it
	err := g.app.close()
	g.serving.Wait()
	return err
}
