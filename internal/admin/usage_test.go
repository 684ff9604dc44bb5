package admin

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// modelCall is a call of a model that used so much.
func modelCall(n int, at time.Time, j journey.Journey, input, cached, output, nano int64) *journey.Journey {
	j.Provider, j.Status = "openai", 200
	if j.Finding != nil {
		j.Status = 502
	}
	if j.Model == "" {
		j.Model, j.TargetModel = "fast", "gpt-4o-mini"
	}
	if input >= 0 {
		j.Usage = journey.Usage{Input: input, Cached: cached, Output: output, CacheWrite: -1, Reasoning: -1, Source: "reported", Cost: nano, Priced: nano >= 0}
	}
	call := kept(n, j)
	call.Start = at
	return call
}

func newUsageWorld(t *testing.T) *world {
	day := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	return newWorld(t, func(d *Deps) {
		d.Calls = &keptCalls{calls: []*journey.Journey{
			modelCall(1, day, journey.Journey{Application: "web"}, 100, 40, 10, 1_500_000),
			modelCall(2, day.Add(time.Hour), journey.Journey{Application: "web"}, 200, -1, 20, 2_500_000),
			modelCall(3, day.Add(2*time.Hour), journey.Journey{Application: "batch", Model: "=cmd()", TargetModel: "own"}, 5, -1, 5, -1),
			modelCall(4, day.Add(3*time.Hour), journey.Journey{Application: "web", Finding: &fault.Finding{Kind: fault.ProviderError}}, -1, -1, -1, 0),
			kept(5, journey.Journey{Start: day, Service: "orders", Status: 200}),
		}}
		d.Now = func() time.Time { return day.Add(24 * time.Hour) }
	})
}

func TestUsageIsAddedUp(t *testing.T) {
	w := newUsageWorld(t)
	get := func(query string) (sum UsageSum) {
		t.Helper()
		body, res := w.do(request{as: "viewer", path: "/api/v1/usage" + query})
		if res.StatusCode != 200 {
			t.Fatalf("%s: %d %s", query, res.StatusCode, body)
		}
		if err := json.Unmarshal([]byte(body), &sum); err != nil {
			t.Fatal(err)
		}
		return sum
	}
	sum := get("")
	if !sum.Complete || len(sum.Rows) != 2 || sum.Rows[0].Application != "web" {
		t.Fatalf("%+v", sum)
	}
	web := sum.Rows[0]
	if web.Calls != 3 || web.Failed != 1 || web.Input != 300 || web.Cached != 40 || web.Output != 30 || web.CostUSD != 0.004 || web.Unknown != 1 {
		t.Errorf("web: %+v", web)
	}
	if sum.Rows[1].Unpriced != 1 || sum.Total.Calls != 4 || sum.Total.Input != 305 {
		t.Errorf("%+v, all %+v", sum.Rows[1], sum.Total)
	}
	if rows := get("?by=hour,model").Rows; len(rows) != 4 || rows[0].Time.Hour() != 13 || rows[3].Model != "fast" {
		t.Errorf("by hour and model: %+v", rows)
	}
	if rows := get("?by=day&application=batch&from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z").Rows; len(rows) != 1 || rows[0].Calls != 1 {
		t.Errorf("one application on a day: %+v", rows)
	}
	for query, says := range map[string]string{
		"?by=aplication": "did you mean application?", "?by=day,hour": "not both", "?by=day,day": "twice",
		"?from=yesterday": "must be a time", "?from=1h&to=2h": "later than from",
	} {
		body, res := w.do(request{as: "viewer", path: "/api/v1/usage" + query})
		if (res.StatusCode != 400 && res.StatusCode != 422) || !strings.Contains(body, says) {
			t.Errorf("%s: %d %s", query, res.StatusCode, body)
		}
	}
	if _, res := w.do(request{path: "/api/v1/usage"}); res.StatusCode != 401 {
		t.Errorf("a stranger gets %d", res.StatusCode)
	}
}

func TestUsageIsExported(t *testing.T) {
	w := newUsageWorld(t)
	body, res := w.do(request{as: "viewer", path: "/api/v1/usage/export"})
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/csv") {
		t.Fatalf("%d %v %s", res.StatusCode, res.Header, body)
	}
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%v: %d rows\n%s", err, len(rows), body)
	}
	for _, want := range []string{
		",web,openai,fast,gpt-4o-mini,200,,false,100,10,40,,,reported,0.0015,",
		",batch,openai,'=cmd(),own,200,,false,5,5,,,,reported,,",
		",web,openai,fast,gpt-4o-mini,502,provider_error,false,,,,,,,,",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no line with %q in\n%s", want, body)
		}
	}
}

func TestABillIsReconciled(t *testing.T) {
	w := newUsageWorld(t)
	const head = "start_time,start_time_iso,model,num_model_requests,batch,input_tokens,input_cached_tokens,output_tokens\r\n"
	post := func(csv string) (r Reconciliation) {
		t.Helper()
		body, res := w.do(request{as: "token", method: http.MethodPost, path: "/api/v1/usage/reconcile?provider=openai", body: csv, header: map[string]string{"Content-Type": "text/csv"}})
		if res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	// The two calls of gpt-4o-mini, told by the version's full name, and the one of the other model.
	r := post(head + "1,2026-11-22T00:00:00Z,gpt-4o-mini-2024-07-18,2,false,300,40,30\r\n1,2026-11-22T00:00:00Z,own,1,false,5,0,5\r\n")
	if !r.Agrees || r.Format != "openai" || len(r.Rows) != 2 || r.Theirs.Input != 305 || r.Ours.Input != 305 {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct{ name, line, says string }{
		{"another client", "1,2026-11-22T00:00:00Z,gpt-4o-mini,3,false,400,40,40", "1 request more: another client"},
		{"a batch", "1,2026-11-22T00:00:00Z,gpt-4o-mini,12,true,4000,40,40", "batch API"},
		{"the cache", "1,2026-11-22T00:00:00Z,gpt-4o-mini,2,false,300,100,30", "how much of it came from the cache"},
		{"fewer", "1,2026-11-22T00:00:00Z,gpt-4o-mini,1,false,100,40,10", "midnight"},
		{"tokens alone", "1,2026-11-22T00:00:00Z,gpt-4o-mini,2,false,301,40,30", "other tokens"},
		{"not ours", "1,2026-11-22T00:00:00Z,o3,2,false,301,40,30", "no call to this model went through"},
	} {
		r := post(head + c.line + "\r\n")
		said := ""
		for _, row := range r.Rows {
			said += strings.Join(row.Explanations, "; ")
		}
		if r.Agrees || !strings.Contains(said, c.says) {
			t.Errorf("%s: %+v", c.name, r.Rows)
		}
	}
	r = post("usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count\n" +
		"2026-11-22,gpt-4o-mini,k,Default,standard,≤ 200k,260,0,0,40,30,0\n2026-11-22,own,k,Default,standard,≤ 200k,5,0,0,0,5,0\n")
	if !r.Agrees || r.Format != "anthropic" || r.Theirs.Requests != -1 {
		t.Errorf("Anthropic's: %+v", r)
	}
	for name, csv := range map[string]string{
		"empty": "", "no model": "date,output_tokens,input_tokens\n2026-11-22,1,1\n", "a bad day": head + "1,soon,m,1,false,1,1,1\n",
		"a bad number": head + "1,2026-11-22,m,many,false,1,1,1\n", "quotes": "a,b\n\"x,1\n",
	} {
		body, res := w.do(request{as: "token", method: http.MethodPost, path: "/api/v1/usage/reconcile?provider=openai", body: csv, header: map[string]string{"Content-Type": "text/csv"}})
		if res.StatusCode < 400 || res.StatusCode >= 500 || !strings.Contains(res.Header.Get("Content-Type"), "problem+json") {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
}

func FuzzBill(f *testing.F) {
	f.Add("usage_date_utc,model_version,usage_input_tokens_no_cache,usage_output_tokens\n2026-11-22,m,1,2\n")
	f.Add("start_time,model,input_tokens,output_tokens\n1763800000,m,1e3,\"2,000\"\n")
	f.Add("date,model,input_tokens,output_tokens\n2026-11-22,m,-1,NaN\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, _, err := readBill([]byte(text))
		if (err == nil) != (len(all) > 0) {
			t.Errorf("%v with %d rows", err, len(all))
		}
		for key, s := range all {
			if _, err := time.Parse(time.DateOnly, key.day); err != nil || s.Input < 0 || s.Output < 0 {
				t.Errorf("%+v: %+v", key, s)
			}
		}
	})
}

// stock is an inventory.
type stock struct{ err error }

func (stock) Providers() []Provider {
	return []Provider{{Name: "openai", Kind: "openai", Keys: []ProviderKey{{Place: 1, EndsIn: "...1a2b", State: "rate_limited", Until: "2026-11-23T00:00:00Z"}}}}
}

func (stock) Models() []Model {
	return []Model{{Name: "fast", Targets: []ModelTarget{{Model: "openai/gpt-4o-mini", Price: &Price{Input: 0.15, Source: "a page", Date: "2026-11-23"}}}}}
}

func (stock) Prompts() []Prompt {
	return []Prompt{{Name: "sentiment", Versions: []PromptVersion{{Name: "1", Output: []byte(`{"type":"object"}`)}}}}
}

func (s stock) Limits(context.Context) ([]Limit, error) {
	return []Limit{{Application: "web", Unit: "usd", Max: 50, Used: 12.5, Left: 37.5}}, s.err
}

func TestTheInventoryIsListed(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Inventory = stock{} })
	for path, want := range map[string]string{
		"/api/v1/providers": `"until":"2026-11-23T00:00:00Z"`, "/api/v1/models": `"source":"a page","date":"2026-11-23"`,
		"/api/v1/prompts": `"output":{"type":"object"}`, "/api/v1/limits": `"used":12.5`,
	} {
		body, res := w.do(request{as: "viewer", path: path})
		if res.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
		if _, res := w.do(request{path: path}); res.StatusCode != 401 {
			t.Errorf("%s: a stranger gets %d", path, res.StatusCode)
		}
	}
	w = newWorld(t, func(d *Deps) { d.Inventory = stock{errors.New("no route to host")} })
	if body, res := w.do(request{as: "viewer", path: "/api/v1/limits"}); res.StatusCode != 503 || !strings.Contains(body, "no route to host") {
		t.Errorf("counters that are away: %d %s", res.StatusCode, body)
	}
	w = newWorld(t)
	if body, _ := w.do(request{as: "viewer", path: "/api/v1/prompts"}); strings.TrimSpace(body) != `{"prompts":[]}` {
		t.Errorf("without an inventory: %s", body)
	}
}

func TestACallTellsItsCostAndWhatWasLost(t *testing.T) {
	j := modelCall(9, start, journey.Journey{Application: "web", Notes: []journey.Note{
		{Room: "translate", Text: "openai chat -> anthropic chat"},
		{Room: "translate", Text: "logit_bias was dropped"},
		{Room: "choose", Text: "something was dropped"},
	}}, 10, -1, 5, 1_000_000)
	w := newWorld(t, func(d *Deps) { d.Calls = &keptCalls{calls: []*journey.Journey{j}} })
	body, _ := w.do(request{as: "viewer", path: "/api/v1/calls/" + j.ID.String()})
	for _, want := range []string{`"cost_usd":0.001`, `"usage_source":"reported"`, `"translation":["logit_bias was dropped"]`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if body, _ := w.do(request{as: "viewer", path: "/api/v1/calls"}); !strings.Contains(body, `"cost_usd":0.001`) {
		t.Errorf("the list: %s", body)
	}
}
