package meter

import (
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// collector makes the metrics of one scrape from the counters: nothing is kept between scrapes.
type collector struct{ meter *Meter }

var seriesLabels = []string{"service", "model", "provider"}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("causeway_"+name, help, labels, nil)
}

// The metrics of calls.
var (
	descCalls = desc("calls_total",
		"Calls that ended, by the status the caller got. code is a registered status, a class (5xx) for another one, or none when the caller left before any answer.",
		"service", "model", "provider", "application", "code")
	descFailures = desc("failures_total",
		"Calls that failed, by failure kind; kinds are explained under /.causeway/failures/ on the gateway.",
		"service", "model", "provider", "kind")
	descCut = desc("answers_cut_total",
		"Answers that broke after their head was sent.", seriesLabels...)
	descDuration = desc("call_duration_seconds",
		"Time from a call's first byte to the last byte of its answer.", seriesLabels...)
	descFirstByte = desc("first_byte_seconds",
		"Time from a call's first byte to the first byte of its answer; for streams, the time to the first token.", seriesLabels...)
	descBytesIn = desc("request_body_bytes_total",
		"Request body bytes received from callers.", seriesLabels...)
	descBytesOut = desc("response_body_bytes_total",
		"Answer body bytes sent to callers.", seriesLabels...)
	descAttempts = desc("upstream_attempts_total",
		"Attempts made at upstreams.", seriesLabels...)
	descRetries = desc("upstream_retries_total",
		"Attempts that repeated an earlier one of the same call.", seriesLabels...)
	descAttemptFailures = desc("upstream_attempt_failures_total",
		"Attempts that failed, by failure kind, also where a retry then saved the call.",
		"service", "model", "provider", "kind")
	descTokens = desc("tokens_total",
		"Tokens as providers reported them. cached and cache_write are part of input, reasoning is part of output.",
		"model", "provider", "direction")
	descCost = desc("cost_dollars_total",
		"What calls of models cost in US dollars, by the prices of the configuration and the catalogue; models without a price cost nothing here.",
		"application", "model", "provider")
	descEvents = desc("stream_events_total",
		"Server-sent events passed on to callers.", seriesLabels...)
)

// The metrics of the gateway itself.
var (
	descGeneration = desc("config_generation",
		"Number of the configuration in force; 0 before the first.")
	descReloadOK = desc("config_last_reload_successful",
		"1 when the configuration read last is in force, 0 when it was refused.")
	descReloadTime = desc("config_last_reload_success_timestamp_seconds",
		"When a configuration was last put in force, as Unix time.")
	descReloadFailures = desc("config_reload_failures_total",
		"Configurations that were refused; the one before stayed in force.")

	descConnections = desc("connections_open", "Connections of callers that are open.")
	descInFlight    = desc("calls_in_flight", "Calls that have begun and not ended.")
	descAccepted    = desc("connections_accepted_total", "Connections accepted from callers.")
	descTurnedAway  = desc("connections_turned_away_total", "Connections closed at once because a limit was reached.")

	targetLabels     = []string{"service", "provider", "target"}
	descHealthy      = desc("target_healthy", "1 when the target is healthy, 0 when its checks fail.", targetLabels...)
	descFull         = desc("target_full", "1 when the target has as many calls as max_busy allows.", targetLabels...)
	descTargetFlight = desc("target_attempts_in_flight", "Attempts running at the target.", targetLabels...)
	descIdle         = desc("target_idle_connections", "Kept-alive connections to the target that wait for a call.", targetLabels...)

	descBacklog      = desc("ledger_backlog_bytes", "Bytes of calls in the spool that are not yet in the store.")
	descSegments     = desc("ledger_spool_segments", "Segments of the spool.")
	descFree         = desc("ledger_spool_free_segments", "Segments of the spool that are free.")
	descSpoolFull    = desc("ledger_spool_full", "1 when only the spool's reserve is left: calls are dropped or refused, as calls.when_full says.")
	descFailing      = desc("ledger_store_failing", "1 while the store does not take calls; they wait in the spool.")
	descStoreBytes   = desc("ledger_store_bytes", "Size of the store.")
	descKept         = desc("ledger_kept_calls_total", "Calls committed to the spool.")
	descStored       = desc("ledger_stored_calls_total", "Calls brought into the store, those of an earlier process included.")
	descDropped      = desc("ledger_dropped_calls_total", "Calls that were not kept because the spool was full; failed says whether they had a failure.", "failed")
	descRefusedCalls = desc("ledger_refused_calls_total", "Calls refused because the spool was full (calls.when_full: refuse).")
	descUnmarked     = desc("ledger_unmarked_calls_total", "Calls for which no slot was free: kept, but not known as killed if the process is.")
	descKilled       = desc("ledger_killed_calls_total", "Calls found unfinished at the start, kept with kind gateway_killed.")
	descDamaged      = desc("ledger_damaged_records_total", "Records that could not be read and were set aside.")
	descDeleted      = desc("ledger_deleted_chunks_total", "Parts of the call log removed by retention.")
)

// allDescs is every metric of this package: it lets Prometheus check names and labels at the start.
var allDescs = []*prometheus.Desc{
	descCalls, descFailures, descCut, descDuration, descFirstByte, descBytesIn, descBytesOut,
	descAttempts, descRetries, descAttemptFailures, descTokens, descCost, descEvents, descRPC,
	descTunnelsOpen, descTunnels, descMessages, descCloses,
	descGeneration, descReloadOK, descReloadTime, descReloadFailures,
	descConnections, descInFlight, descAccepted, descTurnedAway,
	descSilent, descIdleEnded, descLongTurns, descLongWaited, descUnread, descHTTP2Connections, descHTTP2Streams, descHTTP2Calls, descHTTP2Errors,
	descProxyHeaders, descProxyRefused, descHandOverFailures, descLeaving,
	descCertExpiry, descCertOK, descCertOCSP, descCertFailures, descHandshakes, descHandshakeFailures,
	descHealthy, descFull, descTargetFlight, descIdle, descTargetOpen, descTargetShared, descTargetStreams, descTargetMoved, descTargetKept, descTargetCert,
	descBacklog, descSegments, descFree, descSpoolFull, descFailing, descStoreBytes,
	descKept, descStored, descDropped, descRefusedCalls, descUnmarked, descKilled, descDamaged, descDeleted,
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range slices.Concat(allDescs, loadDescs, choosingDescs, guardrailDescs, cacheDescs, incidentDescs) {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	e := emitter{out}
	set := c.meter.set.Load()
	for _, s := range set.series {
		s.collect(e, set)
	}
	e.gauge(descGeneration, float64(set.generation))
	e.gauge(descReloadOK, flag(c.meter.reloadOK.Load()))
	if at := c.meter.reloadedAt.Load(); at != 0 {
		e.gauge(descReloadTime, float64(at)/1e9)
	}
	e.counter(descReloadFailures, float64(c.meter.reloadFailures.Load()))
	c.meter.sources.collect(e)
}

// collect shows what the series has counted. A series without a call shows nothing.
func (s *Series) collect(e emitter, set *Set) {
	l := []string{text(s.labels.service), text(s.labels.model), text(s.labels.provider)}
	called := false
	for _, cell := range *s.cells.Load() {
		if cell == nil {
			continue
		}
		called = true
		if cell.app != nil && set.apps[cell.app.name] != cell.app {
			continue // the application left the configuration
		}
		name := ""
		if cell.app != nil {
			name = text(cell.app.name)
		}
		for slot, code := range codeNames {
			var n uint64
			for shard := range s.meter.shards {
				n += cell.counts[shard*codeStride+slot].Load()
			}
			if n > 0 {
				e.counter(descCalls, float64(n), l[0], l[1], l[2], name, code)
			}
		}
	}
	s.collectCost(e, set, l)
	s.tunnels.collect(e, l)
	if !called {
		return
	}
	e.histogram(descDuration, s.shards, func(sh *shard) *histogram { return &sh.duration }, l)
	e.histogram(descFirstByte, s.shards, func(sh *shard) *histogram { return &sh.firstByte }, l)
	for _, c := range []struct {
		desc *prometheus.Desc
		of   func(*shard) *atomic.Uint64
	}{
		{descCut, func(sh *shard) *atomic.Uint64 { return &sh.cut }},
		{descBytesIn, func(sh *shard) *atomic.Uint64 { return &sh.bytesIn }},
		{descBytesOut, func(sh *shard) *atomic.Uint64 { return &sh.bytesOut }},
		{descAttempts, func(sh *shard) *atomic.Uint64 { return &sh.attempts }},
		{descRetries, func(sh *shard) *atomic.Uint64 { return &sh.retries }},
		{descEvents, func(sh *shard) *atomic.Uint64 { return &sh.events }},
	} {
		e.counter(c.desc, s.sum(c.of), l...)
	}
	if s.labels.service == "" {
		for i, direction := range directionNames {
			n := s.sum(func(sh *shard) *atomic.Uint64 { return &sh.tokens[i] })
			e.counter(descTokens, n, l[1], l[2], direction)
		}
	}
	if s.labels.model == "" {
		s.rpc.collect(e, l[0])
	}
	for i, kind := range s.meter.kinds.names {
		if n := s.failures[i].Load(); n > 0 {
			e.counter(descFailures, float64(n), l[0], l[1], l[2], kind)
		}
		if n := s.attemptFailures[i].Load(); n > 0 {
			e.counter(descAttemptFailures, float64(n), l[0], l[1], l[2], kind)
		}
	}
}

// collectCost shows what each application's calls cost.
func (s *Series) collectCost(e emitter, set *Set, l []string) {
	for _, cell := range *s.cells.Load() {
		if cell == nil || cell.app != nil && set.apps[cell.app.name] != cell.app {
			continue
		}
		if nano := cell.cost.Load(); nano > 0 {
			name := ""
			if cell.app != nil {
				name = text(cell.app.name)
			}
			e.counter(descCost, float64(nano)/1e9, name, l[1], l[2])
		}
	}
}

func (s *Series) sum(of func(*shard) *atomic.Uint64) float64 {
	var n uint64
	for i := range s.shards {
		n += of(&s.shards[i]).Load()
	}
	return float64(n)
}

func (o *Sources) collect(e emitter) {
	if o.Door != nil {
		d := o.Door()
		e.gauge(descConnections, float64(d.Connections))
		e.gauge(descInFlight, float64(d.Calls))
		e.counter(descAccepted, float64(d.Accepted))
		e.counter(descTurnedAway, float64(d.TurnedAway))
		d.collectHTTP2(e)
	}
	if o.Listen != nil {
		l := o.Listen()
		l.collect(e)
	}
	if o.Load != nil {
		l := o.Load()
		l.collect(e)
	}
	if o.Long != nil {
		l := o.Long()
		l.collect(e)
	}
	if o.Host != nil {
		if h := o.Host(); h != nil {
			collectHost(e, h)
		}
	}
	if o.Targets != nil {
		for _, t := range mergeTargets(o.Targets()) {
			l := []string{text(t.Service), text(t.Provider), text(withoutUser(t.Target))}
			e.gauge(descHealthy, flag(t.Healthy), l...)
			e.gauge(descFull, flag(t.Full), l...)
			e.gauge(descTargetFlight, float64(t.InFlight), l...)
			e.gauge(descIdle, float64(t.Idle), l...)
			t.Road.collect(e, l)
		}
	}
	if o.TLS != nil {
		o.TLS().collect(e)
	}
	if o.Models != nil && o.Keys != nil {
		collectChoosing(e, o.Models(), o.Keys())
	}
	if o.Incidents != nil {
		collectIncidents(e, o.Incidents())
	}
	if o.Guardrails != nil {
		collectGuardrails(e, o.Guardrails())
	}
	if o.Cache != nil {
		f := o.Cache()
		f.collect(e)
	}
	if o.Ledger != nil {
		l := o.Ledger()
		e.gauge(descBacklog, float64(l.BacklogBytes))
		e.gauge(descSegments, float64(l.Segments))
		e.gauge(descFree, float64(l.FreeSegments))
		e.gauge(descSpoolFull, flag(l.Full))
		e.gauge(descFailing, flag(l.Failing))
		e.gauge(descStoreBytes, float64(l.StoreBytes))
		e.counter(descKept, float64(l.Kept))
		e.counter(descStored, float64(l.Stored))
		e.counter(descDropped, float64(l.DroppedFailed), "true")
		e.counter(descDropped, float64(l.Dropped-l.DroppedFailed), "false")
		e.counter(descRefusedCalls, float64(l.Refused))
		e.counter(descUnmarked, float64(l.Unmarked))
		e.counter(descKilled, float64(l.Killed))
		e.counter(descDamaged, float64(l.Damaged))
		e.counter(descDeleted, float64(l.DeletedChunks))
	}
}

// mergeTargets adds up targets that a service names twice: two series with the same labels would
// not be valid exposition.
func mergeTargets(targets []Target) []Target {
	type key struct{ service, provider, target string }
	at := make(map[key]int, len(targets))
	merged := make([]Target, 0, len(targets))
	for _, t := range targets {
		k := key{t.Service, t.Provider, t.Target}
		i, ok := at[k]
		if !ok {
			at[k] = len(merged)
			merged = append(merged, t)
			continue
		}
		m := &merged[i]
		m.Healthy = m.Healthy && t.Healthy
		m.Full = m.Full && t.Full
		m.InFlight += t.InFlight
		m.Idle += t.Idle
		m.Road.add(t.Road)
	}
	return merged
}

// emitter writes const metrics; one that Prometheus refuses is reported as such by the scrape.
type emitter struct{ out chan<- prometheus.Metric }

func (e emitter) send(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, t, v, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	e.out <- m
}

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.send(d, prometheus.GaugeValue, v, labels...)
}

func (e emitter) counter(d *prometheus.Desc, v float64, labels ...string) {
	e.send(d, prometheus.CounterValue, v, labels...)
}

// histogram adds up the shards. The count is made from the buckets, so that a scrape in the middle
// of a call never shows a count that differs from its +Inf bucket.
func (e emitter) histogram(d *prometheus.Desc, shards []shard, of func(*shard) *histogram, labels []string) {
	var counts [len(bounds) + 1]uint64
	var sum uint64
	for i := range shards {
		h := of(&shards[i])
		for b := range counts {
			counts[b] += h.buckets[b].Load()
		}
		sum += h.sum.Load()
	}
	buckets := make(map[float64]uint64, len(bounds))
	var count uint64
	for i, bound := range bounds {
		count += counts[i]
		buckets[bound.Seconds()] = count
	}
	count += counts[len(bounds)]
	m, err := prometheus.NewConstHistogram(d, count, float64(sum)/1e6, buckets, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	e.out <- m
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// withoutUser takes user information out of a target's address: it may be a password. An address
// that cannot be read is not shown at all.
func withoutUser(target string) string {
	if !strings.Contains(target, "@") {
		return target
	}
	u, err := url.Parse(target)
	if err != nil {
		return Other
	}
	u.User = nil
	return u.String()
}

// text makes a configured name fit to be a label value, which must be UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
