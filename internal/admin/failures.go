package admin

import (
	"context"

	"causeway/internal/fault"
)

const docFailures = `The catalogue of failures: every kind that a call can fail with, what it means and what to do. The gateway has a page for each.`

// Failure is one row of the catalogue.
type Failure struct {
	Kind           string   `json:"kind" example:"connection_refused" doc:"The failure's stable name."`
	Title          string   `json:"title" example:"The upstream refused the connection" doc:"The kind in words."`
	Status         int      `json:"status,omitempty" example:"502" doc:"What we answer. Missing: the upstream's own answer is passed on."`
	ProxyStatus    string   `json:"proxy_status,omitempty" example:"connection_refused" doc:"The error type of RFC 9209. Missing: no failure of the gateway's making."`
	Cause          string   `json:"cause" enum:"overload,configuration,network,software,incompatible_change,caller,gateway" example:"software" doc:"What it usually means."`
	Repeat         string   `json:"repeat" enum:"always,idempotent,delayed,elsewhere,never" example:"always" doc:"When an attempt that failed so is repeated: always; only if idempotent; after a pause; at another target; never."`
	DependsOn      []string `json:"depends_on,omitempty" nullable:"false" doc:"Kinds that, found on the same target, are the cause behind this one."`
	Explanation    string   `json:"explanation" doc:"What happened, seen from the gateway."`
	CallerAdvice   []string `json:"caller_advice" nullable:"false" doc:"What the caller can do."`
	OperatorAdvice []string `json:"operator_advice" nullable:"false" doc:"What the operator can do."`
	Page           string   `json:"page" example:"http://127.0.0.1:8080/.causeway/failures/connection_refused" doc:"Its page on the gateway."`
}

type listFailuresInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"500" doc:"How many to return at most; by default all."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
}

// FailureList is a page of the catalogue.
type FailureList struct {
	Failures   []Failure `json:"failures" nullable:"false" doc:"In the catalogue's order: the road to the upstream first, the gateway itself last."`
	NextCursor string    `json:"next_cursor,omitempty" doc:"cursor of the next page. Missing: this is the last."`
}

type listFailuresOutput struct{ Body FailureList }

func (a *api) listFailures(_ context.Context, in *listFailuresInput) (*listFailuresOutput, error) {
	rows := fault.All()
	if in.Cursor != "" {
		at := 0
		for at < len(rows) && string(rows[at].Kind) != in.Cursor {
			at++
		}
		if at == len(rows) {
			return nil, invalidCursor()
		}
		rows = rows[at+1:]
	}
	rows, next := cutPage(rows, in.Limit, func(e fault.Entry) string { return string(e.Kind) })
	out := FailureList{Failures: make([]Failure, 0, len(rows)), NextCursor: next}
	for i := range rows {
		out.Failures = append(out.Failures, a.failureView(&rows[i]))
	}
	return &listFailuresOutput{out}, nil
}

var repeatWords = map[fault.Again]string{
	fault.Always:     "always",
	fault.Idempotent: "idempotent",
	fault.Delayed:    "delayed",
	fault.Elsewhere:  "elsewhere",
	fault.Never:      "never",
}

func (a *api) failureView(e *fault.Entry) Failure {
	v := Failure{
		Kind:           string(e.Kind),
		Title:          e.Title,
		Status:         e.Status,
		ProxyStatus:    e.Proxy,
		Cause:          string(e.Cause),
		Repeat:         repeatWords[e.Again],
		Explanation:    e.Explain,
		CallerAdvice:   list(e.CallerAdvice),
		OperatorAdvice: list(e.OperatorAdvice),
		Page:           a.Info.GatewayURL + fault.FailuresPath + string(e.Kind),
	}
	for _, k := range e.DependsOn {
		v.DependsOn = append(v.DependsOn, string(k))
	}
	return v
}
