package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

const docExplanation = `What happened to a call, why, how that is known, and what to do: as JSON, or with ` + "`Accept: text/plain`" + ` as the text that ` + "`causeway explain`" + ` prints.`

// CallExplanation is what is said about one call.
type CallExplanation struct {
	CallID   string    `json:"call_id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The call."`
	Status   int       `json:"status" example:"502" doc:"What the caller got. 0: the caller left before any answer."`
	Summary  string    `json:"summary" example:"orders: 127.0.0.1:9001 refused the TCP connection after 0.2 ms; nothing listens there." doc:"What happened, in a sentence."`
	Finding  *Finding  `json:"finding,omitempty" doc:"What the rules say of the facts that were kept. Missing: nothing failed."`
	Timeline []Moment  `json:"timeline" nullable:"false" doc:"What happened when."`
	Attempts []Attempt `json:"attempts" nullable:"false" doc:"The attempts at upstreams, in order."`
	Text     string    `json:"text" doc:"The same as text, for a terminal."`
}

// Moment is one line of a call's timeline.
type Moment struct {
	AtMS float64 `json:"at_ms" example:"0.1" doc:"Milliseconds since the call's start."`
	What string  `json:"what" example:"attempt 1 at http://127.0.0.1:9001 began" doc:"What happened."`
}

type explainInput struct {
	ID     string `path:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The call's id: the Causeway-Call-Id of its answer."`
	Accept string `header:"Accept" hidden:"true"`
}

type explanationOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Vary        string `header:"Vary" hidden:"true"`
	Body        []byte
}

func (a *api) explainCall(ctx context.Context, in *explainInput) (*explanationOutput, error) {
	j, err := a.call(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	x := a.Explain(j)
	text := fault.Text(nil, x, false)
	out := &explanationOutput{ContentType: "application/json", Vary: "Accept"}
	if negotiation.SelectQValue(in.Accept, []string{"application/json", "text/plain"}) == "text/plain" {
		out.ContentType = "text/plain; charset=utf-8"
		out.Body = text
		return out, nil
	}
	out.Body, err = encode(explanation(j, x, string(text), a.Info.GatewayURL))
	return out, err
}

// ExplanationJSON is the JSON of GET /api/v1/calls/{id}/explanation, for a call that was read without
// a running instance.
func ExplanationJSON(j *journey.Journey, explain Explainer) ([]byte, error) {
	x := explain(j)
	return encode(explanation(j, x, string(fault.Text(nil, x, false)), ""))
}

// explanation is what is said about a call; gateway is the address that links begin with.
func explanation(j *journey.Journey, x *fault.Call, text, gateway string) CallExplanation {
	v := CallExplanation{
		CallID:   j.ID.String(),
		Status:   j.Status,
		Summary:  "Nothing failed in this call.",
		Timeline: timeline(j),
		Attempts: make([]Attempt, 0, len(j.Attempts)),
		Text:     text,
	}
	if x.Finding != nil {
		v.Finding = findingView(x.Finding, gateway)
		v.Summary = v.Finding.Detail
	}
	for i := range j.Attempts {
		v.Attempts = append(v.Attempts, attemptView(&j.Attempts[i]))
	}
	return v
}

// answersText documents the two forms of an explanation, which the library cannot see.
func answersText(a *api, op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"200": {
		Description: http.StatusText(http.StatusOK),
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: schema[CallExplanation](a)},
			"text/plain":       {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
}

// timeline is what is kept of a call, in the order of time.
func timeline(j *journey.Journey) []Moment {
	line := []Moment{{0, fmt.Sprintf("the head of %s %s had come", j.Method, j.Path)}}
	add := func(at float64, format string, args ...any) {
		line = append(line, Moment{at, fmt.Sprintf(format, args...)})
	}
	if j.Routed > 0 {
		to := "no route"
		switch {
		case j.Model != "":
			to = "model " + j.Model
		case j.Service != "":
			to = "service " + j.Service
		}
		add(millis(j.Routed), "routed: %s", to)
	}
	if j.Admitted > 0 {
		add(millis(j.Admitted), "every policy passed")
	}
	for _, n := range j.Notes {
		add(millis(n.At), "%s: %s", n.Room, n.Text)
	}
	for i := range j.Attempts {
		t := &j.Attempts[i]
		add(millis(t.Start), "attempt %d at %s began", i+1, withoutUser(t.Target))
		outcome := "status " + fmt.Sprint(t.Status)
		if t.Kind != "" {
			outcome = string(t.Kind)
		} else if t.Status == 0 {
			outcome = t.End.String()
		}
		add(millis(t.Start+t.Total), "attempt %d ended: %s", i+1, outcome)
	}
	if j.FirstByte > 0 {
		add(millis(j.FirstByte), "the first byte of the answer went to the caller")
	}
	switch {
	case j.Status == 0:
		add(millis(j.Total), "the caller had left without an answer")
	case j.Cut:
		add(millis(j.Total), "the answer, status %d, was cut", j.Status)
	default:
		add(millis(j.Total), "the call ended with status %d", j.Status)
	}
	slices.SortStableFunc(line, func(a, b Moment) int {
		switch {
		case a.AtMS < b.AtMS:
			return -1
		case a.AtMS > b.AtMS:
			return 1
		}
		return 0
	})
	return line
}
