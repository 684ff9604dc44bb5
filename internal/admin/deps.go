package admin

import (
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Query says which calls are asked for. A zero member asks for nothing.
type Query struct {
	Service     string
	Model       string // the model as the caller named it
	Application string
	Provider    string
	Kind        fault.Kind // of the finding

	StatusFrom int // what the caller got, both inclusive; both 0 or neither
	StatusTo   int

	From time.Time // begun at or after
	To   time.Time // begun before

	MinDuration time.Duration // at least
	MaxDuration time.Duration // at most

	Failed *bool // with a finding, or without one

	Limit  int    // 1 to 500
	Cursor string // Page.Next of the page before, a call's id; "" for the first page
}

// Page is a part of what a search found.
type Page struct {
	Calls []journey.Journey
	Next  string // the cursor of the next page, a call's id; "" when this is the last
}

// Explainer turns a kept call into what is told about it. Its finding is what the rules say of the
// kept facts, nil for a call without a failure. It may be called concurrently, does not change j, and
// what it returns may share parts of j.
type Explainer func(j *journey.Journey) *fault.Call

// Readiness is the state of what traffic depends on.
type Readiness struct {
	Generation uint64 // of the configuration in force; 0: none is loaded
	ConfigHash string // of its file; "" for the embedded defaults
	// ConfigError is why the configuration file, as it is now, is not in force; "" when it is.
	ConfigError string
	StoreError  string // why the store cannot be reached; "" when it can
	Ledger      LedgerState
	// Draining says that the gateway is shutting down.
	Draining bool
	// Warnings are what is wrong with the gateway's host and load, in sentences; traffic can still be served.
	Warnings []string
}

// LedgerState is the state of the call log.
type LedgerState struct {
	BacklogBytes int64  // in the spool and not yet in the store
	Dropped      int64  // calls not kept because the spool was full
	Error        string // why calls are not being stored; "" when they are
}

// Status is what the process is.
type Status struct {
	Version    string
	Commit     string
	Started    time.Time
	Generation uint64
	ConfigHash string        // "" for the embedded defaults
	ConfigFile string        // "" for the embedded defaults
	Host       *journey.Host // what the gateway's host is like, nil before that is known
	Warnings   []string      // what is wrong with it
}

// Info is what the first page tells. Addresses are URLs without trailing slash.
type Info struct {
	Version    string
	GatewayURL string
	ConsoleURL string
	DocsURL    string // where the documentation is; "" leaves the link out
}
