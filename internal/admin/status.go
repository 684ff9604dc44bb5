package admin

import (
	"context"
	"math"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	docHealth    = `200 as long as the process answers. It says nothing about upstreams or the store: use it to find out whether to restart.`
	docReadiness = `200 when the configuration is in force and the store can be reached, else 503 with the reasons: use it to find out whether to send traffic.
A configuration file that was refused on reload does not make it 503, because the one before stays in force; configuration.error says why.`
	docStatus  = `Version, configuration and age of this process.`
	docMetrics = `Calls, failures by kind, latencies, attempts, tokens, pools, call log and process in the Prometheus text format. It needs no sign-in, so that a scraper needs no secret; label values are configured names only.`
)

// readyWithin bounds GET /readyz: a store that does not answer is not reachable.
const readyWithin = 2 * time.Second

type healthOutput struct {
	Body struct {
		Status string `json:"status" enum:"ok" example:"ok" doc:"Always ok."`
	} `nameHint:"Health"`
}

func (a *api) getHealth(context.Context, *struct{}) (*healthOutput, error) {
	out := &healthOutput{}
	out.Body.Status = "ok"
	return out, nil
}

// Ready is the answer of GET /readyz. When it is not ready it is a problem as well (RFC 9457).
type Ready struct {
	Type   string `json:"type,omitempty" doc:"about:blank, when not ready."`
	Title  string `json:"title,omitempty" doc:"The status in words, when not ready."`
	Status int    `json:"status,omitempty" doc:"The HTTP status, when not ready."`
	Detail string `json:"detail,omitempty" doc:"Why it is not ready."`

	Ready         bool               `json:"ready" doc:"Whether traffic can be served."`
	Reasons       []string           `json:"reasons,omitempty" nullable:"false" doc:"Why not."`
	Configuration ReadyConfiguration `json:"configuration" doc:"What is in force."`
	Store         ReadyStore         `json:"store" doc:"Where calls and accounts are kept."`
	Ledger        ReadyLedger        `json:"ledger" doc:"The call log's writer."`
	Warnings      []string           `json:"warnings,omitempty" nullable:"false" doc:"What is wrong with the gateway's own host, or that calls are being turned away. They do not make it 503."`
}

// ReadyConfiguration is the configuration in force.
type ReadyConfiguration struct {
	Loaded     bool   `json:"loaded" doc:"Whether there is one."`
	Generation uint64 `json:"generation" example:"3" doc:"Its number, counted from the start of the process."`
	Hash       string `json:"hash" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" doc:"SHA-256 of the file; empty for the embedded defaults."`
	Error      string `json:"error,omitempty" doc:"Why the file, as it is now, is not in force."`
}

// ReadyStore is the state of the store.
type ReadyStore struct {
	Reachable bool   `json:"reachable" doc:"Whether it answers."`
	Error     string `json:"error,omitempty" doc:"Why not."`
}

// ReadyLedger is the state of the call log.
type ReadyLedger struct {
	Backlog int64  `json:"backlog_bytes" example:"0" doc:"Bytes of calls in the spool that are not yet in the store."`
	Dropped int64  `json:"dropped" example:"0" doc:"Calls that were not kept because the spool was full."`
	Error   string `json:"error,omitempty" doc:"Why calls are not being stored."`
}

// ContentType implements huma.ContentTypeFilter.
func (r *Ready) ContentType(contentType string) string {
	if r.Ready {
		return contentType
	}
	return "application/problem+json"
}

type readyOutput struct {
	Status int
	Body   *Ready
}

func (a *api) getReadiness(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	r := a.Ready(ctx)
	v := &Ready{
		Configuration: ReadyConfiguration{Loaded: r.Generation > 0, Generation: r.Generation, Hash: r.ConfigHash, Error: r.ConfigError},
		Store:         ReadyStore{Reachable: r.StoreError == "", Error: r.StoreError},
		Warnings:      r.Warnings,
		Ledger:        ReadyLedger{Backlog: r.Ledger.BacklogBytes, Dropped: r.Ledger.Dropped, Error: r.Ledger.Error},
	}
	if !v.Configuration.Loaded {
		v.Reasons = append(v.Reasons, "no configuration is loaded")
	}
	if !v.Store.Reachable {
		v.Reasons = append(v.Reasons, "the store cannot be reached: "+r.StoreError)
	}
	if r.Draining {
		v.Reasons = append(v.Reasons, "the gateway is shutting down")
	}
	if len(v.Reasons) == 0 {
		v.Ready = true
		return &readyOutput{Status: http.StatusOK, Body: v}, nil
	}
	v.Type, v.Status = "about:blank", http.StatusServiceUnavailable
	v.Title, v.Detail = http.StatusText(v.Status), strings.Join(v.Reasons, "; ")
	return &readyOutput{Status: v.Status, Body: v}, nil
}

// answersNotReady documents the two answers of GET /readyz.
func answersNotReady(a *api, op *huma.Operation) {
	op.Responses = map[string]*huma.Response{
		"200": {Description: "Ready", Content: map[string]*huma.MediaType{"application/json": {Schema: schema[Ready](a)}}},
		"503": {Description: "Not ready", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema[Ready](a)}}},
	}
}

// ProcessStatus is the answer of GET /api/v1/status.
type ProcessStatus struct {
	Version       string   `json:"version" example:"1.0.0" doc:"Of the program."`
	Commit        string   `json:"commit,omitempty" example:"0123abc" doc:"It was built from."`
	GoVersion     string   `json:"go_version" example:"go1.26.8" doc:"It was built with."`
	Started       string   `json:"started" format:"date-time" example:"2026-11-23T04:05:06.789Z" doc:"When the process began."`
	UptimeSeconds float64  `json:"uptime_seconds" example:"3600" doc:"Since then."`
	Generation    uint64   `json:"generation" example:"3" doc:"Number of the configuration in force."`
	ConfigHash    string   `json:"config_hash" doc:"SHA-256 of its file; empty for the embedded defaults."`
	ConfigFile    string   `json:"config_file" example:"causeway.yaml" doc:"The file; empty for the embedded defaults."`
	GatewayURL    string   `json:"gateway_url" example:"http://127.0.0.1:8080" doc:"Where calls go."`
	ConsoleURL    string   `json:"console_url" example:"http://127.0.0.1:8090" doc:"Where this API is."`
	Host          *Host    `json:"host,omitempty" doc:"What the gateway's own host is like. Missing: not known yet."`
	Warnings      []string `json:"warnings,omitempty" nullable:"false" doc:"What is wrong with it."`
}

type statusOutput struct{ Body ProcessStatus }

func (a *api) getStatus(context.Context, *struct{}) (*statusOutput, error) {
	s := a.Status()
	return &statusOutput{ProcessStatus{
		Version:       s.Version,
		Commit:        s.Commit,
		GoVersion:     runtime.Version(),
		Started:       stamp(s.Started),
		UptimeSeconds: math.Round(a.Now().Sub(s.Started).Seconds()),
		Generation:    s.Generation,
		ConfigHash:    s.ConfigHash,
		ConfigFile:    s.ConfigFile,
		GatewayURL:    a.Info.GatewayURL,
		ConsoleURL:    a.Info.ConsoleURL,
		Host:          hostView(s.Host),
		Warnings:      s.Warnings,
	}}, nil
}
