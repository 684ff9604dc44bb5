package app

import (
	"context"
	"os"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/diagnose"
	"causeway/internal/doctor"
	"causeway/internal/fault"
	"causeway/internal/host"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/meter"
	"causeway/internal/price"
	"causeway/internal/snapshot"
)

// Examine is doctor.Run with what the program knows: the dialects and prices that a configuration is put
// together with, and this host. dataDir is the data folder, whose disk is looked at where it is there.
// Set in o are the target, what is asked of it, and who is told.
func Examine(ctx context.Context, o doctor.Options, dataDir string) (*doctor.Report, error) {
	prices, err := price.Builtin()
	if err != nil {
		return nil, err
	}
	o.Compile = func(c *catalog.Catalog) (*snapshot.Generation, error) {
		m, err := meter.New(meter.Options{})
		if err != nil {
			return nil, err
		}
		return snapshot.Compile(c, nil, snapshot.Deps{
			Meter: m, Instance: "doctor", Dialects: dialects(), Speak: speak(), Prices: prices,
			SandboxURL: "http://127.0.0.1:1/v1", SandboxModels: sandboxModels, // it is never asked
		})
	}
	if info, err := os.Stat(dataDir); err != nil || !info.IsDir() {
		dataDir = os.TempDir()
	}
	sampler := host.Start(host.Options{Dir: dataDir, MemoryMax: host.MemoryLimit()})
	defer sampler.Close()
	began := time.Now()
	o.Host = func(ctx context.Context) *journey.Host { return hostSince(ctx, sampler, began) }
	return doctor.Run(ctx, o)
}

// hostSince waits for the sampler's first second to be over.
func hostSince(ctx context.Context, s *host.Sampler, began time.Time) *journey.Host {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for range 40 {
		if h := s.Facts(began); h != nil {
			return h
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// SearchCalls is doctor.Options.Calls for the data folder of an instance that does not run. Nothing is
// opened before it is called.
func SearchCalls(dataDir string) func(context.Context, doctor.CallQuery) ([]doctor.Call, error) {
	return func(ctx context.Context, q doctor.CallQuery) ([]doctor.Call, error) {
		r, err := OpenCalls(ctx, dataDir)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return doctorCalls(ctx, r.Search, q)
	}
}

// doctorCalls searches a call log.
func doctorCalls(ctx context.Context, search func(context.Context, ledger.Query) (ledger.Page, error), q doctor.CallQuery) ([]doctor.Call, error) {
	page, err := search(ctx, ledger.Query{Service: q.Service, Model: q.Model, From: q.Since, Limit: q.Limit})
	if err != nil {
		return nil, err
	}
	var list []doctor.Call
	for i := range page.Calls {
		j := &page.Calls[i]
		if q.Authority != "" && !wentTo(j, q.Authority) {
			continue
		}
		list = append(list, doctor.Call{ID: j.ID.String(), Time: j.Start, Status: j.Status, Kind: kindOf(j), Took: j.Total})
	}
	return list, nil
}

// kindOf is what the rules say of a kept call now.
func kindOf(j *journey.Journey) fault.Kind {
	if f := diagnose.Explain(j).Finding; f != nil {
		return f.Kind
	}
	return ""
}

func wentTo(j *journey.Journey, authority string) bool {
	for i := range j.Attempts {
		if doctor.TargetAuthority(j.Attempts[i].Target) == authority {
			return true
		}
	}
	return false
}
