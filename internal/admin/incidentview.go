package admin

import (
	"encoding/json"
	"time"

	"causeway/internal/incident"
)

// Incident is one thing that is, or was, wrong, in words that are ready to show.
type Incident struct {
	ID          string           `json:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The incident's id; ids sort by the time of the onset."`
	State       string           `json:"state" enum:"open,quiet,recovered,folded" example:"open" doc:"open; quiet: nothing is called any more, so that nobody knows; recovered: calls go well again; folded: it turned out to be a symptom of another."`
	Kind        string           `json:"kind" example:"connection_refused" doc:"The kind of the failures."`
	Cause       string           `json:"cause" enum:"overload,configuration,network,software,incompatible_change,caller,gateway" example:"software" doc:"The class of the cause."`
	Side        string           `json:"side" enum:"upstream,caller,gateway" example:"upstream" doc:"Whose trouble it is."`
	Title       string           `json:"title" example:"The upstream refused the connection: orders, http://127.0.0.1:9001" doc:"What is wrong, and where."`
	Sentence    string           `json:"sentence" doc:"Since when, whom it hit, why, and what had changed, in plain words."`
	Confidence  string           `json:"confidence" enum:"high,likely,possible" example:"high" doc:"How sure this is."`
	Services    []string         `json:"services" nullable:"false" example:"orders" doc:"Services and models that were hit."`
	Target      string           `json:"target,omitempty" example:"http://127.0.0.1:9001" doc:"The target it is about. Missing: none alone."`
	Provider    string           `json:"provider,omitempty" example:"openai" doc:"The provider it is about."`
	Model       string           `json:"model,omitempty" example:"gpt-4o-mini" doc:"The provider's model it is about."`
	Caller      string           `json:"caller,omitempty" example:"web" doc:"The application or address, for the trouble of one caller."`
	Onset       string           `json:"onset" format:"date-time" example:"2026-11-23T04:05:06.789Z" doc:"The first failure of the run."`
	Opened      string           `json:"opened" format:"date-time" doc:"When it was told."`
	LastSeen    string           `json:"last_seen" format:"date-time" doc:"The last failure."`
	Ended       string           `json:"ended,omitempty" format:"date-time" doc:"When calls went well again, or it went quiet. Missing: it is open."`
	DurationMS  float64          `json:"duration_ms" example:"240000" doc:"From the onset to its end, or to now."`
	Calls       int64            `json:"calls" example:"57" doc:"Calls that failed with it."`
	Absorbed    int64            `json:"absorbed" example:"3" doc:"Calls that met it and that another attempt saved."`
	CallerCount int              `json:"caller_count" example:"3" doc:"Callers that were hit: applications, or addresses. 1000 means as many or more."`
	Callers     []string         `json:"callers" nullable:"false" example:"web" doc:"Some of them."`
	Symptoms    map[string]int64 `json:"symptoms,omitempty" doc:"Calls that failed with another kind as a consequence of it."`
	Changes     []IncidentChange `json:"changes" nullable:"false" doc:"What changed shortly before the onset, the last first."`
	Timeline    []IncidentMoment `json:"timeline" nullable:"false" doc:"What happened when."`
	Evidence    []string         `json:"evidence" nullable:"false" doc:"What was observed."`
	RuledOut    []string         `json:"ruled_out" nullable:"false" doc:"What it is not, and why."`
	Advice      []string         `json:"advice" nullable:"false" doc:"What to do."`
	Check       string           `json:"check" example:"causeway doctor http://127.0.0.1:9001" doc:"The one check that would settle it."`
	Retry       string           `json:"retry" enum:"safe,may_repeat,no" example:"safe" doc:"Whether its calls may be repeated."`
	Samples     []string         `json:"call_ids" nullable:"false" doc:"Ids of the first and the last of the calls."`
	Under       string           `json:"under,omitempty" doc:"The incident that it was folded into."`
	Page        string           `json:"page" example:"http://127.0.0.1:8080/.causeway/failures/connection_refused" doc:"The page about this kind, on the gateway."`
}

// IncidentChange is something that became different.
type IncidentChange struct {
	Time   string `json:"time" format:"date-time" doc:"When."`
	What   string `json:"what" example:"configuration" enum:"configuration,version,certificate,protocol,address,content,restart,recovery,start" doc:"configuration; version (a field such as Server, in which the target names itself); certificate; protocol (agreed in TLS); address (of a target's name); content (type of its answers); restart (the target was away and came back, or its process ended); recovery (of the target's incident); start (of this process)."`
	Text   string `json:"text" example:"configuration revision 7 came into force; it changed service orders" doc:"What became different."`
	Target string `json:"target,omitempty" example:"http://127.0.0.1:9001" doc:"The target that changed. Missing: it is not about one alone."`
	Before string `json:"before,omitempty" example:"revision 6" doc:"What it was."`
	After  string `json:"after,omitempty" example:"revision 7" doc:"What it became."`
	Until  string `json:"until,omitempty" format:"date-time" doc:"Of a restart: when it was back."`
}

// IncidentMoment is one line of a timeline.
type IncidentMoment struct {
	Time string `json:"time" format:"date-time" doc:"When."`
	Text string `json:"text" example:"the first failure" doc:"What happened."`
}

// IncidentEvent is what the stream of incidents, and a hook, are told. event is its first member.
type IncidentEvent struct {
	Event    string   `json:"event" enum:"ongoing,opened,changed,closed" doc:"ongoing: it was there when the stream began; opened; changed: new figures; closed: recovered, quiet or folded."`
	Time     string   `json:"time" format:"date-time" doc:"When this was told."`
	Incident Incident `json:"incident" doc:"The incident as it is now."`
}

// IncidentEventJSON is an event as hooks get it, with the members of the stream's. gatewayURL is where the pages of
// failures are, without trailing slash.
func IncidentEventJSON(event string, i *incident.Incident, gatewayURL string, now time.Time) ([]byte, error) {
	return json.Marshal(IncidentEvent{event, stamp(now), incidentView(i, gatewayURL, now)})
}

func incidentView(i *incident.Incident, gatewayURL string, now time.Time) Incident {
	t := incident.Tell(i, now)
	v := Incident{
		ID: i.ID, State: string(i.State), Kind: string(i.Kind), Cause: string(i.Cause), Side: string(i.Side),
		Title: t.Title, Sentence: t.Sentence, Confidence: t.Confidence, Services: list(i.Services),
		Target: i.Target, Provider: i.Provider, Model: i.Model, Caller: i.Caller,
		Onset: stamp(i.Onset), Opened: stamp(i.Opened), LastSeen: stamp(i.LastSeen), Ended: stamp(i.Ended),
		Calls: i.Calls, Absorbed: i.Absorbed, CallerCount: i.CallerCount, Callers: list(i.Callers),
		Changes: []IncidentChange{}, Timeline: []IncidentMoment{},
		Evidence: list(t.Evidence), RuledOut: list(t.RuledOut), Advice: list(t.Advice), Check: t.Check, Retry: string(t.Retry),
		Samples: list(i.Samples), Under: i.Under, Page: gatewayURL + "/.causeway/failures/" + string(i.Kind),
	}
	end := i.Ended
	if end.IsZero() {
		end = now
	}
	v.DurationMS = millis(max(end.Sub(i.Onset), 0))
	for k, n := range i.Symptoms {
		if v.Symptoms == nil {
			v.Symptoms = map[string]int64{}
		}
		v.Symptoms[string(k)] = n
	}
	for _, c := range i.Changes {
		v.Changes = append(v.Changes, IncidentChange{stamp(c.At), c.What, c.Text, c.Target, c.Before, c.After, stamp(c.Until)})
	}
	for _, m := range t.Timeline {
		v.Timeline = append(v.Timeline, IncidentMoment{stamp(m.At), m.Text})
	}
	return v
}
