package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/price"
	"causeway/internal/snapshot"
)

// pricedAnswer costs 1000 x 2.5 + 1000 x 10 millionths of a dollar by the catalogue's price of gpt-4o.
const (
	pricedAnswer = `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":1000,"total_tokens":2000}}`
	answerCost   = 12_500_000 // billionths
)

// newMoneyRig serves a provider of kind openai that answers every call so, after a moment.
func newMoneyRig(t *testing.T, limits string, answer func(n int64) (status int, body string)) (r *rig, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status, body := answer(asked.Add(1))
		time.Sleep(2 * time.Millisecond) // a model takes its time, so that calls overlap
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(up.Close)
	prices, err := price.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
version: 1
providers:
  p: {kind: openai, base_url: "%s/v1", keys: [provider-key-0123], retries: {max: 0}}
applications:
  web: {keys: [web-key-0123456789], subscribes: [models/*], limits: %s}
  free: {keys: [free-key-0123456789], subscribes: [models/*]}
`, up.URL, limits)
	r = newRigWith(t, config, func(d *snapshot.Deps) { d.Prices = prices })
	return r, asked
}

func (r *rig) ask(t *testing.T, key, model string) (status int, body string, header http.Header) {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+"/v1/chat/completions", strings.NewReader(`{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`))
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, "", nil
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Header
}

func TestABudgetIsNotOverspentByCallsAtTheSameTime(t *testing.T) {
	r, asked := newMoneyRig(t, "{budget: {usd: 0.125, per: day}, wait: 20s}", func(int64) (int, string) { return 200, pricedAnswer })
	var good, refused atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			switch status, body, _ := r.ask(t, "web-key-0123456789", "p/gpt-4o"); {
			case status == 200:
				good.Add(1)
			case status == 429 && strings.Contains(body, "budget_spent"):
				refused.Add(1)
			default:
				t.Errorf("%d %s", status, body)
			}
		})
	}
	wg.Wait()
	if g := good.Load(); g < 10 || g > 11 || g+refused.Load() != 200 || asked.Load() != g {
		t.Errorf("%d good, %d refused, %d reached the provider", g, refused.Load(), asked.Load())
	}
	status, body, header := r.ask(t, "web-key-0123456789", "p/gpt-4o")
	if status != 429 || !strings.Contains(body, "The application web may use $0.125 per day, and $0.1") || header.Get("Retry-After") == "" || header.Get("X-Should-Retry") != "false" {
		t.Errorf("%d %s %v", status, body, header)
	}
	if status, _, _ := r.ask(t, "free-key-0123456789", "p/gpt-4o"); status != 200 {
		t.Errorf("an application without limits: %d", status)
	}
}

func TestACallsCostIsInItsRecord(t *testing.T) {
	r, _ := newMoneyRig(t, "{tokens: 1000000}", func(int64) (int, string) { return 200, pricedAnswer })
	if status, body, _ := r.ask(t, "web-key-0123456789", "p/gpt-4o"); status != 200 {
		t.Fatal(status, body)
	}
	if u := r.last(t, "/v1/chat/completions").Usage; !u.Priced || u.Cost != answerCost || u.Source != "reported" {
		t.Errorf("%+v", u)
	}
	if status, _, _ := r.ask(t, "web-key-0123456789", "p/own-model"); status != 200 {
		t.Errorf("without a budget a model needs no price: %d", status)
	}
}

func TestAFailedCallIsNotBilled(t *testing.T) {
	r, _ := newMoneyRig(t, "{budget: {usd: 0.013, per: month}, tokens: 2001, per: hour}", func(n int64) (int, string) {
		if n <= 5 {
			return 500, `{"error":{"message":"broken","type":"server_error"}}`
		}
		return 200, pricedAnswer
	})
	for range 5 {
		if status, body, _ := r.ask(t, "web-key-0123456789", "p/gpt-4o"); status != 500 {
			t.Fatal(status, body)
		}
	}
	if status, body, _ := r.ask(t, "web-key-0123456789", "p/gpt-4o"); status != 200 {
		t.Fatal(status, body)
	}
	status, body, _ := r.ask(t, "web-key-0123456789", "p/gpt-4o")
	if status != 429 || !strings.Contains(body, string(fault.TokensSpent)) {
		t.Errorf("%d %s", status, body)
	}
}

func TestABudgetNeedsAPrice(t *testing.T) {
	r, asked := newMoneyRig(t, "{budget: {usd: 1}}", func(int64) (int, string) { return 200, pricedAnswer })
	status, body, _ := r.ask(t, "web-key-0123456789", "p/own-model")
	if status != 403 || !strings.Contains(body, string(fault.PriceUnknown)) || !strings.Contains(body, `prices: {\"p/own-model\"`) || asked.Load() != 0 {
		t.Errorf("%d %s", status, body)
	}
}
