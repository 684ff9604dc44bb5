package admin

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"causeway/internal/fault"
)

// listCallsInput are the parameters of a search. They are text here, so that parse can say in the
// field's own terms what is wrong with each.
type listCallsInput struct {
	Service     string `query:"service" example:"orders" doc:"Calls of this service."`
	Model       string `query:"model" example:"fast" doc:"Calls of this model, as the caller named it: a name of the configuration, or PROVIDER/MODEL."`
	Application string `query:"application" example:"web" doc:"Calls of this application."`
	Provider    string `query:"provider" example:"openai" doc:"Calls that this provider was asked for."`
	Status      string `query:"status" example:"5xx" doc:"What the caller got: a status such as 502, or a class such as 5xx."`
	Kind        string `query:"kind" example:"connection_refused" doc:"Calls that failed in this way. GET /api/v1/failures lists the kinds."`
	From        string `query:"from" example:"2026-11-23T04:00:00Z" doc:"Calls begun at or after this time: RFC 3339, or so long ago (15m, 12h, 7d)."`
	To          string `query:"to" example:"2026-11-23T05:00:00Z" doc:"Calls begun before this time: RFC 3339, or so long ago."`
	MinMS       string `query:"min_ms" example:"1000" doc:"Calls that took at least so many milliseconds."`
	MaxMS       string `query:"max_ms" example:"60000" doc:"Calls that took at most so many milliseconds."`
	Failed      string `query:"failed" example:"true" doc:"true: calls with a failure; false: calls without."`
	Limit       int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many to return at most."`
	Cursor      string `query:"cursor" doc:"next_cursor of the page before."`
}

// parse checks the parameters and makes a query of them; every wrong one is named.
func (in *listCallsInput) parse(now time.Time) (Query, error) {
	q := Query{
		Service:     in.Service,
		Model:       in.Model,
		Application: in.Application,
		Provider:    in.Provider,
		Limit:       in.Limit,
	}
	var errs []FieldError
	for _, p := range []struct {
		name, value string
		set         func(string) error
	}{
		{"status", in.Status, q.setStatus},
		{"kind", in.Kind, q.setKind},
		{"from", in.From, setTime(&q.From, now)},
		{"to", in.To, setTime(&q.To, now)},
		{"min_ms", in.MinMS, setMS(&q.MinDuration)},
		{"max_ms", in.MaxMS, setMS(&q.MaxDuration)},
		{"failed", in.Failed, q.setFailed},
	} {
		if p.value == "" {
			continue
		}
		if err := p.set(p.value); err != nil {
			errs = append(errs, FieldError{In: "query", Pointer: "#/" + p.name, Detail: err.Error()})
		}
	}
	if len(errs) == 0 {
		errs = q.contradictions()
	}
	before, err := readCursor(in.Cursor)
	if err != nil {
		return q, err
	}
	if before != nil {
		q.Cursor = before.String()
	}
	if len(errs) > 0 {
		return q, invalid(errs...)
	}
	return q, nil
}

// contradictions are parameters that are right alone and leave nothing to find together.
func (q *Query) contradictions() (errs []FieldError) {
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		errs = append(errs, FieldError{In: "query", Pointer: "#/to", Detail: "must be later than from"})
	}
	if q.MaxDuration > 0 && q.MinDuration > q.MaxDuration {
		errs = append(errs, FieldError{In: "query", Pointer: "#/max_ms", Detail: "must not be less than min_ms"})
	}
	if q.Kind != "" && q.Failed != nil && !*q.Failed {
		errs = append(errs, FieldError{In: "query", Pointer: "#/failed", Detail: "must not be false beside kind, which only failed calls have"})
	}
	return errs
}

func (q *Query) setStatus(s string) error {
	if class, ok := strings.CutSuffix(strings.ToLower(s), "xx"); ok && len(class) == 1 && class >= "1" && class <= "5" {
		q.StatusFrom = int(class[0]-'0') * 100
		q.StatusTo = q.StatusFrom + 99
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 100 || n > 599 || len(s) != 3 {
		return fmt.Errorf("must be a status such as 502, or a class such as 5xx, and not %s", quoted(s))
	}
	q.StatusFrom, q.StatusTo = n, n
	return nil
}

func (q *Query) setKind(s string) error {
	if fault.Lookup(fault.Kind(s)) == nil {
		hint := "GET /api/v1/failures lists the kinds"
		if near := nearest(s, kinds()); near != "" {
			hint = "did you mean " + near + "?"
		}
		return fmt.Errorf("must be a failure kind, and %s is none: %s", quoted(s), hint)
	}
	q.Kind = fault.Kind(s)
	return nil
}

func (q *Query) setFailed(s string) error {
	failed := s == "true"
	if !failed && s != "false" {
		return fmt.Errorf("must be true or false, and not %s", quoted(s))
	}
	q.Failed = &failed
	return nil
}

// setTime reads a point in time, or how long ago it was.
func setTime(to *time.Time, now time.Time) func(string) error {
	return func(s string) error {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			*to = t
			return nil
		}
		ago, err := parseAgo(s)
		if err != nil {
			return fmt.Errorf("must be a time (2026-11-23T04:05:06Z; a + in it is sent as %%2B) or how long ago (15m, 12h, 7d), and not %s", quoted(s))
		}
		*to = now.Add(-ago)
		return nil
	}
}

func parseAgo(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = strconv.ErrRange
	}
	return d, err
}

func setMS(to *time.Duration) func(string) error {
	return func(s string) error {
		ms, err := strconv.ParseFloat(s, 64)
		// A week is longer than any call, and far from what a Duration can hold.
		if err != nil || math.IsNaN(ms) || ms <= 0 || ms > 7*24*3600*1000 {
			return fmt.Errorf("must be a number of milliseconds above 0, and not %s", quoted(s))
		}
		*to = time.Duration(ms * float64(time.Millisecond))
		return nil
	}
}
