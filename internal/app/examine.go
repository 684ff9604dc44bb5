package app

import (
	"context"
	"encoding/json"
	"path/filepath"

	"causeway/internal/admin"
	"causeway/internal/doctor"
	"causeway/internal/probe"
)

// examine is admin.Deps.Examine: the doctor in this process, with the configuration in force and the call log.
func (a *App) examine(ctx context.Context, what admin.Examination, tell func(admin.DoctorEvent)) (*admin.DoctorRun, error) {
	c := a.gateway.Generation().Catalog
	name := "the configuration in force"
	if a.o.ConfigFile != "" {
		name = filepath.Base(a.o.ConfigFile)
	}
	r, err := Examine(ctx, doctor.Options{
		Target: what.Target, Path: what.Path, Ask: what.Ask, CallerTimeout: what.CallerTimeout,
		Config: c, ConfigName: name, OnlyConfigured: true,
		Resolvers: probe.Resolvers("/etc/resolv.conf"), Gateway: a.GatewayURL(),
		Calls: func(ctx context.Context, q doctor.CallQuery) ([]doctor.Call, error) {
			return doctorCalls(ctx, a.ledger.Search, q)
		},
		OnBegin: func(part doctor.Part, name, target string) {
			tell(admin.DoctorEvent{Event: "begin", Begin: &admin.DoctorAt{Part: string(part), Name: name, Target: target}})
		},
		OnStep: func(s doctor.Step) {
			tell(admin.DoctorEvent{Event: "step", Step: &admin.DoctorAt{
				Part: string(s.Part), Name: s.Name, Target: s.Target, Result: string(s.Result), Kind: string(s.Kind),
				Text: s.Text, Lines: s.Lines, Advice: s.Advice, MS: s.MS,
			}})
		},
	}, a.o.DataDir)
	if err != nil {
		return nil, err
	}
	report, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return admin.DoctorRunOf(report)
}
