package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"causeway/internal/drill"
)

const (
	docStartDrill = `Grades the configuration in force as ` + "`causeway drill`" + ` does, in this process: a sealed copy of it runs before upstreams that fail in more than forty ways. Nothing is sent to the configured addresses, and no call that is under way is touched; it takes about half a minute of some of a CPU for each service and model.
The answer is a stream of events: JSON lines, or server-sent events where Accept asks for text/event-stream. Each is step (how far it is) or end (the report, the last one). One drill runs at a time. A client that leaves ends it.`
	docLastDrill = `The report of the last drill that was asked for here, with its grades and texts. It is kept in memory: a restart forgets it.`
)

// Drill says what is to be drilled, and how. The zero value is everything.
type Drill struct {
	Only   []string `json:"only,omitempty" nullable:"true" maxItems:"1000" example:"[\"service:orders\"]" doc:"Services and models: service:NAME, model:NAME. None: all."`
	Faults []string `json:"faults,omitempty" nullable:"true" maxItems:"1000" doc:"Names of the faults. None: all."`
	Full   bool     `json:"full,omitempty" doc:"Keep the limits as they are, which can take hours."`
	Try    bool     `json:"try,omitempty" doc:"Drill again with the suggested settings."`
}

// Driller drills the configuration in force and tells each step, one at a time. It ends soon after ctx does.
type Driller func(ctx context.Context, what Drill, tell func(drill.Step)) (*drill.Report, error)

// DrillEvent is one line of a drill that goes on. One of Step, End and Error is set.
type DrillEvent struct {
	Event string        `json:"event" enum:"step,end,error" doc:"Which one it is."`
	Step  *drill.Step   `json:"step,omitempty" doc:"How far it is."`
	End   *drill.Report `json:"end,omitempty" doc:"The report."`
	Error string        `json:"error,omitempty" doc:"Why there is none."`
}

// drills is what this process remembers of drills.
type drills struct {
	mu      sync.Mutex
	running bool
	last    *drill.Report
}

func (d *drills) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running {
		return false
	}
	d.running = true
	return true
}

func (d *drills) leave(r *drill.Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = false
	if r != nil {
		d.last = r
	}
}

type startDrillInput struct {
	Accept string `header:"Accept" doc:"text/event-stream for server-sent events; else JSON lines."`
	Body   Drill  `nameHint:"NewDrill"`
}

func (a *api) startDrill(ctx context.Context, in *startDrillInput) (*huma.StreamResponse, error) {
	if a.RunDrill == nil {
		return nil, &Problem{Status: http.StatusNotImplemented, Detail: "This process runs no drills."}
	}
	if !a.drilled.enter() {
		return nil, &Problem{
			Status: http.StatusConflict, Detail: "A drill is under way, and there is one at a time.",
			Advice: []string{"Ask again when it is over."},
		}
	}
	events := strings.Contains(in.Accept, "text/event-stream")
	a.Log.InfoContext(ctx, "drill asked for", "username", visitOf(ctx).who.Account)
	return &huma.StreamResponse{Body: func(hc huma.Context) { a.drill(hc, in.Body, events) }}, nil
}

// drill is a drill, from its first event to its last.
func (a *api) drill(hc huma.Context, what Drill, events bool) {
	var last *drill.Report
	defer func() { a.drilled.leave(last) }()
	r, w := humago.Unwrap(hc)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := &eventWriter{w: w, control: http.NewResponseController(w), events: events, gone: cancel}
	report, err := a.RunDrill(ctx, what, func(s drill.Step) { out.write("step", DrillEvent{Event: "step", Step: &s}) })
	switch {
	case err != nil && !out.begun && errors.Is(err, drill.ErrNothing):
		writeProblem(w, &Problem{Status: http.StatusUnprocessableEntity, Detail: sentence(err.Error())})
	case err != nil:
		out.write("error", DrillEvent{Event: "error", Error: sentence(err.Error())})
	default:
		last = report
		out.write("end", DrillEvent{Event: "end", End: report})
	}
}

type lastDrillOutput struct{ Body *drill.Report }

func (a *api) lastDrill(context.Context, *struct{}) (*lastDrillOutput, error) {
	a.drilled.mu.Lock()
	defer a.drilled.mu.Unlock()
	if a.drilled.last == nil {
		return nil, notFound("No drill was run in this process.", "Ask for one: POST /api/v1/drill.")
	}
	return &lastDrillOutput{a.drilled.last}, nil
}

// answersDrill documents a stream of a drill.
func answersDrill(a *api, op *huma.Operation) {
	event := schema[DrillEvent](a)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The steps, and the report at the end.",
		Content: map[string]*huma.MediaType{
			"application/x-ndjson": {Schema: event},
			"text/event-stream":    {Schema: event},
		},
	}}
}
