package app

import (
	"context"
	"slices"
	"time"

	"causeway/internal/admin"
	"causeway/internal/meter"
)

// What metrics, readiness and state are read from.

func (a *App) doorFigures() meter.Door {
	d := meter.Door{}
	if a.door != nil {
		s := a.door.Stats()
		d.Connections, d.Accepted, d.TurnedAway = s.Open, s.Accepted, s.TurnedAway
		d.Silent, d.Idle = a.doorLog.silent.Load(), a.doorLog.idle.Load()
		h := a.door.HTTP2()
		d.HTTP2Connections, d.HTTP2Streams, d.HTTP2Calls, d.HTTP2Errors = h.Connections, h.Streams, h.Calls, h.Errors
	}
	if a.gateway != nil {
		d.Calls = a.gateway.InFlight()
	}
	return d
}

func (a *App) targetFigures() []meter.Target {
	if a.gateway == nil {
		return nil
	}
	return a.gateway.Generation().Targets()
}

func (a *App) modelFigures() []meter.ModelTarget {
	if a.gateway == nil {
		return nil
	}
	return a.gateway.Generation().ModelTargets()
}

func (a *App) keyFigures() []meter.ProviderKey {
	if a.gateway == nil {
		return nil
	}
	return a.gateway.Generation().ProviderKeys()
}

func (a *App) guardrailFigures() []meter.GuardrailFound {
	if a.gateway == nil {
		return nil
	}
	return a.gateway.Generation().GuardrailsFound()
}

func (a *App) readiness(ctx context.Context) admin.Readiness {
	gen := a.gateway.Generation()
	r := admin.Readiness{Generation: gen.Number, ConfigHash: gen.Hash, Draining: a.gateway.Draining(), ConfigError: a.failure()}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		r.StoreError = err.Error()
	}
	r.Ledger = a.ledgerState()
	r.Warnings = slices.Concat(a.host.told(), a.certificateWarnings(), a.limitWarnings(), gen.Troubles())
	return r
}

func (a *App) status() admin.Status {
	gen := a.gateway.Generation()
	return admin.Status{
		Version: a.o.Version, Commit: a.o.Commit, Started: a.started, Generation: gen.Number, ConfigHash: gen.Hash, ConfigFile: a.o.ConfigFile,
		Host: a.host.state(), Warnings: a.host.told(),
	}
}
