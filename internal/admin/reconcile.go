package admin

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"causeway/internal/journey"
)

const docReconcile = `Compares a provider's own usage with the call log, by day (UTC) and model, and says what may explain each difference.
The body is the CSV that the provider's console exports: OpenAI's usage (start_time_iso, model, num_model_requests, input_tokens, output_tokens, input_cached_tokens, batch) or Anthropic's (usage_date_utc, model_version, usage_input_tokens_no_cache, usage_input_tokens_cache_read, usage_output_tokens, ...). Any other CSV with a day, a model and columns of the same names works as well.`

// MostReconcile is the largest CSV that is compared, in bytes.
const MostReconcile = 16 << 20

type reconcileInput struct {
	Provider string `query:"provider" required:"true" example:"openai" doc:"The provider of the configuration that the file is of."`
	RawBody  []byte `contentType:"text/csv"`
}

// Reconciliation is the answer of POST /api/v1/usage/reconcile.
type Reconciliation struct {
	Provider string         `json:"provider" doc:"The provider."`
	Format   string         `json:"format" enum:"openai,anthropic,other" doc:"Whose columns the file has."`
	From     time.Time      `json:"from" doc:"The first day of the file."`
	To       time.Time      `json:"to" doc:"The end of its last day."`
	Agrees   bool           `json:"agrees" doc:"Whether all rows do."`
	Rows     []ReconcileRow `json:"rows" nullable:"false" doc:"By day and model; those that differ first."`
	Theirs   ReconcileSide  `json:"theirs" doc:"All that the provider counted."`
	Ours     ReconcileSide  `json:"ours" doc:"All that the call log has."`
	Notes    []string       `json:"notes,omitempty" nullable:"false" doc:"What holds for all rows."`
}

// ReconcileRow is a day of a model.
type ReconcileRow struct {
	Day          string        `json:"day" format:"date" example:"2026-11-23" doc:"The day, in UTC."`
	Model        string        `json:"model" example:"gpt-4o-mini-2024-07-18" doc:"The model as the provider names it, or as the gateway asked for it where the provider has none."`
	Theirs       ReconcileSide `json:"theirs" doc:"What the provider counted."`
	Ours         ReconcileSide `json:"ours" doc:"What the call log has."`
	Agrees       bool          `json:"agrees" doc:"Whether requests and tokens are the same."`
	Explanations []string      `json:"explanations,omitempty" nullable:"false" doc:"What may explain the difference, the likeliest first."`
}

// ReconcileSide is one side's count. -1 requests is not said.
type ReconcileSide struct {
	Requests   int64 `json:"requests" doc:"Calls; -1 where the file does not tell."`
	Input      int64 `json:"input_tokens" doc:"Tokens read, cached ones included."`
	Cached     int64 `json:"cached_tokens" doc:"Of them read from the cache."`
	CacheWrite int64 `json:"cache_write_tokens" doc:"Of them written to the cache."`
	Output     int64 `json:"output_tokens" doc:"Tokens written."`

	batch, counted, partial, unknown, failed int64
}

func (s *ReconcileSide) plus(o *ReconcileSide) {
	if s.Requests < 0 || o.Requests < 0 {
		s.Requests = -1
	} else {
		s.Requests += o.Requests
	}
	s.Input += o.Input
	s.Cached += o.Cached
	s.CacheWrite += o.CacheWrite
	s.Output += o.Output
	s.batch += o.batch
	s.counted += o.counted
	s.partial += o.partial
	s.unknown += o.unknown
	s.failed += o.failed
}

// dayModel is what is compared.
type dayModel struct{ day, model string }

type reconcileOutput struct{ Body Reconciliation }

func (a *api) reconcile(ctx context.Context, in *reconcileInput) (*reconcileOutput, error) {
	if in.Provider == "" {
		return nil, invalid(FieldError{In: "query", Pointer: "#/provider", Detail: "is missing"})
	}
	theirs, format, err := readBill(in.RawBody)
	if err != nil {
		return nil, &Problem{Status: 422, Detail: "The CSV can't be read: " + err.Error() + "."}
	}
	r := Reconciliation{Provider: in.Provider, Format: format}
	for key := range theirs {
		day, _ := time.Parse(time.DateOnly, key.day)
		if r.From.IsZero() || day.Before(r.From) {
			r.From = day
		}
		if end := day.Add(24 * time.Hour); end.After(r.To) {
			r.To = end
		}
	}
	ours := map[dayModel]*ReconcileSide{}
	q := Query{Provider: in.Provider, From: r.From, To: r.To, Limit: usagePage}
	complete, err := a.eachModelCall(ctx, q, func(j *journey.Journey) error {
		key := dayModel{j.Start.UTC().Format(time.DateOnly), theirName(theirs, j)}
		if ours[key] == nil {
			ours[key] = &ReconcileSide{}
		}
		ours[key].count(j)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !complete {
		r.Notes = append(r.Notes, fmt.Sprintf("there are more than %d calls in this time, and only the latest were compared: take a shorter time", mostUsageCalls))
	}
	if len(ours) == 0 {
		r.Notes = append(r.Notes, "the call log has no call of the provider "+in.Provider+" in this time: is it another provider's file, or older than calls.keep?")
	}
	r.compare(theirs, ours)
	return &reconcileOutput{r}, nil
}

// count adds a call as its provider would bill it.
func (s *ReconcileSide) count(j *journey.Journey) {
	u := &j.Usage
	if u.Source == "" {
		// A call that failed without usage costs nothing with most providers, and is not in their count.
		if j.Finding == nil || j.Status == 200 {
			s.Requests++
			s.unknown++
		} else {
			s.failed++
		}
		return
	}
	s.Requests++
	switch u.Source {
	case "counted":
		s.counted++
	case "partial":
		s.partial++
	}
	s.Input += max(u.Input, 0)
	s.Cached += max(u.Cached, 0)
	s.CacheWrite += max(u.CacheWrite, 0)
	s.Output += max(u.Output, 0)
}

// theirName is the name by which the file has a call's model: the same, or with a date or version behind it.
func theirName(theirs map[dayModel]*ReconcileSide, j *journey.Journey) string {
	day, model := j.Start.UTC().Format(time.DateOnly), j.TargetModel
	if theirs[dayModel{day, model}] != nil {
		return model
	}
	best := ""
	for key := range theirs {
		if key.day != day {
			continue
		}
		if rest, ok := strings.CutPrefix(key.model, model+"-"); ok && versionOf(rest) && (best == "" || key.model > best) {
			best = key.model
		}
		if alias, ok := strings.CutSuffix(model, "-latest"); ok && strings.HasPrefix(key.model, alias+"-") && key.model > best {
			best = key.model
		}
	}
	if best == "" {
		return model
	}
	return best
}

// versionOf tells whether what stands behind a model's name is its version alone: digits and hyphens.
func versionOf(s string) bool { return s != "" && strings.Trim(s, "0123456789-") == "" }

func (r *Reconciliation) compare(theirs, ours map[dayModel]*ReconcileSide) {
	keys := make([]dayModel, 0, len(theirs))
	for key := range theirs {
		keys = append(keys, key)
	}
	for key := range ours {
		if theirs[key] == nil {
			keys = append(keys, key)
		}
	}
	r.Agrees = true
	for _, key := range keys {
		row := ReconcileRow{Day: key.day, Model: key.model}
		if s := theirs[key]; s != nil {
			row.Theirs = *s
		}
		if s := ours[key]; s != nil {
			row.Ours = *s
		}
		row.explain(theirs[key] != nil, ours[key] != nil)
		r.Agrees = r.Agrees && row.Agrees
		r.Theirs.plus(&row.Theirs)
		r.Ours.plus(&row.Ours)
		r.Rows = append(r.Rows, row)
	}
	slices.SortFunc(r.Rows, func(a, b ReconcileRow) int {
		switch {
		case a.Agrees != b.Agrees && b.Agrees:
			return -1
		case a.Agrees != b.Agrees:
			return 1
		case a.Day != b.Day:
			return strings.Compare(a.Day, b.Day)
		}
		return strings.Compare(a.Model, b.Model)
	})
}

// explain says what may be behind a difference.
func (row *ReconcileRow) explain(their, our bool) {
	t, o := &row.Theirs, &row.Ours
	requests := int64(0)
	if t.Requests >= 0 {
		requests = t.Requests - o.Requests
	}
	input, output := t.Input-o.Input, t.Output-o.Output
	row.Agrees = requests == 0 && input == 0 && output == 0 && t.Cached == o.Cached && their == our
	if row.Agrees {
		return
	}
	say := func(format string, args ...any) {
		row.Explanations = append(row.Explanations, fmt.Sprintf(format, args...))
	}
	if !our {
		say("no call to this model went through the gateway that day: another client uses the account, or the model has another name there")
	}
	if !their {
		say("the provider has nothing of this model that day: its name differs there, the calls went to another account's key, or the file leaves it out")
	}
	if t.batch > 0 {
		say("%s of the provider's were made through its batch API, whose results don't pass the gateway", plural(t.batch, "request"))
	}
	if our && (requests > 0 || t.Requests < 0 && (input > 0 || output > 0)) {
		if requests > 0 {
			say("the provider counted %s more: another client uses the same account", plural(requests, "request"))
		} else {
			say("the provider counted more tokens: another client may use the same account (the file has no number of requests)")
		}
	}
	if o.partial > 0 {
		say("%s broke in the middle, and what the provider went on to make is not known here", plural(o.partial, "stream"))
	}
	if o.counted > 0 {
		say("the provider told no usage for %s: the gateway counted the tokens itself, which is near but not exact", plural(o.counted, "call"))
	}
	if o.unknown > 0 {
		say("%s told no usage at all", plural(o.unknown, "call"))
	}
	if o.failed > 0 && requests > 0 {
		say("%s failed: a provider may bill those that it had begun to work on", plural(o.failed, "call"))
	}
	if requests < 0 {
		say("the gateway counted %s more: calls near midnight may be on the provider's next day, and it leaves out those that it refused", plural(-requests, "request"))
	}
	if their && our && requests == 0 && input != 0 && input == t.Cached-o.Cached {
		say("the input differs by what was read from the cache: one of the two counts it apart")
	} else if their && our && input == 0 && t.Cached != o.Cached {
		say("the input is the same, and how much of it came from the cache is told differently")
	}
	if len(row.Explanations) == 0 {
		say("the same number of requests with other tokens: the provider changed how it counts, or corrected it later")
	}
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// billColumns are the columns that are read, with the names that they have in OpenAI's and Anthropic's files.
// Sources: the exports of platform.openai.com/usage and platform.claude.com/usage.
var billColumns = map[string][]string{
	"day":      {"usage_date_utc", "start_time_iso", "date", "day", "start_time"},
	"model":    {"model_version", "model", "target_model"},
	"requests": {"num_model_requests", "requests", "calls"},
	"plain":    {"usage_input_tokens_no_cache", "uncached_input_tokens"}, // input without what the cache had
	"input":    {"input_tokens", "prompt_tokens", "n_context_tokens_total"},
	"cached":   {"input_cached_tokens", "usage_input_tokens_cache_read", "cached_tokens", "cache_read_input_tokens"},
	"write":    {"usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write", "cache_write_tokens", "cache_creation_input_tokens"},
	"write1h":  {"usage_input_tokens_cache_write_1h"},
	"output":   {"usage_output_tokens", "output_tokens", "completion_tokens", "n_generated_tokens_total"},
	"batch":    {"batch"},
	"type":     {"usage_type"},
}

// readBill reads a provider's CSV.
func readBill(text []byte) (map[dayModel]*ReconcileSide, string, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, "", err
	}
	if len(rows) < 2 {
		return nil, "", fmt.Errorf("it has no line below its names of columns")
	}
	at := map[string]int{}
	for what, names := range billColumns {
		at[what] = -1
		for _, name := range names {
			if i := slices.IndexFunc(rows[0], func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), name) }); i >= 0 {
				at[what] = i
				break
			}
		}
	}
	for _, need := range [...]string{"day", "model", "output"} {
		if at[need] < 0 {
			return nil, "", fmt.Errorf("it has no column for the %s: one of %s", need, strings.Join(billColumns[need], ", "))
		}
	}
	if at["input"] < 0 && at["plain"] < 0 {
		return nil, "", fmt.Errorf("it has no column for the input: one of %s", strings.Join(slices.Concat(billColumns["input"], billColumns["plain"]), ", "))
	}
	format := "other"
	switch {
	case at["plain"] >= 0:
		format = "anthropic"
	case slices.Contains(rows[0], "num_model_requests"):
		format = "openai"
	}
	all := map[dayModel]*ReconcileSide{}
	for i, row := range rows[1:] {
		if err := addBillRow(all, row, at); err != nil {
			return nil, "", fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	if len(all) == 0 {
		return nil, "", fmt.Errorf("no line of it names a model")
	}
	return all, format, nil
}

func addBillRow(all map[dayModel]*ReconcileSide, row []string, at map[string]int) error {
	field := func(what string) string {
		if i := at[what]; i >= 0 && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	if field("model") == "" {
		return nil // a day without any use, or a sum
	}
	day, err := billDay(field("day"))
	if err != nil {
		return err
	}
	number := func(what string) int64 {
		text := strings.ReplaceAll(field(what), ",", "")
		if text == "" || err != nil {
			return 0
		}
		f, bad := strconv.ParseFloat(text, 64)
		if bad != nil || f < 0 || f > 1e15 || math.IsNaN(f) {
			err = fmt.Errorf("%s is no number of tokens or requests", quoted(text))
			return 0
		}
		return int64(f)
	}
	side := ReconcileSide{
		Requests: number("requests"), Input: number("input"), Cached: number("cached"),
		CacheWrite: number("write") + number("write1h"), Output: number("output"),
	}
	if at["requests"] < 0 {
		side.Requests = -1
	}
	if at["plain"] >= 0 {
		side.Input = number("plain") + side.Cached + side.CacheWrite
	}
	if err != nil {
		return err
	}
	if strings.EqualFold(field("batch"), "true") || strings.EqualFold(field("type"), "batch") {
		side.batch = max(side.Requests, 1)
	}
	key := dayModel{day, field("model")}
	if all[key] == nil {
		all[key] = &side
		return nil
	}
	all[key].plus(&side)
	return nil
}

// billDay reads a day as the files write it: a date, a time as RFC 3339 has it, or Unix seconds.
func billDay(s string) (string, error) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && seconds > 1e9 && seconds < 1e11 {
		return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
	}
	for _, layout := range [...]string{time.RFC3339, time.DateOnly, time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format(time.DateOnly), nil
		}
	}
	return "", fmt.Errorf("%s is no day such as 2026-11-23", quoted(s))
}

// takesCSV allows a larger body than JSON has.
func takesCSV(_ *api, op *huma.Operation) {
	op.MaxBodyBytes = MostReconcile
	op.Errors = append(op.Errors, 413, 415)
}

// answersCSV documents an answer that the library does not make.
func answersCSV(_ *api, op *huma.Operation) {
	op.Responses = map[string]*huma.Response{
		"200": {Description: "The calls.", Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}},
	}
}
