package admin

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"causeway/internal/journey"
)

const (
	docUsage = `What calls of models used and cost, added up from the call log: the sums reach back as far as that does (calls.keep, calls.max_size).
by names what is added up together, such as application,model or day,provider. Costs are in US dollars by the prices of GET /api/v1/models; calls of models without a price are counted in unpriced_calls and cost nothing here.
input_tokens holds all input, cached included; a number that a provider did not tell was counted by the gateway (counted_calls) or is missing (unknown_calls).`
	docUsageExport = `One line for each call of a model as CSV (RFC 4180), the newest first, for spreadsheets and to be compared with a provider's bill.`
)

// mostUsageCalls is the most calls that one sum looks at, usagePage how many at once.
const (
	mostUsageCalls = 500_000
	usagePage      = 500
)

// usageInput are the parameters of a sum.
type usageInput struct {
	By          string `query:"by" example:"application,model" default:"application" doc:"What is added up together: application, model (as callers named it), provider, target_model, hour and day (UTC), joined by commas."`
	Application string `query:"application" example:"web" doc:"Calls of this application alone."`
	Model       string `query:"model" example:"fast" doc:"Calls of this model alone, as callers named it."`
	Provider    string `query:"provider" example:"openai" doc:"Calls of this provider alone."`
	From        string `query:"from" example:"2026-11-01T00:00:00Z" doc:"Calls begun at or after this time: RFC 3339, or so long ago (12h, 30d). Without it: 30 days ago."`
	To          string `query:"to" example:"2026-12-01T00:00:00Z" doc:"Calls begun before this time. Without it: now."`
}

// UsageSum is the answer of GET /api/v1/usage.
type UsageSum struct {
	From     time.Time  `json:"from" doc:"Calls begun at or after this time."`
	To       time.Time  `json:"to" doc:"Calls begun before this time."`
	By       []string   `json:"by" nullable:"false" doc:"What is added up together."`
	Rows     []UsageRow `json:"rows" nullable:"false" doc:"The dearest first; with hour or day in by, the latest first."`
	Total    UsageRow   `json:"total" doc:"All of them."`
	Complete bool       `json:"complete" doc:"false: there are more calls than one sum looks at; ask for a shorter time."`
}

// UsageRow is a sum over calls.
type UsageRow struct {
	Time        *time.Time `json:"time,omitempty" doc:"The begin of the hour or day."`
	Application string     `json:"application,omitempty" example:"web" doc:"Who called."`
	Model       string     `json:"model,omitempty" example:"fast" doc:"The model as callers named it."`
	Provider    string     `json:"provider,omitempty" example:"openai" doc:"The provider that answered, or failed last."`
	TargetModel string     `json:"target_model,omitempty" example:"gpt-4o-mini" doc:"The provider's model."`
	UsageCounts
}

// UsageCounts are sums.
type UsageCounts struct {
	Calls      int64   `json:"calls" doc:"Calls that had come as far as a provider."`
	Failed     int64   `json:"failed" doc:"Of them: with a failure."`
	Input      int64   `json:"input_tokens" doc:"Tokens read, cached ones included."`
	Output     int64   `json:"output_tokens" doc:"Tokens written, reasoning included."`
	Cached     int64   `json:"cached_tokens" doc:"Of the input, read from providers' caches."`
	CacheWrite int64   `json:"cache_write_tokens" doc:"Of the input, written to providers' caches."`
	Reasoning  int64   `json:"reasoning_tokens" doc:"Of the output, not shown to callers."`
	CostUSD    float64 `json:"cost_usd" example:"12.5" doc:"What they cost."`
	Unpriced   int64   `json:"unpriced_calls" doc:"Calls that used tokens of a model whose price is not known."`
	Counted    int64   `json:"counted_calls" doc:"Calls whose tokens the gateway counted, because the provider did not tell."`
	Partial    int64   `json:"partial_calls" doc:"Calls whose stream broke: their numbers are what had come."`
	Unknown    int64   `json:"unknown_calls" doc:"Calls that used nothing that is known of, such as failed ones."`
	nano       int64
}

func (u *UsageCounts) add(j *journey.Journey) {
	u.Calls++
	if j.Finding != nil {
		u.Failed++
	}
	x := &j.Usage
	switch x.Source {
	case "":
		u.Unknown++
		return
	case "counted":
		u.Counted++
	case "partial":
		u.Partial++
	}
	u.Input += max(x.Input, 0)
	u.Output += max(x.Output, 0)
	u.Cached += max(x.Cached, 0)
	u.CacheWrite += max(x.CacheWrite, 0)
	u.Reasoning += max(x.Reasoning, 0)
	if !x.Priced {
		u.Unpriced++
		return
	}
	u.nano += x.Cost
	u.CostUSD = float64(u.nano) / 1e9
}

type usageOutput struct{ Body UsageSum }

// usageBy are the words of by.
var usageBy = []string{"application", "model", "provider", "target_model", "hour", "day"}

func (a *api) getUsage(ctx context.Context, in *usageInput) (*usageOutput, error) {
	q, by, err := in.parse(a.Now())
	if err != nil {
		return nil, err
	}
	sum := UsageSum{From: q.From, To: q.To, By: by}
	rows := map[UsageRow]*UsageRow{}
	times := map[string]*time.Time{}
	sum.Complete, err = a.eachModelCall(ctx, q, func(j *journey.Journey) error {
		key := rowOf(j, by, times)
		row := rows[key]
		if row == nil {
			row = &UsageRow{Time: key.Time, Application: key.Application, Model: key.Model, Provider: key.Provider, TargetModel: key.TargetModel}
			rows[key] = row
		}
		row.add(j)
		sum.Total.add(j)
		return nil
	})
	if err != nil {
		return nil, err
	}
	sum.Rows = make([]UsageRow, 0, len(rows))
	for _, row := range rows {
		sum.Rows = append(sum.Rows, *row)
	}
	slices.SortFunc(sum.Rows, compareRows)
	return &usageOutput{sum}, nil
}

// rowOf is the row that a call belongs to; times makes equal times the same pointer.
func rowOf(j *journey.Journey, by []string, times map[string]*time.Time) (key UsageRow) {
	for _, word := range by {
		switch word {
		case "application":
			key.Application = j.Application
		case "model":
			key.Model = j.Model
		case "provider":
			key.Provider = j.Provider
		case "target_model":
			key.TargetModel = j.TargetModel
		case "hour", "day":
			step := time.Hour
			if word == "day" {
				step = 24 * time.Hour
			}
			at := j.Start.UTC().Truncate(step)
			text := at.String()
			if times[text] == nil {
				times[text] = &at
			}
			key.Time = times[text]
		}
	}
	return key
}

func compareRows(a, b UsageRow) int {
	if a.Time != nil && b.Time != nil && !a.Time.Equal(*b.Time) {
		return b.Time.Compare(*a.Time)
	}
	for _, c := range [...]int{
		int(min(max(b.nano-a.nano, -1), 1)), int(min(max(b.Calls-a.Calls, -1), 1)),
		strings.Compare(a.Application, b.Application), strings.Compare(a.Model, b.Model),
		strings.Compare(a.Provider, b.Provider), strings.Compare(a.TargetModel, b.TargetModel),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// parse checks the parameters.
func (in *usageInput) parse(now time.Time) (q Query, by []string, err error) {
	q = Query{Application: in.Application, Model: in.Model, Provider: in.Provider, Limit: usagePage}
	var errs []FieldError
	if q.From, q.To, errs = span(in.From, in.To, now); len(errs) > 0 {
		return q, nil, invalid(errs...)
	}
	for word := range strings.SplitSeq(in.By, ",") {
		word = strings.TrimSpace(word)
		switch {
		case !slices.Contains(usageBy, word):
			detail := "must be some of " + strings.Join(usageBy, ", ") + ", joined by commas, and not " + quoted(word)
			if near := nearest(word, usageBy); near != "" {
				detail += "; did you mean " + near + "?"
			}
			return q, nil, invalid(FieldError{In: "query", Pointer: "#/by", Detail: detail})
		case slices.Contains(by, word):
			return q, nil, invalid(FieldError{In: "query", Pointer: "#/by", Detail: "names " + word + " twice"})
		}
		by = append(by, word)
	}
	if slices.Contains(by, "hour") && slices.Contains(by, "day") {
		return q, nil, invalid(FieldError{In: "query", Pointer: "#/by", Detail: "takes hour or day, not both"})
	}
	return q, by, nil
}

// span reads the time that is asked for: the last 30 days where nothing is said.
func span(from, to string, now time.Time) (f, t time.Time, errs []FieldError) {
	f, t = now.Add(-30*24*time.Hour), now
	for _, p := range [...]struct {
		name, value string
		to          *time.Time
	}{{"from", from, &f}, {"to", to, &t}} {
		if p.value == "" {
			continue
		}
		if err := setTime(p.to, now)(p.value); err != nil {
			errs = append(errs, FieldError{In: "query", Pointer: "#/" + p.name, Detail: err.Error()})
		}
	}
	if len(errs) == 0 && !f.Before(t) {
		errs = append(errs, FieldError{In: "query", Pointer: "#/to", Detail: "must be later than from"})
	}
	return f, t, errs
}

// eachModelCall calls f for each call that q finds and that had come as far as a provider. complete is false when
// there are more than it looks at.
func (a *api) eachModelCall(ctx context.Context, q Query, f func(*journey.Journey) error) (complete bool, err error) {
	for seen := 0; seen < mostUsageCalls; {
		page, err := a.Calls.Search(ctx, q)
		if err != nil {
			return false, err
		}
		for i := range page.Calls {
			if j := &page.Calls[i]; j.Provider != "" {
				if err := f(j); err != nil {
					return false, err
				}
			}
		}
		if seen += max(len(page.Calls), 1); page.Next == "" {
			return true, nil
		}
		q.Cursor = page.Next
	}
	return false, nil
}

// exportInput are the parameters of an export.
type exportInput struct {
	Application string `query:"application" example:"web" doc:"Calls of this application alone."`
	Model       string `query:"model" example:"fast" doc:"Calls of this model alone, as callers named it."`
	Provider    string `query:"provider" example:"openai" doc:"Calls of this provider alone."`
	From        string `query:"from" example:"2026-11-01T00:00:00Z" doc:"Calls begun at or after this time: RFC 3339, or so long ago (12h, 30d). Without it: 30 days ago."`
	To          string `query:"to" example:"2026-12-01T00:00:00Z" doc:"Calls begun before this time. Without it: now."`
}

// exportColumns are the columns of an export.
var exportColumns = []string{
	"time", "call_id", "application", "provider", "model", "target_model", "status", "failure", "stream",
	"input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "usage_source", "cost_usd", "duration_ms",
}

func (a *api) exportUsage(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	q := Query{Application: in.Application, Model: in.Model, Provider: in.Provider, Limit: usagePage}
	var errs []FieldError
	if q.From, q.To, errs = span(in.From, in.To, a.Now()); len(errs) > 0 {
		return nil, invalid(errs...)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "text/csv; charset=utf-8; header=present")
		hc.SetHeader("Content-Disposition", `attachment; filename="causeway-usage.csv"`)
		hc.SetStatus(http.StatusOK)
		w := csv.NewWriter(hc.BodyWriter())
		w.UseCRLF = true
		err := w.Write(exportColumns)
		complete := true
		if err == nil {
			complete, err = a.eachModelCall(ctx, q, func(j *journey.Journey) error { return w.Write(exportRow(j)) })
		}
		if err == nil && !complete {
			err = fmt.Errorf("there are more than %d calls", mostUsageCalls)
		}
		w.Flush()
		if err = errors.Join(err, w.Error()); err != nil {
			a.Log.Error("an export of usage broke off", "error", err.Error())
			panic(http.ErrAbortHandler) // so that nobody takes its begin for all of it
		}
	}}, nil
}

func exportRow(j *journey.Journey) []string {
	count := func(n int64) string {
		if n < 0 || j.Usage.Source == "" {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	cost, kind := "", ""
	if j.Usage.Priced {
		cost = strconv.FormatFloat(float64(j.Usage.Cost)/1e9, 'f', -1, 64)
	}
	if j.Finding != nil {
		kind = string(j.Finding.Kind)
	}
	return []string{
		stamp(j.Start), j.ID.String(), cell(j.Application), cell(j.Provider), cell(j.Model), cell(j.TargetModel),
		strconv.Itoa(j.Status), kind, strconv.FormatBool(j.Stream),
		count(j.Usage.Input), count(j.Usage.Output), count(j.Usage.Cached), count(j.Usage.CacheWrite), count(j.Usage.Reasoning),
		j.Usage.Source, cost, strconv.FormatFloat(millis(j.Total), 'f', -1, 64),
	}
}

// cell keeps a spreadsheet from reading a name that a caller has made up as a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
