// Package meter counts what the data plane does and shows it to Prometheus.
//
// Counting costs no lock, no allocation and no look-up by name: when a configuration is compiled,
// each service, model and application asks a Set for its handle, and a call adds to the handle it
// found on its way. The counters behind a handle are split over shards, so that cores do not fight
// for one cache line. Label values come from configured names only, so that callers cannot invent
// series; what matches no name is counted under "other".
//
// The figures are read by Prometheus from Handler; docs of every metric stand in its HELP line.
package meter

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"causeway/internal/fault"
)

// Other is the label value of what belongs to no configured name.
const Other = "other"

// Options are what New needs. The zero value works and shows no build and no sources.
type Options struct {
	Version string // of the program, for causeway_build_info
	Commit  string
	Sources Sources
	// Log is told when a scrape could not be answered in full; nil discards it.
	Log *slog.Logger
	// Now is the clock for the time of the last reload; nil means time.Now.
	Now func() time.Time
}

// Meter holds every counter of one process. Its methods may be called concurrently.
type Meter struct {
	kinds   kindTable
	shards  int
	pins    sync.Pool
	sources Sources
	now     func() time.Time
	handler http.Handler

	// set is the set in force; never nil.
	set  atomic.Pointer[Set]
	apps atomic.Int64 // the next application's index

	reloadFailures atomic.Uint64
	reloadOK       atomic.Bool
	reloadedAt     atomic.Int64 // Unix nanoseconds
}

// New makes a meter with an empty set in force. It fails only when Prometheus refuses a collector.
func New(o Options) (*Meter, error) {
	m := &Meter{
		kinds:   newKindTable(fault.All()),
		shards:  shardCount(runtime.GOMAXPROCS(0)),
		sources: o.Sources,
		now:     o.Now,
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.pins.New = pinner(m.shards)
	m.set.Store(m.NewSet())

	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "causeway_build_info",
		Help:        "Always 1; the labels tell which build runs.",
		ConstLabels: prometheus.Labels{"version": o.Version, "commit": o.Commit, "go_version": runtime.Version()},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{
		&collector{m},
		build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	opts := promhttp.HandlerOpts{
		// A figure that cannot be shown must not hide the others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
	}
	if o.Log != nil {
		opts.ErrorLog = slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn)
	}
	m.handler = promhttp.HandlerFor(registry, opts)
	return m, nil
}

// Handler answers GET /metrics in the Prometheus text format, or in what the scraper asks for.
func (m *Meter) Handler() http.Handler { return m.handler }

// Current is the set in force, never nil.
func (m *Meter) Current() *Set { return m.set.Load() }

// Install puts a set in force as configuration generation g: names that were in force before and
// are in s keep their counters, names that are not in s are no longer shown. It also marks the last
// reload as successful.
func (m *Meter) Install(s *Set, g uint64) {
	s.generation = g
	m.set.Store(s)
	m.reloadOK.Store(true)
	m.reloadedAt.Store(m.now().UnixNano())
}

// ReloadFailed counts a configuration that was refused; the set in force stays.
func (m *Meter) ReloadFailed() {
	m.reloadFailures.Add(1)
	m.reloadOK.Store(false)
}
