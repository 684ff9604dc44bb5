package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"causeway/internal/fault"
	"causeway/internal/incident"
	"causeway/internal/journey"
)

const (
	docListIncidents = `What is and was wrong, the latest onset first: failures of many calls folded into one incident for each thing that is wrong, with one explanation. A symptom stands under its cause, and what is rarer than the thresholds of incidents in the configuration is none.
They are kept as long as calls are.`
	docGetIncident     = `One incident. Its call_ids are kept calls: GET /api/v1/calls/{id}/explanation.`
	docStreamIncidents = `Incidents as they open, change and close: server-sent events, or JSON lines where Accept does not ask for text/event-stream. Those that are there at the begin come first, as ongoing. The stream ends with the process; a client connects again.`
)

// IncidentQuery says which incidents are asked for. A zero member asks for nothing.
type IncidentQuery struct {
	States  []incident.State
	Service string // or model
	Kind    fault.Kind
	Since   time.Time // last seen at or after
	Limit   int       // 1 to 500
	Before  string    // the id of the last one of the page before
}

// Incidents is where incidents are.
type Incidents interface {
	// Search returns what q asks for, the latest onset first; more tells that there are further ones.
	Search(ctx context.Context, q IncidentQuery) (list []incident.Incident, more bool, err error)
	// Get returns one; found is false when it is not kept, or not any more.
	Get(ctx context.Context, id string) (i incident.Incident, found bool, err error)
	// Watch returns those that are not over, and tells of what happens from then on until ctx ends; the channel
	// closes then, or when the process ends, or when it is not read from.
	Watch(ctx context.Context) ([]incident.Incident, <-chan incident.Event)
}

// noIncidents is an Incidents without any.
type noIncidents struct{}

func (noIncidents) Search(context.Context, IncidentQuery) ([]incident.Incident, bool, error) {
	return nil, false, nil
}

func (noIncidents) Get(context.Context, string) (i incident.Incident, found bool, err error) {
	return i, false, nil
}

func (noIncidents) Watch(context.Context) ([]incident.Incident, <-chan incident.Event) {
	none := make(chan incident.Event)
	close(none)
	return nil, none
}

// IncidentList is a page of incidents.
type IncidentList struct {
	Incidents  []Incident `json:"incidents" nullable:"false" doc:"The latest onset first."`
	NextCursor string     `json:"next_cursor,omitempty" doc:"cursor of the next page. Missing: this is the last."`
}

type listIncidentsInput struct {
	State   string `query:"state" example:"open" doc:"Incidents in this state, or in several joined by commas: open, quiet, recovered, folded."`
	Service string `query:"service" example:"orders" doc:"Incidents that have hit this service or model."`
	Kind    string `query:"kind" example:"connection_refused" doc:"Incidents of this kind."`
	Since   string `query:"since" example:"24h" doc:"Incidents that were last seen at or after this time: RFC 3339, or so long ago (15m, 12h, 7d)."`
	Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many to return at most."`
	Cursor  string `query:"cursor" doc:"next_cursor of the page before."`
}

func (in *listIncidentsInput) parse(now time.Time) (IncidentQuery, error) {
	q := IncidentQuery{Service: in.Service, Limit: in.Limit}
	var errs []FieldError
	add := func(name string, err error) {
		if err != nil {
			errs = append(errs, FieldError{In: "query", Pointer: "#/" + name, Detail: err.Error()})
		}
	}
	known := []string{string(incident.Open), string(incident.Quiet), string(incident.Recovered), string(incident.Folded)}
	if in.State != "" {
		for s := range strings.SplitSeq(in.State, ",") {
			if !slices.Contains(known, s) {
				add("state", fmt.Errorf("must be some of %s, joined by commas, and not %s", strings.Join(known, ", "), quoted(s)))
				break
			}
			q.States = append(q.States, incident.State(s))
		}
	}
	if in.Kind != "" {
		var calls Query
		add("kind", calls.setKind(in.Kind))
		q.Kind = calls.Kind
	}
	if in.Since != "" {
		add("since", setTime(&q.Since, now)(in.Since))
	}
	before, err := readCursor(in.Cursor)
	switch {
	case err != nil:
		return q, err
	case len(errs) > 0:
		return q, invalid(errs...)
	case before != nil:
		q.Before = before.String()
	}
	return q, nil
}

type listIncidentsOutput struct{ Body IncidentList }

func (a *api) listIncidents(ctx context.Context, in *listIncidentsInput) (*listIncidentsOutput, error) {
	q, err := in.parse(a.Now())
	if err != nil {
		return nil, err
	}
	found, more, err := a.Incidents.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	list := IncidentList{Incidents: make([]Incident, 0, len(found))}
	for i := range found {
		list.Incidents = append(list.Incidents, incidentView(&found[i], a.Info.GatewayURL, a.Now()))
	}
	if more {
		list.NextCursor = found[len(found)-1].ID
	}
	return &listIncidentsOutput{list}, nil
}

type incidentInput struct {
	ID string `path:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The incident's id."`
}

type incidentOutput struct{ Body Incident }

func (a *api) getIncident(ctx context.Context, in *incidentInput) (*incidentOutput, error) {
	id, ok := journey.ParseID(in.ID)
	if !ok {
		return nil, invalid(FieldError{In: "path", Pointer: "#/id", Detail: "must be an incident's id, 26 letters and digits, and not " + quoted(in.ID)})
	}
	i, found, err := a.Incidents.Get(ctx, id.String())
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("No incident with the id "+id.String()+" is kept.", "Incidents are kept as long as calls are: calls.keep in the configuration. GET /api/v1/incidents lists them.")
	}
	return &incidentOutput{incidentView(&i, a.Info.GatewayURL, a.Now())}, nil
}

type streamIncidentsInput struct {
	Accept string `header:"Accept" doc:"text/event-stream for server-sent events; else JSON lines."`
}

const (
	streamAlive = 15 * time.Second // a line, so that proxies and clients know that the stream lives
	streamWrite = 10 * time.Second // how long a client may take for one
)

func (a *api) streamIncidents(_ context.Context, in *streamIncidentsInput) (*huma.StreamResponse, error) {
	events := strings.Contains(in.Accept, "text/event-stream")
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		kind := "application/x-ndjson"
		if events {
			kind = "text/event-stream"
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("X-Accel-Buffering", "no") // a proxy in front of the console passes each one on
		w.WriteHeader(http.StatusOK)
		control := http.NewResponseController(w)
		write := func(text string) bool {
			_ = control.SetWriteDeadline(time.Now().Add(streamWrite))
			_, err := w.Write([]byte(text))
			return err == nil && control.Flush() == nil
		}
		send := func(what string, i *incident.Incident) bool {
			data, err := IncidentEventJSON(what, i, a.Info.GatewayURL, a.Now())
			if err != nil {
				return false
			}
			if events {
				return write("event: " + what + "\ndata: " + string(data) + "\n\n")
			}
			return write(string(data) + "\n")
		}
		ongoing, changes := a.Incidents.Watch(ctx)
		for i := range ongoing {
			if !send("ongoing", &ongoing[i]) {
				return
			}
		}
		alive := time.NewTicker(streamAlive)
		defer alive.Stop()
		for open := control.Flush() == nil; open; {
			select {
			case e, more := <-changes:
				open = more && send(e.What, &e.Incident)
			case <-alive.C:
				if open = true; events {
					open = write(": alive\n\n")
				} else {
					open = write("\n")
				}
			case <-ctx.Done():
				return
			}
		}
	}}, nil
}

// answersIncidents documents the stream.
func answersIncidents(a *api, op *huma.Operation) {
	event := schema[IncidentEvent](a)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "What happens, as it happens.",
		Content: map[string]*huma.MediaType{
			"text/event-stream":    {Schema: event},
			"application/x-ndjson": {Schema: event},
		},
	}}
}
