package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/snapshot"
)

// badRig is a gateway with a provider of each dialect, none of which has a good word for anybody, and what
// they were asked.
type badRig struct {
	*rig
	calls atomic.Int64
	last  atomic.Value // the body of the last
}

const badConfig = `
version: 1
providers:
  openai: {kind: openai, base_url: "UP/v1", keys: [provider-key-0123], retries: {max: 0}}
  anthropic: {kind: anthropic, base_url: "UP", keys: [provider-key-0123], retries: {max: 0}}
  gemini: {kind: gemini, base_url: "UP", keys: [provider-key-0123], retries: {max: 0}}
  cohere: {kind: cohere, base_url: "UP", keys: [provider-key-0123], retries: {max: 0}}
  jina: {kind: jina, base_url: "UP", keys: [provider-key-0123], retries: {max: 0}}
prompts:
  sentiment: {model: openai/m, system: "Classify {{text}} {{n}}", variables: [{name: text, required: true}, {name: n, type: integer}]}
applications:
  web: {keys: [web-key-0123456789], subscribes: [models/*, prompts/*]}
`

// withAllDialects is for newRigWith: callers and providers may speak all there are.
func withAllDialects(d *snapshot.Deps) {
	d.Dialects, d.Speak = allDialects(), map[string]llm.Dialect{}
	for _, x := range allDialects() {
		d.Speak[x.Name()] = x
	}
}

func newBadRig(t testing.TB) *badRig {
	b := &badRig{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		b.last.Store(string(body))
		b.calls.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(up.Close)
	b.rig = newRigWith(t, strings.ReplaceAll(badConfig, "UP", up.URL), withAllDialects)
	return b
}

// badAddresses are where bodies are sent: the path, a provider of the caller's dialect, and others.
var badAddresses = map[string]struct {
	dialect, path, same string
	across              []string
}{
	"chat":   {"openai", "/v1/chat/completions", "openai", []string{"anthropic", "gemini", "cohere"}},
	"comp":   {"openai", "/v1/completions", "openai", []string{"anthropic"}},
	"resp":   {"openai", "/v1/responses", "openai", []string{"gemini", "anthropic"}},
	"emb":    {"openai", "/v1/embeddings", "openai", []string{"gemini", "cohere"}},
	"rerank": {"openai", "/v1/rerank", "jina", []string{"cohere"}},
	"msg":    {"anthropic", "/v1/messages", "anthropic", []string{"openai", "gemini"}},
	"mcount": {"anthropic", "/v1/messages/count_tokens", "anthropic", []string{"gemini", "openai"}}, // which counts nothing: the gateway does
	"gen":    {"gemini", "/v1beta/models/MODEL:generateContent", "gemini", []string{"anthropic", "openai"}},
	"gcount": {"gemini", "/v1beta/models/MODEL:countTokens", "gemini", []string{"anthropic", "openai"}},
	"gembed": {"gemini", "/v1beta/models/MODEL:embedContent", "gemini", []string{"openai"}},
	"gbatch": {"gemini", "/v1beta/models/MODEL:batchEmbedContents", "gemini", []string{"openai"}},
}

// send makes a call with a body as it stands.
func (b *badRig) send(t testing.TB, path string, body []byte, fields ...string) (status int, text string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer web-key-0123456789")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer), res.Header
}

// told is an error body of any of the three dialects, as its SDK reads it.
type told struct {
	kind, param, message, pointer string
}

// tellOf takes an error body apart; it fails where the body is not of the dialect.
func tellOf(t testing.TB, dialect string, status int, body string) (out told) {
	t.Helper()
	var e struct {
		Type      string
		RequestID string `json:"request_id"`
		Error     struct {
			Message string
			Type    string
			Param   *string
			Code    json.RawMessage
			Status  string
			Details []struct {
				Type            string `json:"@type"`
				FieldViolations []struct{ Field, Description string }
			}
			Causeway struct {
				Kind     string
				Evidence []string
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("the error is no JSON: %v in %s", err, body)
	}
	out = told{kind: e.Error.Causeway.Kind, message: e.Error.Message}
	switch dialect {
	case "openai":
		if e.Error.Type == "" || len(e.Error.Code) == 0 || !strings.Contains(body, `"param":`) {
			t.Errorf("no error of OpenAI's: %s", body)
		}
		if e.Error.Param != nil {
			out.param = *e.Error.Param
		}
	case "anthropic":
		if e.Type != "error" || e.RequestID == "" || e.Error.Type == "" {
			t.Errorf("no error of Anthropic's: %s", body)
		}
		if e.Error.Param != nil {
			out.param = *e.Error.Param
		}
	case "gemini":
		if string(e.Error.Code) != strconv.Itoa(status) || e.Error.Status == "" || len(e.Error.Details) == 0 {
			t.Errorf("no error of Google's: %s", body)
		}
		for _, d := range e.Error.Details {
			for _, v := range d.FieldViolations {
				out.param = v.Field
			}
		}
	}
	for _, line := range e.Error.Causeway.Evidence {
		if p, ok := strings.CutPrefix(line, "JSON pointer: "); ok {
			out.pointer = p
		}
	}
	return out
}

type badCase struct{ address, same, across, body string }

// badBodies reads testdata/badbodies.tsv.
func badBodies(t testing.TB) (list []badCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/badbodies.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			t.Fatalf("a line of %d columns: %s", len(f), line)
		}
		if f[3][0] == '"' {
			if f[3], err = strconv.Unquote(f[3]); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		list = append(list, badCase{f[0], f[1], f[2], f[3]})
	}
	return list
}

// TestMalformedBodies: each gets the error of its caller's dialect with the member at fault, and no provider is asked;
// but what only a provider of the same dialect can judge goes there byte for byte.
func TestMalformedBodies(t *testing.T) {
	b := newBadRig(t)
	for _, c := range badBodies(t) {
		at := badAddresses[c.address]
		for i, provider := range append([]string{at.same}, at.across...) {
			want := c.same
			if i > 0 {
				want = c.across
			}
			named := strings.NewReplacer("MODEL", provider+"/m")
			body := named.Replace(c.body)
			t.Run(c.address+" to "+provider+" "+strings.ToValidUTF8(body[:min(len(body), 120)], "?"), func(t *testing.T) {
				before := b.calls.Load()
				status, text, header := b.send(t, named.Replace(at.path), []byte(body))
				asked := b.calls.Load() - before
				if want == "-" {
					if sent := strings.NewReplacer("models/gemini/m", "models/m", "gemini/m", "models/m", provider+"/m", "m").Replace(body); asked != 1 || b.last.Load() != sent && !strings.Contains(body, "stream") {
						t.Errorf("the provider was asked %d times with %q, want %q", asked, b.last.Load(), sent)
					}
					return
				}
				if asked != 0 {
					t.Errorf("the provider was asked %d times", asked)
				}
				got := tellOf(t, at.dialect, status, text)
				if status != 400 || got.kind != "bad_request" || header.Get("Content-Type") != "application/json" || header.Get("x-should-retry") != "false" {
					t.Errorf("status %d, kind %s, %v", status, got.kind, header)
				}
				if !strings.Contains(got.message, want) {
					t.Errorf("the message is %q, want %q in it", got.message, want)
				}
				if pointer, _, _ := strings.Cut(want, " "); strings.HasPrefix(pointer, "/") {
					if param := strings.ReplaceAll(pointer[1:], "/", "."); got.param != param || got.pointer != pointer {
						t.Errorf("param %q and pointer %q, want %q", got.param, got.pointer, param)
					}
				} else if got.param != "" {
					t.Errorf("param %q, want none", got.param)
				}
			})
		}
	}
}

// TestBodiesThatAreNoJSONAtAll, and those that only just are.
func TestBodiesThatAreNoJSONAtAll(t *testing.T) {
	b := newBadRig(t)
	zipped := func(p []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(p)
		_ = w.Close()
		return out.Bytes()
	}
	good := []byte(`{"model":"openai/m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"input":"x","contents":[{"parts":[{"text":"x"}]}]}`)
	nest := func(n int) []byte {
		return []byte(`{"model":"openai/m","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	for _, c := range []struct {
		name   string
		body   []byte
		fields []string
		status int // 0: it passes
		says   string
	}{
		{"100,000 brackets", []byte(strings.Repeat("[", 100_000)), nil, 400, "it must be a JSON object, and it is something else"},
		{"100,000 objects", []byte(strings.Repeat(`{"a":`, 100_000)), nil, 400, "the text nests too deep"},
		{"100,000 brackets in a member", nest(100_000), nil, 400, "/x/0/0/0"},
		{"1,000 in a member", nest(1000), nil, 0, ""},
		{"UTF-16", []byte("\xff\xfe{\x00}\x00"), nil, 400, "UTF-16 or binary"},
		{"a byte order mark", append([]byte("\xef\xbb\xbf"), good...), nil, 400, "byte order mark"},
		{"HTML", []byte("<html><body>hi"), nil, 400, "it is HTML or XML"},
		{"a form", []byte("--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x--\r\n"), []string{"Content-Type", "multipart/form-data; boundary=x"}, 400, "a form (multipart/form-data)"},
		{"white space", []byte(" \r\n\t "), nil, 400, "it is empty"},
		{"zeros", make([]byte, 300), nil, 400, "UTF-16 or binary"},
		{"gzip that nobody speaks of", zipped(good), nil, 400, "compressed, and no Content-Encoding says so"},
		{"gzip of garbage", zipped([]byte("garbage")), []string{"Content-Encoding", "gzip"}, 400, "it is something else"},
		{"garbage in the place of gzip", []byte("garbage"), []string{"Content-Encoding", "gzip"}, 400, "Content-Encoding"},
		{"gzip that is cut", zipped(good)[:60], []string{"Content-Encoding", "gzip"}, 400, "it ends in the middle"},
		{"a coding that nobody knows", good, []string{"Content-Encoding", "rot13"}, 415, "gzip, deflate, br, zstd"},
		{"two codings", good, []string{"Content-Encoding", "gzip, br"}, 415, "gzip, deflate, br, zstd"},
		{"another content type", good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 0, ""},
		{"no content type", good, []string{"Content-Type", ""}, 0, ""},
		{"gzip", zipped(good), []string{"Content-Encoding", "gzip"}, 0, ""},
		{"a number of 5,000 digits", []byte(`{"model":"openai/m","seed":` + strings.Repeat("9", 5000) + `}`), nil, 0, ""},
	} {
		for _, address := range []string{"chat", "resp", "msg", "gen"} {
			at := badAddresses[address]
			t.Run(c.name+" to "+address, func(t *testing.T) {
				before := b.calls.Load()
				body := c.body
				for name, same := range map[string]string{"msg": "anthropic", "gen": "gemini"} {
					if address == name && c.status == 0 && len(c.fields) < 2 || address == name && c.status == 0 && c.fields[0] != "Content-Encoding" {
						body = bytes.ReplaceAll(body, []byte("openai/m"), []byte(same+"/m"))
					}
				}
				status, text, _ := b.send(t, strings.Replace(at.path, "MODEL", at.same+"/m", 1), body, c.fields...)
				if c.status == 0 {
					if b.calls.Load() != before+1 {
						t.Errorf("it does not pass: %d %s", status, text)
					}
					return
				}
				got := tellOf(t, at.dialect, status, text)
				if b.calls.Load() != before || status != c.status || got.kind != "bad_request" || !strings.Contains(got.message, c.says) {
					t.Errorf("status %d, kind %s: %s", status, got.kind, got.message)
				}
			})
		}
	}
}

// TestMalformedBodiesOfPrompts: a prompt is a REST API of its own, whose errors are problem documents.
func TestMalformedBodiesOfPrompts(t *testing.T) {
	b := newBadRig(t)
	for _, c := range []struct{ body, says string }{
		{``, `/text is missing`},
		{`{`, "JSON"},
		{`[]`, "JSON object"},
		{`{"text":7}`, "/text"},
		{`{}`, "/text"},
		{`{"text":"a","text":"b"}`, "stands twice"},
		{`{"text":"a","n":"x"}`, "/n"},
		{`{"text":"a","unknown":1}`, "unknown"},
		{"{\"text\":\"\xff\"}", "UTF-8"},
		{`{"text":"a"} x`, "JSON"},
		{`{"text":` + strings.Repeat("[", 5000), "deep"},
	} {
		before := b.calls.Load()
		status, text, header := b.send(t, "/prompts/sentiment", []byte(c.body))
		var p struct {
			Kind, Detail string
			Status       int
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil || status != 400 || p.Status != 400 || p.Kind != "bad_request" || header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q: %d %s", c.body, status, text)
		}
		if !strings.Contains(p.Detail, c.says) || b.calls.Load() != before {
			t.Errorf("%q: the detail is %q, want %q in it", c.body, p.Detail, c.says)
		}
	}
}

// FuzzBodies: whatever the body, the caller gets an error of its own dialect, and the gateway stays well.
func FuzzBodies(f *testing.F) {
	for _, c := range badBodies(f) {
		f.Add(c.address, c.body)
	}
	f.Add("chat", `{"model":"MODEL","messages":[{"role":"user","content":"x"}],"stream":true}`)
	b := newBadRig(f)
	f.Fuzz(func(t *testing.T, address, body string) {
		at, ok := badAddresses[address]
		if !ok {
			return
		}
		for _, provider := range append([]string{at.same}, at.across...) {
			named := strings.NewReplacer("MODEL", provider+"/m")
			status, text, _ := b.send(t, named.Replace(at.path), []byte(named.Replace(body)))
			if status == 200 && strings.HasSuffix(address, "count") {
				continue // counted by the gateway itself
			}
			got := tellOf(t, at.dialect, status, text)
			if got.kind == "" || got.kind == "gateway_bug" || got.message == "" {
				t.Errorf("%s to %s: %d %s", body, provider, status, text)
			}
			if b.gateway.InFlight() > 1 {
				t.Error("a call is left behind")
			}
		}
	})
}
