package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"causeway/internal/journey"
)

const (
	docStartDoctor = `Examines a target as ` + "`causeway doctor`" + ` does, in this process, and tells each step as it goes on. The answer is a stream of events: JSON lines, or server-sent events where Accept asks for text/event-stream. Each is begin (a step has begun), step (it is over), or end (the verdict, the last one).
Private addresses are asked only where the configuration in force names them; redirects to others are told and not followed. The configured secrets go to the hosts that they are for alone. A client that leaves ends its examination.`
	docListDoctor = `The last examinations that were asked for here, the newest first. They are kept in memory: a restart forgets them.`
	docGetDoctor  = `One of them, with all its steps.`
)

const (
	doctorAtOnce  = 4  // examinations at a time
	doctorKept    = 50 // of them are remembered
	doctorLongest = time.Minute
)

// Examination says what is to be examined, and how.
type Examination struct {
	Target        string        // a URL, service:NAME or model:NAME
	Path          string        // asked for in place of the target's own; "" is that
	Ask           bool          // send a model one short question, which costs a few tokens
	CallerTimeout time.Duration // how long callers wait, 0 is not known
}

// Examiner examines a target and tells each step, from one goroutine. It ends soon after ctx does. An
// error means that nothing could be looked at; its text is for the one who asked.
type Examiner func(ctx context.Context, what Examination, tell func(DoctorEvent)) (*DoctorRun, error)

// DoctorEvent is one line of an examination that goes on. One of Begin, Step and End is set.
type DoctorEvent struct {
	Event string     `json:"event" enum:"begin,step,end" doc:"Which one it is."`
	Begin *DoctorAt  `json:"begin,omitempty" doc:"A step that has begun."`
	Step  *DoctorAt  `json:"step,omitempty" doc:"A step that is over."`
	End   *DoctorRun `json:"end,omitempty" doc:"The verdict; the steps were told before and are left out."`
}

// DoctorAt is one step.
type DoctorAt struct {
	Part   string   `json:"part" enum:"status,logs,performance,configuration" doc:"Which of the four parts it belongs to."`
	Name   string   `json:"name" example:"tls" doc:"What is looked at."`
	Target string   `json:"target,omitempty" example:"https://127.0.0.1:9001" doc:"Which of several targets."`
	Result string   `json:"result,omitempty" enum:"ok,warning,fault,skipped" doc:"What came of it. Missing: it goes on."`
	Kind   string   `json:"kind,omitempty" example:"tls_cert_expired" doc:"The kind of the failure."`
	Text   string   `json:"text,omitempty" doc:"What was seen, in one line."`
	Lines  []string `json:"lines,omitempty" nullable:"false" doc:"The figures behind it."`
	Advice []string `json:"advice,omitempty" nullable:"false" doc:"What to do about it."`
	MS     float64  `json:"ms,omitempty" doc:"How long it took."`
}

// DoctorVerdict is what an examination says in the end.
type DoctorVerdict struct {
	Healthy    bool     `json:"healthy" doc:"Whether the target is well."`
	Kind       string   `json:"kind,omitempty" example:"connection_refused" doc:"The kind of the failure. Missing: healthy, or the catalogue has none for it."`
	Cause      string   `json:"cause,omitempty" example:"software" doc:"The class of its cause."`
	Title      string   `json:"title" doc:"The verdict in one sentence."`
	Target     string   `json:"target,omitempty" doc:"Which of several targets it is about."`
	Detail     string   `json:"detail" doc:"What was seen."`
	Confidence string   `json:"confidence,omitempty" enum:"high,likely,possible" doc:"How sure it is."`
	Retry      string   `json:"retry,omitempty" doc:"Whether a call may be repeated."`
	Evidence   []string `json:"evidence,omitempty" nullable:"false" doc:"How it is known."`
	RuledOut   []string `json:"ruled_out,omitempty" nullable:"false" doc:"What it is not, and why."`
	Advice     []string `json:"advice,omitempty" nullable:"false" doc:"What to do, the first thing first."`
	Warnings   []string `json:"warnings,omitempty" nullable:"false" doc:"What else is worth a look."`
}

// DoctorRun is one examination.
type DoctorRun struct {
	ID      string        `json:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"Names it in GET /api/v1/doctor/{id}."`
	Target  string        `json:"target" example:"service:orders" doc:"What was examined."`
	Time    string        `json:"time" format:"date-time" example:"2026-11-23T04:05:06.789Z" doc:"When it began."`
	MS      float64       `json:"ms" doc:"How long it took."`
	By      string        `json:"by" example:"admin" doc:"The account that asked."`
	Looked  bool          `json:"looked" doc:"Whether anything could be looked at; else the verdict is none."`
	Steps   []DoctorAt    `json:"steps,omitempty" nullable:"false" doc:"Everything that was looked at."`
	Verdict DoctorVerdict `json:"verdict" doc:"What it comes to."`
}

// DoctorRuns is the answer of GET /api/v1/doctor.
type DoctorRuns struct {
	Runs []DoctorRun `json:"runs" nullable:"false" doc:"The newest first, without their steps."`
}

// doctorRuns are the examinations of this process.
type doctorRuns struct {
	mu   sync.Mutex
	busy int
	done []DoctorRun // the newest last
}

func (r *doctorRuns) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy >= doctorAtOnce {
		return false
	}
	r.busy++
	return true
}

func (r *doctorRuns) leave(run *DoctorRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
	if run == nil {
		return
	}
	if len(r.done) >= doctorKept {
		r.done = slices.Delete(r.done, 0, 1)
	}
	r.done = append(r.done, *run)
}

type startDoctorInput struct {
	Accept string `header:"Accept" doc:"text/event-stream for server-sent events; else JSON lines."`
	Body   struct {
		Target        string  `json:"target" minLength:"1" maxLength:"2000" example:"service:orders" doc:"A URL (http, https, unix), service:NAME or model:NAME."`
		Path          string  `json:"path,omitempty" maxLength:"2000" example:"/healthz" doc:"Asked for in place of the target's own path."`
		Ask           bool    `json:"ask,omitempty" doc:"Send a model one short question, which costs a few tokens."`
		CallerTimeout float64 `json:"caller_timeout_seconds,omitempty" minimum:"0" maximum:"86400" doc:"How long callers wait, to hold the timeouts against."`
		Timeout       float64 `json:"timeout_seconds,omitempty" minimum:"1" maximum:"60" doc:"The longest that it takes; by default 60."`
	} `nameHint:"NewDoctorRun"`
}

func (a *api) startDoctor(ctx context.Context, in *startDoctorInput) (*huma.StreamResponse, error) {
	if a.Examine == nil {
		return nil, &Problem{Status: http.StatusNotImplemented, Detail: "This process examines nothing."}
	}
	if in.Body.Path != "" && !strings.HasPrefix(in.Body.Path, "/") {
		return nil, invalid(FieldError{In: "body", Pointer: "#/path", Detail: "must begin with /"})
	}
	what := Examination{
		Target: in.Body.Target, Path: in.Body.Path, Ask: in.Body.Ask,
		CallerTimeout: time.Duration(in.Body.CallerTimeout * float64(time.Second)),
	}
	limit := doctorLongest
	if in.Body.Timeout > 0 {
		limit = time.Duration(in.Body.Timeout * float64(time.Second))
	}
	if !a.examined.enter() {
		return nil, &Problem{
			Status: http.StatusServiceUnavailable, headers: http.Header{"Retry-After": {"10"}},
			Detail: fmt.Sprintf("%d examinations are under way, which is the most at a time.", doctorAtOnce),
			Advice: []string{"Ask again when one of them is over; each takes a minute at the most."},
		}
	}
	events := strings.Contains(in.Accept, "text/event-stream")
	by := visitOf(ctx).who.Account
	return &huma.StreamResponse{Body: func(hc huma.Context) { a.examine(hc, what, limit, events, by) }}, nil
}

// examine is an examination, from its first event to its last.
func (a *api) examine(hc huma.Context, what Examination, limit time.Duration, events bool, by string) {
	var kept *DoctorRun
	defer func() { a.examined.leave(kept) }()
	r, w := humago.Unwrap(hc)
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	out := &eventWriter{w: w, control: http.NewResponseController(w), events: events, gone: cancel}
	// A client that reads nothing must not hold an examination for longer than it takes.
	_ = out.control.SetWriteDeadline(time.Now().Add(limit + 10*time.Second))
	began := a.Now()
	id := journey.NewID(began).String()
	a.Log.InfoContext(ctx, "examination asked for", "username", by, "run", id)
	var steps []DoctorAt
	run, err := a.Examine(ctx, what, func(e DoctorEvent) {
		if e.Step != nil {
			steps = append(steps, *e.Step)
		}
		out.send(e)
	})
	switch {
	case err != nil && !out.begun:
		writeProblem(w, &Problem{Status: http.StatusUnprocessableEntity, Detail: sentence(err.Error()), Errors: []FieldError{{In: "body", Pointer: "#/target", Detail: err.Error()}}})
		return
	case err != nil:
		run = &DoctorRun{Target: what.Target, Verdict: DoctorVerdict{Title: "Nothing could be looked at", Detail: sentence(err.Error())}}
	}
	run.ID, run.By, run.Time = id, by, stamp(began)
	end := *run
	end.Steps = nil
	out.send(DoctorEvent{Event: "end", End: &end})
	kept = run
	kept.Steps = steps
}

// sentence is an error's text as a sentence.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// eventWriter writes a stream of events.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	events  bool // server-sent events, else JSON lines
	begun   bool
	failed  bool
	gone    func() // ends the work when nobody reads any more
}

func (o *eventWriter) send(e DoctorEvent) { o.write(e.Event, e) }

// write sends one event of any stream.
func (o *eventWriter) write(name string, e any) {
	if o.failed {
		return
	}
	if !o.begun {
		o.begun = true
		kind := "application/x-ndjson"
		if o.events {
			kind = "text/event-stream"
		}
		o.w.Header().Set("Content-Type", kind)
		o.w.Header().Set("X-Accel-Buffering", "no") // a proxy in front of the console passes each one on
		o.w.WriteHeader(http.StatusOK)
	}
	data, err := encode(e)
	if err == nil && o.events {
		_, err = fmt.Fprintf(o.w, "event: %s\ndata: %s\n", name, data) // data ends with a line break
	} else if err == nil {
		_, err = o.w.Write(data)
	}
	if err == nil {
		err = o.control.Flush()
	}
	if err != nil {
		o.failed = true
		o.gone()
	}
}

type doctorRunsOutput struct{ Body DoctorRuns }

func (a *api) listDoctor(context.Context, *struct{}) (*doctorRunsOutput, error) {
	a.examined.mu.Lock()
	defer a.examined.mu.Unlock()
	list := make([]DoctorRun, 0, len(a.examined.done))
	for _, r := range slices.Backward(a.examined.done) {
		r.Steps = nil
		list = append(list, r)
	}
	return &doctorRunsOutput{DoctorRuns{list}}, nil
}

type doctorRunInput struct {
	ID string `path:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The examination's id."`
}

type doctorRunOutput struct{ Body DoctorRun }

func (a *api) getDoctor(_ context.Context, in *doctorRunInput) (*doctorRunOutput, error) {
	a.examined.mu.Lock()
	defer a.examined.mu.Unlock()
	for _, r := range a.examined.done {
		if r.ID == in.ID {
			return &doctorRunOutput{r}, nil
		}
	}
	return nil, notFound("No examination with the id "+quoted(in.ID)+" is kept.", fmt.Sprintf("The last %d of this process are: GET /api/v1/doctor.", doctorKept))
}

// answersEvents documents a stream of an examination.
func answersEvents(a *api, op *huma.Operation) {
	event := schema[DoctorEvent](a)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The steps, and the verdict at the end.",
		Content: map[string]*huma.MediaType{
			"application/x-ndjson": {Schema: event},
			"text/event-stream":    {Schema: event},
		},
	}}
}

// DoctorRunOf makes a DoctorRun of the report of causeway doctor --json, which has the same members.
func DoctorRunOf(report []byte) (*DoctorRun, error) {
	var r DoctorRun
	if err := json.Unmarshal(report, &r); err != nil {
		return nil, fmt.Errorf("reading a report: %w", err)
	}
	return &r, nil
}
