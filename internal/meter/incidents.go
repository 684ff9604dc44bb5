package meter

import "github.com/prometheus/client_golang/prometheus"

// Incidents are the incidents and hooks of this process.
type Incidents struct {
	Open   []IncidentCount // open now
	Opened []IncidentCount // since the start
	Past   int64           // failures that found no room
	Hooks  []HookCount
}

// IncidentCount is how many incidents there are of a kind and cause.
type IncidentCount struct {
	Kind, Cause string
	N           int64
}

// HookCount is how often a hook did what since the start: ok, failed, suppressed, dropped.
type HookCount struct {
	Hook, Result string
	N            int64
}

var (
	descIncidentsOpen = desc("incidents_open", "Incidents that are open.", "kind", "cause")
	descIncidents     = desc("incidents_total", "Incidents that were opened.", "kind", "cause")
	descIncidentsPast = desc("incident_failures_uncounted_total", "Failures that no incident has counted, because there were too many different ones.")
	descHooks         = desc("hook_runs_total", "What hooks were asked to do, by what came of it: ok, failed, suppressed (by max_per_hour), dropped (its queue was full).", "hook", "result")
)

// incidentDescs are the metrics of this file.
var incidentDescs = []*prometheus.Desc{descIncidentsOpen, descIncidents, descIncidentsPast, descHooks}

func collectIncidents(e emitter, f Incidents) {
	for _, c := range f.Open {
		e.gauge(descIncidentsOpen, float64(c.N), c.Kind, c.Cause)
	}
	for _, c := range f.Opened {
		e.counter(descIncidents, float64(c.N), c.Kind, c.Cause)
	}
	e.counter(descIncidentsPast, float64(f.Past))
	for _, c := range f.Hooks {
		e.counter(descHooks, float64(c.N), text(c.Hook), c.Result)
	}
}
