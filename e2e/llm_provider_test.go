package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A server that speaks OpenAI's dialect, reached through the configuration file. It keeps what it
// was sent, byte for byte, and fails as its model's name says.

// providerKey is what the gateway has for it. No caller may see it.
const providerKey = "sk-provider-own-9876543210zyxw"

// heard is one request as the provider got it.
type heard struct {
	Path   string
	Header http.Header
	Body   string
}

// modelProvider is the server.
type modelProvider struct {
	URL string

	mu   sync.Mutex
	list []heard
}

// startProvider answers by the model's name: "fail-NAME" with one of providerErrors, anything else
// with a completion that names the model.
func startProvider(t *testing.T) *modelProvider {
	t.Helper()
	p := &modelProvider{}
	s := httptest.NewServer(http.HandlerFunc(p.serve))
	p.URL = s.URL
	t.Cleanup(s.Close)
	return p
}

func (p *modelProvider) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.list = append(p.list, heard{r.URL.RequestURI(), r.Header.Clone(), string(body)})
	p.mu.Unlock()
	var q struct {
		Model         string `json:"model"`
		Stream        bool   `json:"stream"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	_ = json.Unmarshal(body, &q) // a body that is none gets an answer for no model
	if name, ok := strings.CutPrefix(q.Model, "fail-"); ok {
		e := providerErrors[name]
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("x-request-id", "req_of_the_provider")
		for i := 0; i+1 < len(e.header); i += 2 {
			w.Header().Set(e.header[i], e.header[i+1])
		}
		w.WriteHeader(e.status)
		_, _ = io.WriteString(w, e.body)
		return
	}
	if q.Stream {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, streamOf(q.Model, q.StreamOptions.IncludeUsage))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("openai-organization", "org-of-the-provider")
	_, _ = io.WriteString(w, answerOf(q.Model))
}

// answerOf and streamOf are the provider's bytes, with spaces and members of its own.
func answerOf(model string) string {
	return fmt.Sprintf(`{"id": "chatcmpl-1", "object":"chat.completion",  "model":%q, "x_vendor":[1.50,{}],`+
		`"choices":[{"index":0,"message":{"role":"assistant","content":"caf\u00e9"},"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}`+"\n", model)
}

func streamOf(model string, usage bool) string {
	null, last := "", ""
	if usage {
		null = `,"usage":null`
		last = fmt.Sprintf(`data: {"id":"c1","model":%q,"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}`+"\n\n", model)
	}
	return fmt.Sprintf("data: {\"id\":\"c1\", \"model\":%[1]q,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"caf\\u00e9\"},\"finish_reason\":null}]%[2]s}\n\n"+
		": a comment\n\n"+
		"data: {\"id\":\"c1\",\"model\":%[1]q,\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]%[2]s}\n\n"+
		"%[3]sdata: [DONE]\n\n", model, null, last)
}

// last is what the provider was sent last, and how many requests there were.
func (p *modelProvider) last(t *testing.T) heard {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) == 0 {
		t.Fatal("the provider was asked nothing")
	}
	return p.list[len(p.list)-1]
}

func (p *modelProvider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.list)
}

// models are the models it was asked for, and how often.
func (p *modelProvider) models() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := map[string]int{}
	for _, h := range p.list {
		var q struct{ Model string }
		_ = json.Unmarshal([]byte(h.Body), &q)
		m[q.Model]++
	}
	return m
}

const (
	webKey     = "web-key-of-a-caller-0123456789"
	limitedKey = "limited-key-0123456789abcdef"
)

// providerGateway has the provider under two names, so that a name's provider can be told.
func providerGateway(t *testing.T, alpha, beta, more string) *gateway {
	t.Helper()
	return serve(t, fmt.Sprintf(`
version: 1
%s
providers:
  alpha: {kind: openai-compatible, base_url: %q, keys: ["${PROVIDER_KEY}"], models: [only-alpha, shared], retries: {max: 0}}
  beta: {kind: openai-compatible, base_url: %q, keys: ["${PROVIDER_KEY}"], models: [only-beta, shared], retries: {max: 0}}
models:
  fast: {targets: [{model: alpha/gpt-real}]}
  spread: {targets: [{model: alpha/of-alpha, weight: 3}, {model: beta/of-beta, weight: 1}]}
applications:
  web: {keys: [%s], subscribes: [models/fast, models/spread, models/alpha/*, models/beta/*]}
  limited: {keys: [%s], subscribes: [models/fast, models/beta/only-beta]}
`, more, alpha+"/v1", beta+"/v1", webKey, limitedKey), withEnv("PROVIDER_KEY="+providerKey))
}

// The body goes on as it came, but for the model's name and, in a stream, the request for usage.
func TestBodyPassesAsItCame(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	g := providerGateway(t, p.URL, p.URL, "")
	c := client(t)
	const asked = `"stream_options":{"include_usage":true}`
	for _, r := range []struct {
		name, body, want string
		usage            bool // the caller asked for it
	}{
		{
			"odd but valid", "{ \"temperature\" : 1.0e0,\t\"messages\":[{\"role\":\"user\",\"content\":\"\\u0022model\\u0022: \\\"x\\\" \U0001F600\",\"model\":\"inner\"}],\n" +
				`"model"	:	"fast" ,"seed":12345678901234567890, "metadata":{"model":"fast","model":"again","stream":true},"stop":null ,"x":1E400}`,
			"{ \"temperature\" : 1.0e0,\t\"messages\":[{\"role\":\"user\",\"content\":\"\\u0022model\\u0022: \\\"x\\\" \U0001F600\",\"model\":\"inner\"}],\n" +
				`"model"	:	"gpt-real" ,"seed":12345678901234567890, "metadata":{"model":"fast","model":"again","stream":true},"stop":null ,"x":1E400}`, false,
		},
		{"an escaped name", `{"model":"f\u0061st","messages":[]}`, `{"model":"gpt-real","messages":[]}`, false},
		{"nothing to change", `{"messages":[] , "model":"alpha/gpt-real" }`, `{"messages":[] , "model":"gpt-real" }`, false},
		{"a stream", `{"stream":true, "model":"fast","messages":[]}`, `{"stream":true,` + asked + `, "model":"gpt-real","messages":[]}`, false},
		{"a stream that asks for usage", `{"stream":true,"stream_options":{"include_usage":true},"model":"fast"}`, `{"stream":true,"stream_options":{"include_usage":true},"model":"gpt-real"}`, true},
		{"a stream that wants no usage", `{"model":"fast","stream_options":{ "include_usage" : false },"stream":true}`, `{"model":"gpt-real","stream_options":{ "include_usage" : true },"stream":true}`, false},
		{"a stream with other options", `{"stream":true,"stream_options":{"include_obfuscation":false},"model":"fast"}`, `{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"model":"gpt-real"}`, false},
		{"a stream with empty options", `{"stream":true,"stream_options":{},"model":"fast"}`, `{"stream":true,"stream_options":{"include_usage":true},"model":"gpt-real"}`, false},
		{"a stream with null options", `{"stream":true,"stream_options":null,"model":"fast"}`, `{"stream":true,"stream_options":{"include_usage":true},"model":"gpt-real"}`, false},
	} {
		t.Run(r.name, func(t *testing.T) {
			a := g.chat(t, c, webKey, r.body)
			if a.status != 200 || a.err != nil {
				t.Fatalf("%s %v %s", a.line, a.err, clip(a.body))
			}
			h := p.last(t)
			want(t, "the provider's request", h.Body, r.want)
			want(t, "its path", h.Path, "/v1/chat/completions")
			want(t, "its length", h.Header.Get("Content-Length"), fmt.Sprint(len(r.want)))
			answer := answerOf("gpt-real")
			if strings.Contains(r.body, `"stream":true,`) || strings.HasSuffix(r.body, `"stream":true}`) {
				answer = streamOf("gpt-real", r.usage)
			}
			want(t, "the caller's answer", string(a.body), answer)
			rec := g.record(t, a.id)
			wantUsage(t, rec, 11, 7)
			want(t, "provider", rec.Provider, "alpha")
			want(t, "the provider's model", rec.TargetModel, "gpt-real")
		})
	}
}

// Large bodies, chunked bodies and bodies behind Expect take other ways through the gateway.
func TestBodiesOfEveryLength(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	g := providerGateway(t, p.URL, p.URL, "")
	c := client(t)
	for _, size := range []int{0, 1 << 10, 15 << 10, 17 << 10, 63 << 10, 66 << 10, 300 << 10, 5 << 20} {
		for _, how := range []string{"length", "chunked", "expect"} {
			body := `{"messages":"` + strings.Repeat("abcdefgh", size/8) + `","model":"fast","n":1}`
			var from io.Reader = strings.NewReader(body)
			header := keyed(webKey)
			switch how {
			case "chunked":
				from = io.MultiReader(from) // its length cannot be seen
			case "expect":
				header = append(header, "Expect", "100-continue")
			}
			a := fetch(t, c, "POST", g.URL+"/v1/chat/completions", from, header...)
			if a.status != 200 || string(a.body) != answerOf("gpt-real") {
				t.Fatalf("%d bytes by %s: %s %s", size, how, a.line, clip(a.body))
			}
			if got := p.last(t).Body; got != strings.Replace(body, `"fast"`, `"gpt-real"`, 1) {
				t.Errorf("%d bytes by %s: the provider got %d bytes: %s", size, how, len(got), clip([]byte(got)))
			}
		}
	}
}

// Neither side's key may reach the other, nor the log, nor a call's record.
func TestKeysStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	g := providerGateway(t, p.URL, p.URL, "")
	c := client(t)
	var ids []string
	for _, place := range [][]string{
		keyed(webKey),
		{"x-api-key", webKey},
		{"x-goog-api-key", webKey},
		{"api-key", "an-azure-key", "Authorization", "Bearer " + webKey},
		{"Authorization", "Bearer " + webKey, "x-api-key", webKey, "Cookie", "causeway_session=abc; a=b", "OpenAI-Organization", "org-callers"},
	} {
		a := fetch(t, c, "POST", g.URL+"/v1/chat/completions", strings.NewReader(chatBody("fast", "hello", false)), place...)
		want(t, "status", a.status, 200)
		ids = append(ids, a.id)
		h := p.last(t)
		want(t, "the provider's Authorization", strings.Join(h.Header.Values("Authorization"), "|"), "Bearer "+providerKey)
		for _, name := range []string{"X-Api-Key", "X-Goog-Api-Key", "Api-Key", "Cookie"} {
			want(t, name+" at the provider", h.Header.Get(name), "")
		}
		sent := fmt.Sprint(h)
		lacks(t, "the provider's request", sent, webKey)
		want(t, "the provider's OpenAI-Organization", h.Header.Get("OpenAI-Organization"), headerIn(place, "OpenAI-Organization"))
	}
	var said strings.Builder
	for _, name := range slices.Sorted(maps.Keys(providerErrors)) {
		for _, stream := range []bool{false, true} {
			a := g.chat(t, c, webKey, chatBody("alpha/fail-"+name, "hello", stream))
			ids = append(ids, a.id)
			fmt.Fprintf(&said, "%s %s\n%v\n%s\n", name, a.line, a.header, a.body)
			page := fetch(t, c, "GET", g.URL+"/.causeway/calls/"+a.id, nil, append(keyed(webKey), "Accept", "text/html")...)
			want(t, "the call's page", page.status, 200)
			said.Write(page.body)
		}
	}
	lacks(t, "what the caller is told", said.String(), providerKey, webKey)
	for _, id := range ids {
		g.record(t, id)
		_, record := g.get(t, "/api/v1/calls/"+id, "")
		_, explained := g.get(t, "/api/v1/calls/"+id+"/explanation", "text/plain")
		lacks(t, "the record", string(record)+string(explained), providerKey, webKey)
	}
	_, metrics := g.get(t, "/metrics", "")
	lacks(t, "the metrics", string(metrics), providerKey, webKey)
	lacks(t, "the log", g.out.all()+g.errs.all(), providerKey, webKey)
	contains(t, "the log", g.errs.all(), "call failed")
}

func headerIn(pairs []string, name string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1]
		}
	}
	return ""
}

func TestModelNames(t *testing.T) {
	t.Parallel()
	a, b := startProvider(t), startProvider(t)
	g := providerGateway(t, a.URL, b.URL, "")
	c := client(t)
	for _, r := range []struct {
		key, name, provider, model, recorded string
	}{
		{webKey, "fast", "alpha", "gpt-real", "fast"},
		{webKey, "alpha/gpt-4o", "alpha", "gpt-4o", "alpha/gpt-4o"},
		{webKey, "beta/meta-llama/llama-3.1:free", "beta", "meta-llama/llama-3.1:free", "beta/meta-llama/llama-3.1:free"},
		{webKey, "only-beta", "beta", "only-beta", "beta/only-beta"},
		{webKey, "beta/shared", "beta", "shared", "beta/shared"},
		{limitedKey, "fast", "alpha", "gpt-real", "fast"},
		{limitedKey, "only-beta", "beta", "only-beta", "beta/only-beta"},
	} {
		from := map[string]*modelProvider{"alpha": a, "beta": b}[r.provider]
		before := from.count()
		got := g.chat(t, c, r.key, chatBody(r.name, "hello", false))
		want(t, r.name+": status", got.status, 200)
		want(t, r.name+": calls at "+r.provider, from.count()-before, 1)
		rec := g.record(t, got.id)
		want(t, r.name+": provider", rec.Provider, r.provider)
		want(t, r.name+": the provider's model", rec.TargetModel, r.model)
		want(t, r.name+": model", rec.Model, r.recorded)
		var q struct{ Model string }
		decode(t, []byte(from.last(t).Body), &q)
		want(t, r.name+": the model that it was asked for", q.Model, r.model)
	}

	before := a.count() + b.count()
	for _, r := range []struct {
		key, name, kind string
		says            []string
	}{
		{webKey, "fats", "model_not_found", []string{`There is no model "fats"`, "fast"}},
		{webKey, "only-alpah", "model_not_found", []string{"Did you mean ", "alpha/only-alpha"}},
		{webKey, "gamma/gpt-4o", "model_not_found", []string{`No provider is named "gamma"`}},
		{webKey, "shared", "model_not_found", []string{"More than one provider", "alpha/shared or beta/shared"}},
		{webKey, "sandbox/echo", "not_subscribed", []string{"web", "sandbox/echo"}},
		{limitedKey, "alpha/gpt-real", "not_subscribed", []string{"limited", "alpha/gpt-real"}},
		{limitedKey, "spread", "not_subscribed", []string{"limited", "spread"}},
		{limitedKey, "only-alpha", "not_subscribed", []string{"limited", "alpha/only-alpha"}},
	} {
		got := g.chat(t, c, r.key, chatBody(r.name, "hello", false))
		e := modelError(t, got)
		want(t, r.name+": kind", e.Error.Causeway.Kind, r.kind)
		want(t, r.name+": status", got.status, map[string]int{"model_not_found": 404, "not_subscribed": 403}[r.kind])
		contains(t, r.name, e.Error.Message, r.says...)
	}
	want(t, "calls at the providers for refused names", a.count()+b.count(), before)

	for key, names := range map[string]string{
		webKey:     "alpha/only-alpha alpha/shared beta/only-beta beta/shared fast spread",
		limitedKey: "beta/only-beta fast",
	} {
		var list struct{ Data []struct{ ID string } }
		decode(t, fetch(t, c, "GET", g.URL+"/v1/models", nil, keyed(key)...).body, &list)
		var got []string
		for _, m := range list.Data {
			got = append(got, m.ID)
		}
		want(t, "models listed", strings.Join(got, " "), names)
	}
}

func TestModelWeights(t *testing.T) {
	t.Parallel()
	a, b := startProvider(t), startProvider(t)
	g := providerGateway(t, a.URL, b.URL, "")
	c := client(t)
	for range 12 {
		want(t, "status", g.chat(t, c, webKey, chatBody("spread", "hello", false)).status, 200)
	}
	want(t, "calls of alpha, weight 3", fmt.Sprint(a.models()), "map[of-alpha:9]")
	want(t, "calls of beta, weight 1", fmt.Sprint(b.models()), "map[of-beta:3]")
}

// A provider that cannot be reached costs its share of the calls an attempt, not an answer.
func TestModelGoesOnToTheNextProvider(t *testing.T) {
	t.Parallel()
	up := startProvider(t)
	g := serve(t, fmt.Sprintf(`
version: 1
providers:
  dead: {kind: openai-compatible, base_url: "http://%s/v1", keys: [dead-provider-key-0123], retries: {budget: 100%%}}
  live: {kind: openai-compatible, base_url: "%s/v1", keys: [live-provider-key-0123]}
models:
  pair: {targets: [{model: dead/a}, {model: live/b}]}
applications:
  web: {keys: [%s], subscribes: [models/pair]}
`, freePort(t), up.URL, webKey))
	c := client(t)
	attempts := map[int]int{}
	for range 8 {
		a := g.chat(t, c, webKey, chatBody("pair", "hello", false))
		if a.status != 200 {
			t.Fatalf("%s %s", a.line, a.body)
		}
		rec := g.record(t, a.id)
		attempts[len(rec.Attempts)]++
		want(t, "provider", rec.Provider, "live")
		want(t, "kind", rec.Kind, "")
		want(t, "the key that the live one got", up.last(t).Header.Get("Authorization"), "Bearer live-provider-key-0123")
	}
	// Every second call begins at the dead one, until three in a row have failed there: then it is left alone.
	want(t, "calls by their attempts", fmt.Sprint(attempts), "map[1:5 2:3]")
}

// Two readers of one body must not see two models.
func TestModelNameWrittenTwice(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	g := providerGateway(t, p.URL, p.URL, "")
	c := client(t)
	for _, body := range []string{
		`{"model":"fast","model":"alpha/other","messages":[]}`,
		`{"model":"fast","messages":[],"mod\u0065l":"other"}`,
		`{"mod\u0065l":"fast","messages":[]}`,
		`{"model":"fast","Model":"other"}`,
		`{"model":"fast","MODEL":"other"}`,
		`{"model":"fast","stream":true,"stream":false}`,
		`{"model":"fast","stream":true,"stream_options":{"include_usage":false,"include_usage":true}}`,
		`{"model":"fast"}{"model":"other"}`,
		`{"model":"fast",}`,
		`{"model":["fast"]}`,
		`{"model":"fast\ud800"}`,
		`["model","fast"]`,
		`{"model":""}`,
		`{"messages":[]}`,
		`not JSON`,
		``,
	} {
		a := g.chat(t, c, webKey, body)
		if a.status != 400 {
			if body == `{"model":"fast\ud800"}` && a.status == 404 {
				continue // a lone surrogate: no such model
			}
			t.Errorf("%s: %s %s", body, a.line, clip(a.body))
			continue
		}
		e := modelError(t, a)
		want(t, body+": kind", e.Error.Causeway.Kind, "bad_request")
		want(t, body+": retry", e.Error.Causeway.Retry, "no")
		lacks(t, "the log", g.errs.all(), "alpha/other")
	}
	want(t, "requests that reached the provider", p.count(), 0)
}

// A provider's base URL that leads back here must not go round for ever.
func TestProviderThatIsThisGateway(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	g := serve(t, fmt.Sprintf(`
version: 1
providers:
  self: {kind: openai-compatible, base_url: "http://%s/v1", keys: [%s]}
models:
  ring: {targets: [{model: self/ring}]}
applications:
  web: {keys: [%s], subscribes: [models/*, models/ring]}
`, addr, webKey, webKey), listenOn(addr))
	begun := time.Now()
	a := g.chat(t, client(t), webKey, chatBody("ring", "hello", false))
	if took := time.Since(begun); took > patience {
		t.Errorf("it took %v", took)
	}
	if a.status < 500 {
		t.Errorf("%s %s", a.line, clip(a.body))
	}
	rec := g.record(t, a.id)
	want(t, "kind", rec.Kind, "loop_detected")
	if n := len(g.calls(t, "model=ring")); n > 3 {
		t.Errorf("the call went round %d times", n)
	}
}

func TestAddressesOfModels(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	body := chatBody("fast", "hello", false)
	post := func(t *testing.T, g *gateway, path, host string) *answer {
		return fetch(t, client(t), "POST", g.URL+path, strings.NewReader(body), append(keyed(webKey), "Host", host)...)
	}
	t.Run("prefix", func(t *testing.T) {
		t.Parallel()
		g := providerGateway(t, p.URL, p.URL, "llm: {prefix: /ai}")
		want(t, "below the prefix", post(t, g, "/ai/v1/chat/completions", g.Addr).status, 200)
		a := post(t, g, "/v1/chat/completions", g.Addr)
		want(t, "without it", a.status, 404)
		contains(t, "what is said of it", modelError(t, a).Error.Message, "route_not_found", "/ai/v1/chat/completions", "base URL")
		a = fetch(t, client(t), "GET", g.URL+"/ai/v1/models", nil, keyed(webKey)...)
		want(t, "models below the prefix", a.status, 200)
		want(t, "the path that the provider saw", p.last(t).Path, "/v1/chat/completions")
	})
	t.Run("hosts", func(t *testing.T) {
		t.Parallel()
		g := providerGateway(t, p.URL, p.URL, "llm: {hosts: [llm.example.com]}")
		want(t, "on the host", post(t, g, "/v1/chat/completions", "llm.example.com").status, 200)
		want(t, "on the host, in capitals and with a port", post(t, g, "/v1/chat/completions", "LLM.example.com:8080").status, 200)
		a := post(t, g, "/v1/chat/completions", g.Addr)
		want(t, "elsewhere", a.status, 404)
		want(t, "its kind", a.problem(t).Kind, "route_not_found")
	})
	t.Run("nearly", func(t *testing.T) {
		t.Parallel()
		g := providerGateway(t, p.URL, p.URL, "")
		for _, path := range []string{"/chat/completions", "/v1/v1/chat/completions", "/v1/chat/completions/"} {
			a := post(t, g, path, g.Addr)
			want(t, path, a.status, 404)
			contains(t, path, modelError(t, a).Error.Message, "the model's address is /v1/chat/completions", "base URL http://HOST:PORT/v1")
		}
		a := fetch(t, client(t), "POST", g.URL+"/v1/vector_stores", strings.NewReader("{}"), keyed(webKey)...)
		want(t, "an address of later versions", a.status, 404)
		contains(t, "what is said of it", modelError(t, a).Error.Message, "This version", "POST /v1/chat/completions")
		want(t, "another address", fetch(t, client(t), "GET", g.URL+"/chat/completions", nil).problem(t).Kind, "route_not_found")
	})
	t.Run("method", func(t *testing.T) {
		t.Parallel()
		g := providerGateway(t, p.URL, p.URL, "")
		a := fetch(t, client(t), "GET", g.URL+"/v1/chat/completions", nil, keyed(webKey)...)
		want(t, "GET", a.status, 405)
		want(t, "Allow", a.header.Get("Allow"), "POST")
		want(t, "its kind", modelError(t, a).Error.Causeway.Kind, "method_not_allowed")
	})
}
