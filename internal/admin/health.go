package admin

import "context"

const docUpstreamHealth = `How every target of the services, every model behind a model's name and every provider's key is at this moment. /healthz is another thing: it is about this process.`

// UpstreamHealth is how everything behind the gateway is.
type UpstreamHealth struct {
	Time      string           `json:"time" format:"date-time" doc:"When it was so."`
	Well      bool             `json:"well" doc:"Everything gets calls, and no incident is open."`
	Incidents int              `json:"open_incidents" example:"1" doc:"Incidents that are open."`
	Services  []ServiceHealth  `json:"services" nullable:"false" doc:"The services, by name."`
	Providers []ProviderHealth `json:"providers" nullable:"false" doc:"The providers, by name."`
}

// ServiceHealth is how one service's targets are.
type ServiceHealth struct {
	Name      string         `json:"name" example:"orders" doc:"The service."`
	Usable    int            `json:"usable" example:"2" doc:"Targets that get calls."`
	Targets   []TargetHealth `json:"targets" nullable:"false" doc:"Its targets, in the configuration's order."`
	Incidents []string       `json:"incidents" nullable:"false" doc:"Ids of open incidents that hit it."`
}

// TargetHealth is how one target is.
type TargetHealth struct {
	Target      string       `json:"target" example:"http://127.0.0.1:9001" doc:"Its address as configured."`
	State       string       `json:"state" enum:"up,unhealthy,breaker_open,full,drained" example:"up" doc:"up: it gets calls; unhealthy: its checks fail; breaker_open: it is left alone because calls to it failed; full: it has max_busy calls; drained: its weight is 0."`
	Since       string       `json:"since,omitempty" format:"date-time" doc:"Since when its checks say so. Missing: it has no checks."`
	Until       string       `json:"until,omitempty" format:"date-time" doc:"When the breaker lets a trial call through. Missing: it is closed."`
	Weight      int          `json:"weight" example:"1" doc:"Its weight."`
	Share       float64      `json:"share" example:"0.5" doc:"The part of the service's calls that it has got since the start, 0 to 1."`
	Calls       uint64       `json:"calls" example:"1200" doc:"Calls that it was chosen for since the start."`
	Busy        int          `json:"busy" example:"3" doc:"Calls in flight."`
	MaxBusy     int          `json:"max_busy,omitempty" doc:"The most of them. Missing: no limit."`
	LastGood    string       `json:"last_good,omitempty" format:"date-time" doc:"Its last good answer. Missing: none since the start."`
	LastFailure *LastFailure `json:"last_failure,omitempty" doc:"Its last failure, as far as checks, breaker and incidents know. Missing: none."`
	Checks      *CheckHealth `json:"checks,omitempty" doc:"Its health checks. Missing: it has none."`

	KeepAlive   *LearnedKeepAlive  `json:"keep_alive,omitempty" doc:"What was learned of how long it keeps idle connections. Missing: nothing."`
	Certificate *TargetCertificate `json:"certificate,omitempty" doc:"The certificate that it showed last. Missing: no handshake with it has gone well yet."`
}

// LearnedKeepAlive is what the gateway has learned of how long a target keeps idle connections.
type LearnedKeepAlive struct {
	KeptMS        int64 `json:"kept_ms" example:"4000" doc:"Idle connections to it are let go after this."`
	ClosedAfterMS int64 `json:"closed_after_ms" example:"5000" doc:"How long the connection had been idle that it had ended, and that taught it."`
}

// TargetCertificate is how long a target's certificate is good.
type TargetCertificate struct {
	Ends          string `json:"ends" format:"date-time" doc:"When the first certificate of its chain ends."`
	DaysLeft      int    `json:"days_left" example:"41" doc:"How many whole days that is from now; negative when it has ended."`
	MinValidityMS int64  `json:"min_validity_ms,omitempty" example:"86400000" doc:"health.min_validity: with less left its checks fail. Missing: they do not look at it."`
}

// LastFailure is how something failed last.
type LastFailure struct {
	Kind string `json:"kind" example:"connection_refused" doc:"How."`
	Text string `json:"text,omitempty" doc:"What was seen."`
	Time string `json:"time,omitempty" format:"date-time" doc:"When. Missing: not known."`
}

// CheckHealth is what the health checks of a target say.
type CheckHealth struct {
	Healthy bool    `json:"healthy" doc:"Whether they pass."`
	Passed  int     `json:"passed_in_a_row" doc:"How many have passed until now."`
	Failed  int     `json:"failed_in_a_row" doc:"How many have failed until now."`
	Last    string  `json:"last,omitempty" format:"date-time" doc:"The last one. Missing: none yet."`
	TookMS  float64 `json:"took_ms,omitempty" doc:"How long that took."`
}

// ProviderHealth is how one provider is.
type ProviderHealth struct {
	Name      string        `json:"name" example:"openai" doc:"The provider."`
	State     string        `json:"state" enum:"up,degraded,down" example:"up" doc:"degraded: some of its models or keys are left alone; down: all of them."`
	Address   TargetHealth  `json:"address" doc:"Its address."`
	Models    []ModelHealth `json:"models" nullable:"false" doc:"Its models that names of the configuration stand for."`
	Keys      []ProviderKey `json:"keys" nullable:"false" doc:"Its keys."`
	Incidents []string      `json:"incidents" nullable:"false" doc:"Ids of open incidents of it."`
}

// ModelHealth is how one model of a provider is.
type ModelHealth struct {
	Model        string  `json:"model" example:"gpt-4o-mini" doc:"The provider's name for it."`
	State        string  `json:"state" enum:"up,left_alone" example:"up" doc:"left_alone: calls to it failed, and go elsewhere."`
	Kind         string  `json:"kind,omitempty" example:"overloaded" doc:"Its last failure. Missing: it is well."`
	DownFor      float64 `json:"down_seconds,omitempty" doc:"How long it has been left alone."`
	NextTry      float64 `json:"next_try_seconds,omitempty" doc:"When it is tried again."`
	Busy         int64   `json:"busy" doc:"Calls in flight."`
	FirstTokenMS float64 `json:"first_token_ms,omitempty" doc:"How long streams took to their first token of late."`
	AnswerMS     float64 `json:"answer_ms,omitempty" doc:"How long whole answers took of late."`
}

type upstreamHealthOutput struct{ Body UpstreamHealth }

func (a *api) getUpstreamHealth(context.Context, *struct{}) (*upstreamHealthOutput, error) {
	if a.Health == nil {
		return &upstreamHealthOutput{UpstreamHealth{Time: stamp(a.Now()), Well: true, Services: []ServiceHealth{}, Providers: []ProviderHealth{}}}, nil
	}
	return &upstreamHealthOutput{a.Health()}, nil
}
