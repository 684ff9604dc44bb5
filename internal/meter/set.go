package meter

import "sync"

// Set is the handles of one configuration. It is filled while the configuration is compiled and
// put in force by Meter.Install; one that is never installed leaves no trace. Its methods may be
// called concurrently until it is installed, and not after.
type Set struct {
	meter      *Meter
	generation uint64

	mu     sync.Mutex
	series map[labels]*Series
	apps   map[string]*Application
	other  *Series
}

// labels name a series. Service is set for REST calls, model and provider for LLM calls.
type labels struct{ service, model, provider string }

// Application is the handle of one calling application.
type Application struct {
	name  string
	index int // dense, never used again for another application
}

// NewSet begins a set. Names that the set in force has as well keep their counters.
func (m *Meter) NewSet() *Set {
	s := &Set{meter: m, series: map[labels]*Series{}, apps: map[string]*Application{}}
	s.other = s.get(labels{service: Other})
	return s
}

// Service is the handle of a configured service.
func (s *Set) Service(name string) *Series { return s.get(labels{service: name}) }

// Model is the handle of a model as it is served by one provider, both configured names. Calls that
// name a provider's model directly (PROVIDER/MODEL) use Other as model; calls that ended before a
// provider was chosen use "" as provider.
func (s *Set) Model(model, provider string) *Series {
	return s.get(labels{model: model, provider: provider})
}

// Other is the handle of calls that matched no service and no model.
func (s *Set) Other() *Series { return s.other }

// Application is the handle of a configured application. Calls without one pass nil to Series.Call.
func (s *Set) Application(name string) *Application {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.apps[name]; a != nil {
		return a
	}
	var a *Application
	if inForce := s.meter.set.Load(); inForce != nil {
		a = inForce.apps[name]
	}
	if a == nil {
		// Index 0 is the call without an application.
		a = &Application{name: name, index: int(s.meter.apps.Add(1))}
	}
	s.apps[name] = a
	return a
}

func (s *Set) get(l labels) *Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.series[l]; x != nil {
		return x
	}
	var x *Series
	if inForce := s.meter.set.Load(); inForce != nil {
		x = inForce.series[l]
	}
	if x == nil {
		x = newSeries(s.meter, l)
	}
	s.series[l] = x
	return x
}
