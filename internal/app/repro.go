package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"

	"causeway/internal/admin"
	"causeway/internal/catalog"
	"causeway/internal/doctor"
	"causeway/internal/journey"
	"causeway/internal/meter"
	"causeway/internal/price"
	"causeway/internal/snapshot"
)

// reproduce is admin.Deps.Reproduce: a kept call is sent again with the configuration in force.
func (a *App) reproduce(ctx context.Context, j *journey.Journey, how admin.Reproduction) (*admin.Repro, error) {
	name := "the configuration in force"
	if a.o.ConfigFile != "" {
		name = filepath.Base(a.o.ConfigFile)
	}
	r, err := doctor.Reproduce(ctx, doctor.ReproOptions{
		Options: doctor.Options{
			Config: a.gateway.Generation().Catalog, ConfigName: name, Compile: alone, Gateway: a.GatewayURL(), Key: how.Key,
		},
		Call: j, Kind: kindOf(j), Unsafe: how.Unsafe, Only: how.Only, Query: how.Query, Headers: how.Headers, Body: how.Body,
	})
	var unsafe *doctor.UnsafeError
	switch {
	case errors.As(err, &unsafe):
		return nil, &admin.Problem{Status: http.StatusConflict, Detail: unsafe.Error() + ".", Advice: []string{`Send "unsafe": true (causeway repro --yes) where that may be.`}}
	case errors.Is(err, doctor.ErrCannotLook):
		return nil, &admin.Problem{Status: http.StatusUnprocessableEntity, Detail: err.Error() + "."}
	case err != nil:
		return nil, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return admin.ReproOf(b)
}

// alone compiles a configuration for looking at it, beside the one in force.
func alone(c *catalog.Catalog) (*snapshot.Generation, error) {
	prices, err := price.Builtin()
	if err != nil {
		return nil, err
	}
	m, err := meter.New(meter.Options{})
	if err != nil {
		return nil, err
	}
	return snapshot.Compile(c, nil, snapshot.Deps{
		Meter: m, Instance: "doctor", Dialects: dialects(), Speak: speak(), Prices: prices,
		SandboxURL: "http://127.0.0.1:1/v1", SandboxModels: sandboxModels, // it is never asked
	})
}
