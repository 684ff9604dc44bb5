package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/admin"
	"causeway/internal/catalog"
	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/hook"
	"causeway/internal/incident"
	"causeway/internal/journey"
	"causeway/internal/store"
)

// incidents folds what the call log and the health checks show, keeps it, and tells hooks and watchers.
type incidents struct {
	app    *App
	engine *incident.Engine
	hooks  *hook.Runner
	stop   context.CancelFunc
	done   chan struct{}

	// Good calls are many: every one in `every` is looked at, for that many. good counts them since the last tick,
	// roads those of them that were read in full for their address.
	good, roads, read atomic.Int64
	every             atomic.Int64
	anyOpen           atomic.Bool
	// failed are the calls that were read in full since the last tick, missed those that were not any more.
	failed, missed atomic.Int64

	looking    sync.Mutex // one look at a time
	inheriting sync.Mutex // what was bequeathed is added once

	mu       sync.Mutex
	left     bool // another process counts now
	begun    bool // the process before counts no more
	waiting  time.Time
	pending  map[string]incident.Incident // not yet in the store
	failing  bool                         // the store takes none
	swept    time.Time
	watchers map[chan incident.Event]struct{}
}

const (
	incidentTick = 500 * time.Millisecond
	// sampledGood is how many good calls are looked at between two ticks, readGood how many are read in full while
	// something is open that waits for them.
	sampledGood = 500
	readGood    = 2000
	// readFailed is the same for failed calls: beyond it they are counted alone.
	readFailed = 5000
	// leftSetting says which process counts no more, for the one that has taken over; leftWithin is how long
	// that one waits for it.
	leftSetting = "incidents.left"
	leftWithin  = 10 * time.Second
	// lateSetting is what that process has seen since.
	lateSetting   = "incidents.late"
	sweepEvery    = time.Minute
	watchedAhead  = 256
	incidentStore = 5 * time.Second
)

func incidentSettings(c *catalog.Catalog) incident.Settings {
	s := incident.Settings{
		OpenAfter: c.Incidents.OpenAfter, Window: c.Incidents.Window, Share: c.Incidents.Share, RecoverCalls: c.Incidents.RecoverCalls,
		RecoverAfter: c.Incidents.RecoverAfter, QuietAfter: c.Incidents.QuietAfter, CallerBurst: c.Incidents.CallerBurst,
	}
	if s.Share == 0 {
		s.Share = -1
	}
	return s
}

// openIncidents makes the engine, which the call log shows its calls to.
func (a *App) openIncidents(_ context.Context, c *catalog.Catalog) error {
	a.incidents = &incidents{
		app: a, engine: incident.New(incidentSettings(c), judgeAttempt), hooks: hook.New(hook.Options{Log: a.log}),
		pending: map[string]incident.Incident{}, watchers: map[chan incident.Event]struct{}{}, done: make(chan struct{}),
	}
	a.incidents.engine.Remember(a.changesOf)
	a.incidents.every.Store(1)
	a.onClose(a.incidents.hooks.Close)
	return nil
}

// judgeAttempt is what would have been said of a call that another attempt saved.
func judgeAttempt(j *journey.Journey, attempt int) *fault.Finding {
	return diagnose.Judge(diagnose.Input{
		Service: j.Service, Provider: j.Provider, Model: j.Model, Method: j.Method, LLM: j.Dialect != "", Time: j.Start, Attempts: j.Attempts[:attempt+1],
	})
}

// startIncidents begins to tell of incidents.
func (a *App) startIncidents(ctx context.Context, c *catalog.Catalog) error {
	n := a.incidents
	n.hooks.Configure(c.Hooks, c.Server.HooksAllow)
	n.engine.Changed(incident.Change{At: a.started, What: incident.Start, Text: "Causeway was started"})
	if a.o.Inherited == nil {
		if err := n.begin(ctx); err != nil {
			return err
		}
	}
	n.waiting = time.Now()
	work, stop := context.WithCancel(context.Background())
	n.stop = stop
	go n.run(work)
	a.onClose(n.close)
	return nil
}

// begin takes over what was not over in the process before.
func (n *incidents) begin(ctx context.Context) error {
	list, err := n.app.store.Incidents(ctx, store.IncidentQuery{States: []string{string(incident.Open), string(incident.Quiet)}})
	if err != nil {
		return err
	}
	var going []incident.Incident
	for i := range list {
		if in, err := readIncident(&list[i]); err == nil {
			going = append(going, in)
		} else {
			n.app.log.Warn("a kept incident cannot be read; it is left as it is", "incident", list[i].ID, "error", err.Error())
		}
	}
	n.engine.Restore(going)
	n.inherit(ctx) // of a process whose successor has ended before it
	if err := n.app.store.DeleteSetting(ctx, leftSetting); err != nil {
		return err
	}
	n.mu.Lock()
	n.begun = true
	n.mu.Unlock()
	return nil
}

// see is shown every call soon after it has ended, by the call log's goroutine.
func (n *incidents) see(record []byte) {
	weight := 1
	var sum journey.Summary
	if journey.RecordTroubled(record) {
		switch {
		case journey.ReadSummary(record, &sum) != nil:
			return
		case len(sum.Kind) > 0 && incident.Ignored(fault.Kind(sum.Kind)):
			return
		case n.failed.Add(1) > readFailed: // a flood: its beginning tells enough
			n.missed.Add(1)
			return
		}
	} else {
		every := n.every.Load()
		if n.good.Add(1)%every != 0 {
			return
		}
		weight = int(every)
		if journey.ReadSummary(record, &sum) != nil {
			return
		}
		service, provider := string(sum.Service), string(sum.Provider)
		wanted := n.anyOpen.Load() && n.engine.Wants(service, provider) && n.read.Add(1) <= readGood
		if !wanted && n.roads.Add(1) > 4 {
			n.engine.Count(service, provider, weight, sum.Start.Add(sum.Total))
			return
		}
	}
	j, err := journey.DecodeRecord(record)
	if err != nil {
		return // the call log tells of it when it takes the record over
	}
	n.engine.Call(&j)
	if weight > 1 {
		n.engine.Count(j.Service, j.Provider, weight-1, j.Start.Add(j.Total))
	}
}

// run ticks until the process ends.
func (n *incidents) run(ctx context.Context) {
	defer close(n.done)
	t := time.NewTicker(incidentTick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			n.tick(ctx)
		}
	}
}

func (n *incidents) tick(ctx context.Context) {
	good := n.good.Swap(0)
	n.every.Store(max(1, good/sampledGood))
	n.roads.Store(0)
	n.read.Store(0)
	n.failed.Store(0)
	if missed := n.missed.Swap(0); missed > 0 {
		n.engine.Missed(missed)
	}
	n.mu.Lock()
	left, begun := n.left, n.begun
	n.mu.Unlock()
	if left || !begun && !n.mayBegin(ctx) {
		return
	}
	n.engine.Health(time.Now(), n.app.targetHealth())
	n.look(ctx)
	if time.Since(n.swept) > sweepEvery {
		n.swept = time.Now()
		if keep := n.app.gateway.Generation().Catalog.Calls.Keep; keep > 0 {
			if _, err := n.app.store.DropIncidents(ctx, n.swept.Add(-keep)); err != nil && ctx.Err() == nil {
				n.app.log.Error("old incidents cannot be deleted", "error", err.Error())
			}
		}
	}
}

// look takes in what has opened, changed and closed.
func (n *incidents) look(ctx context.Context) {
	n.looking.Lock()
	defer n.looking.Unlock()
	events := n.engine.Tick(time.Now())
	open, _ := n.engine.Figures()
	n.anyOpen.Store(len(open) > 0 || len(n.engine.Ongoing()) > 0)
	n.mu.Lock()
	for i := range events {
		n.pending[events[i].Incident.ID] = events[i].Incident
	}
	n.mu.Unlock()
	n.keep(ctx)
	for i := range events {
		n.tell(&events[i])
	}
}

// mayBegin tells whether the process before counts no more, and then goes on where it was.
func (n *incidents) mayBegin(ctx context.Context) bool {
	in := n.app.o.Inherited
	over := time.Since(n.waiting) > leftWithin
	select {
	case <-in.Gone():
		over = true
	default:
	}
	if !over {
		who, err := n.app.store.Setting(ctx, leftSetting)
		over = err == nil && string(who) == strconv.Itoa(in.Predecessor)
	}
	if !over {
		return false
	}
	if err := n.begin(ctx); err != nil {
		n.app.log.Error("open incidents cannot be read", "error", err.Error())
		return false
	}
	return true
}

// leave ends the counting of this process: another one goes on.
func (n *incidents) leave(ctx context.Context) {
	n.look(ctx)
	n.mu.Lock()
	n.left = true
	for w := range n.watchers {
		close(w)
	}
	clear(n.watchers)
	n.mu.Unlock()
	n.engine.Forget()
	if err := n.app.store.SetSetting(ctx, leftSetting, []byte(strconv.Itoa(os.Getpid()))); err != nil {
		n.app.log.Warn("the new process was not told that incidents are its own now", "error", err.Error())
	}
}

// bequeath keeps what the last calls of a process have shown that has handed over.
func (n *incidents) bequeath(ctx context.Context) {
	seen := n.engine.Seen()
	if len(seen) == 0 {
		return
	}
	data, err := json.Marshal(seen)
	if err == nil {
		err = n.app.store.SetSetting(ctx, lateSetting, data)
	}
	if err != nil {
		n.app.log.Warn("the failures of the last calls are in no incident", "error", err.Error())
	}
}

// inherit adds what the process before has bequeathed. It is called when that has ended.
func (n *incidents) inherit(ctx context.Context) {
	n.inheriting.Lock()
	defer n.inheriting.Unlock()
	data, err := n.app.store.Setting(ctx, lateSetting)
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	var list []incident.Incident
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err == nil {
		n.engine.Late(list)
		err = n.app.store.DeleteSetting(ctx, lateSetting)
	}
	if err != nil && ctx.Err() == nil {
		n.app.log.Warn("the failures of the last calls of the process before are in no incident", "error", err.Error())
	}
}

// close keeps what there is.
func (n *incidents) close() error {
	n.stop()
	<-n.done
	ctx, cancel := context.WithTimeout(context.Background(), incidentStore)
	defer cancel()
	n.mu.Lock()
	own, left := n.begun && !n.left, n.left
	n.mu.Unlock()
	switch {
	case own:
		n.look(ctx)
	case left:
		n.bequeath(ctx)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.left = true
	for w := range n.watchers {
		close(w)
	}
	clear(n.watchers)
	return nil
}

// keep brings what is pending into the store. What it does not take stays for the next time.
func (n *incidents) keep(ctx context.Context) {
	n.mu.Lock()
	list := make([]store.Incident, 0, len(n.pending))
	for _, i := range n.pending {
		data, err := json.Marshal(i)
		if err != nil {
			continue // it has nothing that JSON has not
		}
		row := store.Incident{ID: i.ID, State: string(i.State), Kind: string(i.Kind), Services: storedNames(i.Services), LastSeen: i.LastSeen, Data: data}
		if i.Ongoing() {
			row.Going = i.Fingerprint()
		}
		list = append(list, row)
	}
	n.mu.Unlock()
	if len(list) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, incidentStore)
	err := n.app.store.PutIncidents(limited, list)
	cancel()
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err != nil:
		if !n.failing && ctx.Err() == nil {
			n.app.log.Error("incidents cannot be kept; they wait in memory", "error", err.Error())
			n.failing = true
		}
	default:
		n.failing = false
		clear(n.pending) // nothing was added since: there is one look at a time
	}
}

// storedNames are names as the store takes them; callers may invent names of models.
func storedNames(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ReplaceAll(s, "|", "_")
	}
	return out
}

func readIncident(row *store.Incident) (i incident.Incident, err error) {
	if err = json.Unmarshal(row.Data, &i); err == nil && i.ID != row.ID {
		err = errors.New("its data is another one's")
	}
	return i, err
}

// tell is the log's line, the hooks and the watchers.
func (n *incidents) tell(e *incident.Event) {
	i := &e.Incident
	n.mu.Lock()
	for w := range n.watchers {
		select {
		case w <- *e:
		default: // who does not read begins anew
			delete(n.watchers, w)
			close(w)
		}
	}
	n.mu.Unlock()
	now := time.Now()
	told := incident.Tell(i, now)
	attrs := []any{"incident", i.ID, "kind", string(i.Kind), "cause", string(i.Cause), "calls", i.Calls, "absorbed", i.Absorbed, "callers", i.CallerCount}
	for _, x := range [...][2]string{{"services", strings.Join(i.Services, ",")}, {"target", i.Target}, {"provider", i.Provider}, {"model", i.Model}, {"caller", i.Caller}, {"under", i.Under}} {
		if x[1] != "" {
			attrs = append(attrs, x[0], strings.ToValidUTF8(x[1], "?"))
		}
	}
	switch e.What {
	case incident.Opened:
		n.app.log.Warn("incident opened", append(attrs, "onset", i.Onset.UTC().Format(time.RFC3339Nano), "detail", told.Sentence)...)
	case incident.Closed:
		n.app.log.Info("incident closed", append(attrs, "state", string(i.State), "after", i.Ended.Sub(i.Onset).Round(time.Millisecond).String())...)
	default:
		return
	}
	body, err := admin.IncidentEventJSON(e.What, i, n.app.GatewayURL(), now)
	if err != nil {
		n.app.log.Error("an incident cannot be told to hooks", "incident", i.ID, "error", err.Error())
		return
	}
	n.hooks.Tell(hook.Event{What: e.What, ID: i.ID, Kind: i.Kind, Cause: i.Cause, Services: i.Services, Values: hookValues(e.What, i), Body: body})
}

// hookValues are the placeholders' values.
func hookValues(what string, i *incident.Incident) map[string]string {
	v := map[string]string{
		"event": what, "id": i.ID, "state": string(i.State), "kind": string(i.Kind), "cause": string(i.Cause),
		"target": i.Target, "provider": i.Provider, "model": i.Model,
	}
	if len(i.Services) > 0 {
		v["service"] = i.Services[0]
	}
	if u, err := url.Parse(i.Target); err == nil && u.Host != "" {
		v["host"] = u.Hostname()
		if v["port"] = u.Port(); v["port"] == "" {
			v["port"] = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
	} else if host, port, err := net.SplitHostPort(i.Target); err == nil {
		v["host"], v["port"] = host, port
	}
	return v
}

// configured takes in a new configuration; old is the one before.
func (n *incidents) configured(old, c *catalog.Catalog, generation uint64) {
	n.engine.Configure(incidentSettings(c))
	n.hooks.Configure(c.Hooks, c.Server.HooksAllow)
	if text, names := catalogChange(old, c); text != "" {
		n.engine.Changed(incident.Change{
			At: time.Now(), What: "configuration", Services: names, Before: fmt.Sprintf("revision %d", generation-1), After: fmt.Sprintf("revision %d", generation),
			Text: fmt.Sprintf("configuration revision %d came into force; it changed %s", generation, text),
		})
	}
}
