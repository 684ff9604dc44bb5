package gateway

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/openai"
	"causeway/internal/price"
	"causeway/internal/snapshot"
)

// recordedCall is a recorded exchange of testdata/media.jsonl.
type recordedCall struct {
	ID                string
	Request, Response recordedSide
}

type recordedSide struct {
	Method, URL, Type, Body string
	Status                  int
	BodyBase64              []byte `json:"body_base64"`
}

func (s *recordedSide) text() []byte {
	if s.BodyBase64 != nil {
		return s.BodyBase64
	}
	return []byte(s.Body)
}

func recordedCalls(t *testing.T) map[string]*recordedCall {
	t.Helper()
	f, err := os.Open("testdata/media.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]*recordedCall{}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			c := &recordedCall{}
			if err := json.Unmarshal(line, c); err != nil {
				t.Fatal(err)
			}
			all[c.ID] = c
		}
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// seen is a request as the provider got it.
type seen struct {
	method, uri, contentType string
	length                   int64
	header                   http.Header
	body                     []byte
}

// mediaRig is a gateway before a provider whose answers a test sets.
type mediaRig struct {
	*rig
	mu     sync.Mutex
	seen   []seen
	answer http.HandlerFunc
}

const mediaConfig = `
version: 1
providers:
  openai: {kind: openai, base_url: "UP/v1", keys: [provider-key-0123456789], retries: {max: 0}}
  azure: {kind: azure-openai, base_url: "UP", api_version: "2024-10-21", keys: [azure-key-0123456789], deployments: {whisper-1: hear}}
  claude: {kind: anthropic, base_url: "UP", keys: [claude-key-0123456789]}
  rank: {kind: cohere, base_url: "UP", keys: [cohere-key-0123456789]}
  jina: {kind: openai-compatible, base_url: "UP/v1", keys: [jina-key-0123456789]}
  voy: {kind: voyage, base_url: "UP/v1", keys: [voyage-key-0123456789]}
  theirs: {kind: openai, base_url: "UP/v1", keys: caller}
models:
  ears: {targets: [{model: openai/whisper-1-with-a-longer-name}]}
  either: {targets: [{model: theirs/gpt-4o}], fallback: [openai/gpt-4o]}
applications:
  web: {keys: [WEB], subscribes: [models/*]}
  app: {keys: [APP], subscribes: [models/*]}
  some: {keys: [SOME], subscribes: [models/ears, models/openai/gpt-5-nano]}
  none: {keys: [NONE], subscribes: [models/claude/*]}
  poor: {keys: [POOR], subscribes: [models/openai/*], limits: {budget: {usd: 0.0001, per: day}}}
`

func newMediaRig(t *testing.T) *mediaRig {
	t.Helper()
	r := &mediaRig{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.seen = append(r.seen, seen{q.Method, q.RequestURI, q.Header.Get("Content-Type"), q.ContentLength, q.Header, body})
		answer := r.answer
		r.mu.Unlock()
		answer(w, q)
	}))
	t.Cleanup(up.Close)
	prices, err := price.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	r.rig = newRigWith(t, strings.ReplaceAll(mediaConfig, "UP", up.URL), func(d *snapshot.Deps) {
		d.Dialects, d.Speak, d.Prices = allDialects(), map[string]llm.Dialect{}, prices
		d.Dialects = append([]llm.Dialect{openai.New()}, d.Dialects...)
		for _, x := range allDialects() {
			d.Speak[x.Name()] = x
		}
	})
	return r
}

// says makes the provider answer so.
func (r *mediaRig) says(status int, contentType, body string) {
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func (r *mediaRig) handle(f http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *mediaRig) last(t *testing.T) seen {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		t.Fatal("the provider was not asked")
	}
	return r.seen[len(r.seen)-1]
}

func (r *mediaRig) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

type mediaReply struct {
	status int
	body   string
	header http.Header
}

// do makes a call; fields are pairs of names and values.
func (r *mediaRig) do(t *testing.T, key, method, path, contentType string, body []byte, fields ...string) mediaReply {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		q.Body = nil
	}
	q.Header.Set("Authorization", "Bearer "+key)
	if contentType != "" {
		q.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(fields); i += 2 {
		q.Header.Set(fields[i], fields[i+1])
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return mediaReply{res.StatusCode, string(text), res.Header}
}

func (r *mediaRig) recordOf(t *testing.T, g mediaReply) *journey.Journey {
	t.Helper()
	return r.record(t, &answer{header: g.header})
}

func (g mediaReply) want(t *testing.T, status int, says ...string) {
	t.Helper()
	if g.status != status {
		t.Errorf("status %d, want %d: %.400s", g.status, status, g.body)
	}
	for _, s := range says {
		if !strings.Contains(g.body, s) {
			t.Errorf("%q is not in %.600s", s, g.body)
		}
	}
}

// multipartBody makes a form whose fields stand in order; one named "file" is a file.
func multipartBody(t *testing.T, fields ...string) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		var part io.Writer
		var err error
		if fields[i] == "file" {
			part, err = w.CreateFormFile("file", "sound.wav")
		} else {
			part, err = w.CreateFormField(fields[i])
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, fields[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func TestRecordedTranscriptionsPass(t *testing.T) {
	r := newMediaRig(t)
	calls := recordedCalls(t)
	for id, check := range map[string]func(*journey.Usage) bool{
		"openai-0286": func(u *journey.Usage) bool {
			return u.Input == 37 && u.Output == 144 && u.Extra != nil && u.Extra.AudioIn == 37
		},
		"openai-0287": func(u *journey.Usage) bool { return u.Extra != nil && u.Extra.Milliseconds == 4000 },
	} {
		c := calls[id]
		r.says(200, c.Response.Type, c.Response.Body)
		body := bytes.Replace(c.Request.text(), []byte("\r\n\r\ngpt-4o-"), []byte("\r\n\r\nopenai/gpt-4o-"), 1)
		body = bytes.Replace(body, []byte("\r\n\r\nwhisper"), []byte("\r\n\r\nopenai/whisper"), 1)
		if bytes.Equal(body, c.Request.text()) {
			t.Fatalf("%s names no model", id)
		}
		g := r.do(t, "WEB", "POST", "/v1/audio/transcriptions", c.Request.Type, body)
		g.want(t, 200)
		if g.body != c.Response.Body {
			t.Errorf("%s: the answer has changed: %s", id, g.body)
		}
		s := r.mediaLast(t, "/v1/audio/transcriptions")
		if !bytes.Equal(s.body, c.Request.text()) || s.contentType != c.Request.Type || s.length != int64(len(s.body)) {
			t.Errorf("%s: %d bytes of %s came, of %d declared", id, len(s.body), s.contentType, s.length)
		}
		if u := &r.recordOf(t, g).Usage; !check(u) || u.Source != "reported" {
			t.Errorf("%s: usage %+v %+v", id, u, u.Extra)
		}
	}
}

func (r *mediaRig) mediaLast(t *testing.T, uri string) seen {
	t.Helper()
	s := r.last(t)
	if s.uri != uri {
		t.Errorf("the provider was asked at %s, want %s", s.uri, uri)
	}
	return s
}

// The model's part may stand before a large file or behind it, and be written shorter or longer.
func TestTheModelOfALargeForm(t *testing.T) {
	r := newMediaRig(t)
	r.says(200, "text/plain; charset=utf-8", "Hello.\n")
	file := strings.Repeat("RIFF\x00\r\n--not the boundary\r\n\xff", 20<<20/28)
	for name, tc := range map[string]struct{ asked, sent string }{
		"a shorter name": {"openai/whisper-1", "whisper-1"},
		"a longer name":  {"ears", "whisper-1-with-a-longer-name"},
	} {
		for place, fields := range map[string][]string{
			"before the file": {"model", tc.asked, "language", "en", "file", file},
			"behind the file": {"file", file, "response_format", "text", "model", tc.asked},
		} {
			t.Run(name+" "+place, func(t *testing.T) {
				contentType, body := multipartBody(t, fields...)
				g := r.do(t, "WEB", "POST", "/v1/audio/translations", contentType, body)
				g.want(t, 200)
				if g.body != "Hello.\n" || g.header.Get("Content-Type") != "text/plain; charset=utf-8" {
					t.Errorf("the answer has changed: %q %v", g.body, g.header)
				}
				want := bytes.Replace(body, []byte("\r\n\r\n"+tc.asked+"\r\n"), []byte("\r\n\r\n"+tc.sent+"\r\n"), 1)
				s := r.mediaLast(t, "/v1/audio/translations")
				if !bytes.Equal(s.body, want) || s.length != int64(len(want)) {
					t.Errorf("%d bytes came, declared as %d, want %d", len(s.body), s.length, len(want))
				}
			})
		}
	}
}

func TestAFormsFaults(t *testing.T) {
	r := newMediaRig(t)
	r.says(200, "application/json", "{}")
	const head = "--b\r\nContent-Disposition: form-data; name="
	for name, tc := range map[string]struct{ body, says, param string }{
		"no model":                  {head + "\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n", "/model is missing", "model"},
		"two models":                {head + "model\r\n\r\nopenai/a\r\n" + head + "\"model\"\r\n\r\nopenai/b\r\n--b--", "stands twice", "model"},
		"an empty model":            {head + "model\r\n\r\n\r\n--b--", "is empty", "model"},
		"a model as a file":         {head + "model; filename=x\r\n\r\nopenai/a\r\n--b--", "not a file", "model"},
		"no end":                    {head + "model\r\n\r\nopenai/a\r\n", "last delimiter is missing", ""},
		"a bare line feed":          {head + "model\r\n\r\nopenai/a\n--b\nContent-Disposition: form-data; name=model\r\n\r\nx\r\n--b--", "does not stand behind CRLF", ""},
		"a delimiter with a tail":   {head + "model\r\n\r\nopenai/a\r\n--bc\r\n--b--", "begins as its delimiter does", ""},
		"a name in two ways":        {head + "model; name=user\r\n\r\nopenai/a\r\n--b--", "can be read in several ways", ""},
		"two dispositions":          {"--b\r\nContent-Disposition: form-data; name=user\r\nContent-Disposition: form-data; name=model\r\n\r\nopenai/a\r\n--b--", "two Content-Disposition", ""},
		"no header":                 {"--b\r\n\r\nopenai/a\r\n--b--", "no header", ""},
		"text":                      {"hello", "last delimiter is missing", ""},
		"a model of several lines":  {head + "model\r\n\r\nopenai/a\r\nb\r\n--b--", "must be one line", "model"},
		"nothing":                   {"", "last delimiter is missing", ""},
		"a model that is not there": {head + "model\r\n\r\nnowhere/a\r\n--b--", "There is no model", "model"},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.asked()
			g := r.do(t, "WEB", "POST", "/v1/audio/transcriptions", "multipart/form-data; boundary=b", []byte(tc.body))
			var e struct {
				Error struct{ Message, Param string }
			}
			if err := json.Unmarshal([]byte(g.body), &e); err != nil {
				t.Fatal(err, g.body)
			}
			if g.status < 400 || g.status > 404 || !strings.Contains(e.Error.Message, tc.says) || e.Error.Param != tc.param || r.asked() != before {
				t.Errorf("%d %s", g.status, g.body)
			}
		})
	}
	g := r.do(t, "WEB", "POST", "/v1/audio/transcriptions", "multipart/form-data", []byte("--b--"))
	g.want(t, 400, "names no boundary")
}

func TestSpeechIsPassedByteForByte(t *testing.T) {
	r := newMediaRig(t)
	c := recordedCalls(t)["openai-0285"]
	sound := c.Response.text()
	first := make(chan bool)
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "audio/mpeg")
		_, _ = w.Write(sound[:1000])
		_ = http.NewResponseController(w).Flush()
		<-first
		_, _ = w.Write(sound[1000:])
	})
	q, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+r.addr+"/v1/audio/speech", strings.NewReader(strings.Replace(c.Request.Body, `"gpt`, `"openai/gpt`, 1)))
	q.Header.Set("Authorization", "Bearer WEB")
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	begin := make([]byte, 1000)
	if _, err := io.ReadFull(res.Body, begin); err != nil { // while the rest is not made yet
		t.Fatal(err)
	}
	close(first)
	rest, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(append(begin, rest...), sound) || res.Header.Get("Content-Type") != "audio/mpeg" {
		t.Errorf("%v: %d bytes of %s", err, len(begin)+len(rest), res.Header.Get("Content-Type"))
	}
	if s := r.mediaLast(t, "/v1/audio/speech"); string(s.body) != c.Request.Body {
		t.Errorf("the provider got %s", s.body)
	}
}

func TestStreamsOfMedia(t *testing.T) {
	r := newMediaRig(t)
	events := func(list ...string) string {
		text := ""
		for _, e := range list {
			text += "data: " + e + "\n\n"
		}
		return text
	}
	const (
		delta = `{"type":"transcript.text.delta","delta":"Hel"}`
		done  = `{"type":"transcript.text.done","text":"Hello","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":45,"total_tokens":59}}`
		image = `{"type":"image_generation.completed","b64_json":"iVBO","usage":{"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}`
		sound = `{"type":"speech.audio.delta","audio":"AAA="}`
		ended = `{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}`
	)
	formType, form := multipartBody(t, "file", "x", "stream", "true", "model", "openai/gpt-4o-transcribe")
	jsonType := "application/json"
	for name, tc := range map[string]struct {
		path, contentType string
		body              []byte
		answer            string
		status            int
		whole             bool
		says              string
		input, output     int64
		source            string
	}{
		"a transcript":           {"/v1/audio/transcriptions", formType, form, events(delta, done), 200, true, "", 14, 45, "reported"},
		"a transcript that ends": {"/v1/audio/transcriptions", formType, form, events(delta), 200, false, "truncated_stream", -1, -1, "partial"},
		"speech":                 {"/v1/audio/speech", jsonType, []byte(`{"model":"openai/gpt-4o-mini-tts","input":"x","stream_format":"sse"}`), events(sound, ended), 200, true, "", 14, 101, "reported"},
		"an image":               {"/v1/images/generations", jsonType, []byte(`{"model":"openai/gpt-image-1","prompt":"x","stream":true}`), events(`{"type":"image_generation.partial_image","b64_json":"iV"}`, image), 200, true, "", 50, 50, "reported"},
		"an error in a stream":   {"/v1/images/edits", jsonType, []byte(`{"model":"openai/gpt-image-1","prompt":"x","stream":true}`), events(`{"type":"error","error":{"type":"image_generation_user_error","code":"moderation_blocked","message":"no"}}`), 400, false, "moderation_blocked", -1, -1, ""},
		"a stream not asked for": {"/v1/images/generations", jsonType, []byte(`{"model":"openai/gpt-image-1","prompt":"x"}`), events(image), 502, false, "incompatible_response", -1, -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r.says(200, "text/event-stream", tc.answer)
			g := r.do(t, "WEB", "POST", tc.path, tc.contentType, tc.body)
			if tc.whole && g.body != tc.answer {
				t.Errorf("the stream has changed: %s", g.body)
			}
			if name != "an error in a stream" {
				g.want(t, tc.status, tc.says)
			} else if g.status < 400 {
				t.Errorf("%d %s", g.status, g.body)
			}
			if u := &r.recordOf(t, g).Usage; u.Input != tc.input || u.Output != tc.output || u.Source != tc.source {
				t.Errorf("usage %+v", u)
			}
		})
	}
}

func TestImagesAndModerations(t *testing.T) {
	r := newMediaRig(t)
	r.says(200, "application/json", `{"created":1,"data":[{"url":"https://a"},{"url":"https://b"}]}`)
	g := r.do(t, "WEB", "POST", "/v1/images/generations", "application/json", []byte(`{"model":"openai/dall-e-2","prompt":"x","n":2}`))
	g.want(t, 200, "https://b")
	r.mediaLast(t, "/v1/images/generations")
	if u := &r.recordOf(t, g).Usage; u.Extra == nil || u.Extra.Images != 2 || u.Source != "reported" {
		t.Errorf("usage %+v", u)
	}
	r.says(200, "application/json", `{"created":1,"data":[{"b64_json":"iV"}],"usage":{"total_tokens":4160,"input_tokens":50,"output_tokens":4110,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}`)
	contentType, body := multipartBody(t, "file", "png", "prompt", "x", "model", "openai/gpt-image-1")
	g = r.do(t, "WEB", "POST", "/v1/images/edits", contentType, body)
	g.want(t, 200)
	if u := &r.recordOf(t, g).Usage; u.Input != 50 || u.Output != 4110 || u.Extra == nil || u.Extra.ImageIn != 40 || u.Extra.Images != 0 {
		t.Errorf("usage %+v %+v", u, u.Extra)
	}
	c := recordedCalls(t)["openai-0280"]
	r.says(200, c.Response.Type, c.Response.Body)
	g = r.do(t, "WEB", "POST", "/v1/moderations", "application/json", []byte(strings.Replace(c.Request.Body, `"omni`, `"openai/omni`, 1)))
	if g.want(t, 200); g.body != c.Response.Body || string(r.mediaLast(t, "/v1/moderations").body) != c.Request.Body {
		t.Errorf("moderation: %s", g.body)
	}
}

func TestAzuresDeploymentsOfMedia(t *testing.T) {
	r := newMediaRig(t)
	r.says(200, "application/json", `{"text":"hi"}`)
	contentType, body := multipartBody(t, "file", "x", "model", "azure/whisper-1")
	r.do(t, "WEB", "POST", "/v1/audio/transcriptions", contentType, body).want(t, 200)
	if s := r.mediaLast(t, "/openai/deployments/hear/audio/transcriptions?api-version=2024-10-21"); !bytes.Contains(s.body, []byte("\r\n\r\nhear\r\n")) {
		t.Errorf("the form: %s", s.body)
	}
	r.says(200, "application/json", `{"created":1,"data":[]}`)
	r.do(t, "WEB", "POST", "/v1/images/generations", "application/json", []byte(`{"model":"azure/dalle","prompt":"x"}`)).want(t, 200)
	r.mediaLast(t, "/openai/deployments/dalle/images/generations?api-version=2024-10-21")
}

func TestAProviderThatLacksIt(t *testing.T) {
	r := newMediaRig(t)
	r.says(500, "text/plain", "must not be asked")
	contentType, form := multipartBody(t, "file", "x", "model", "claude/claude-sonnet-4-5")
	for path, call := range map[string]struct {
		contentType string
		body        []byte
		what        string
	}{
		"/v1/images/generations":   {"application/json", []byte(`{"model":"claude/m","prompt":"x"}`), "images"},
		"/v1/audio/speech":         {"application/json", []byte(`{"model":"claude/m","input":"x"}`), "speech"},
		"/v1/audio/transcriptions": {contentType, form, "transcriptions"},
		"/v1/moderations":          {"application/json", []byte(`{"model":"claude/m","input":"x"}`), "moderations"},
		"/v1/rerank":               {"application/json", []byte(`{"model":"claude/m","query":"x","documents":["a"]}`), "rerank"},
	} {
		r.do(t, "WEB", "POST", path, call.contentType, call.body).want(t, 400, "unsupported_feature", "claude cannot be asked for "+call.what)
	}
	if r.asked() != 0 {
		t.Error("a provider was asked")
	}
}

func TestRerankOverEveryShape(t *testing.T) {
	r := newMediaRig(t)
	const (
		cohere = `{"id":"r1","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}`
		jina   = `{"model":"j","object":"list","usage":{"total_tokens":7,"prompt_tokens":7},"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}`
		voyage = `{"object":"list","data":[{"relevance_score":0.9,"index":1},{"relevance_score":0.1,"index":0}],"model":"v","usage":{"total_tokens":7}}`
	)
	for _, tc := range []struct {
		path, model, answer, uri, sent, says string
		same                                 bool
		searches, input                      int64
	}{
		{"/v2/rerank", "rank/rerank-v3.5", cohere, "/v2/rerank", `"model":"rerank-v3.5","query":"q","documents":["a","b"],"top_n":2`, "", true, 1, -1},
		{"/v1/rerank", "jina/j", jina, "/v1/rerank", `"model":"j","query":"q","documents":["a","b"],"top_n":2`, "", true, 0, 7},
		{"/v1/rerank", "rank/rerank-v3.5", cohere, "/v2/rerank", `"top_n":2`, `"index":1,"relevance_score":0.9,"document":{"text":"b"}`, false, 1, -1},
		{"/v2/rerank", "jina/j", jina, "/v1/rerank", `"return_documents":false`, `"results":[{"index":1,"relevance_score":0.9},`, false, 0, 7},
		{"/v1/rerank", "voy/v", voyage, "/v1/rerank", `"top_k":2`, `"results":[{"index":1,"relevance_score":0.9`, false, 0, 7},
	} {
		t.Run(tc.path+" "+tc.model, func(t *testing.T) {
			r.says(200, "application/json", tc.answer)
			g := r.do(t, "WEB", "POST", tc.path, "application/json", []byte(`{"model":"`+tc.model+`","query":"q","documents":["a","b"],"top_n":2}`))
			g.want(t, 200, tc.says)
			if tc.same && g.body != tc.answer {
				t.Errorf("the answer has changed: %s", g.body)
			}
			if s := r.mediaLast(t, tc.uri); !strings.Contains(string(s.body), tc.sent) {
				t.Errorf("sent %s, want %s", s.body, tc.sent)
			}
			u := r.recordOf(t, g).Usage
			searches := int64(0)
			if u.Extra != nil {
				searches = u.Extra.Searches
			}
			if searches != tc.searches || u.Input != tc.input || u.Source != "reported" {
				t.Errorf("usage %+v, %d searches", u, searches)
			}
		})
	}
	r.do(t, "WEB", "POST", "/v2/rerank", "application/json", []byte(`{"model":"jina/j","query":"q"}`)).want(t, 400, "/documents")
	r.says(200, "application/json", `{"error":{"message":"no","type":"invalid_request_error"}}`)
	if g := r.do(t, "WEB", "POST", "/v1/rerank", "application/json", []byte(`{"model":"jina/j","query":"q","documents":["a"]}`)); g.status < 400 {
		t.Errorf("an error in a 200 passed: %s", g.body)
	}
}

func TestKeysOfTheCallersOwn(t *testing.T) {
	r := newMediaRig(t)
	r.says(200, "application/json", completionBody)
	body := []byte(`{"model":"theirs/gpt-4o","messages":[]}`)
	r.do(t, "WEB", "POST", "/v1/chat/completions", "application/json", body).want(t, 401, "provider_key_missing", "x-provider-key")
	if r.asked() != 0 {
		t.Error("the provider was asked without a key")
	}
	const own = "sk-the-callers-own-0123456789"
	g := r.do(t, "WEB", "POST", "/v1/chat/completions", "application/json", body, "x-provider-key", own)
	g.want(t, 200)
	s := r.last(t)
	if s.header.Get("Authorization") != "Bearer "+own || s.header.Get("x-provider-key") != "" {
		t.Errorf("the provider got %v", s.header)
	}
	// Another provider never sees it.
	r.do(t, "WEB", "POST", "/v1/chat/completions", "application/json", []byte(`{"model":"openai/gpt-4o","messages":[]}`), "x-provider-key", own).want(t, 200)
	if s := r.last(t); strings.Contains(fmt.Sprint(s.header), own) {
		t.Errorf("the provider got %v", s.header)
	}
	// Without one the next target is asked.
	g = r.do(t, "WEB", "POST", "/v1/chat/completions", "application/json", []byte(`{"model":"either","messages":[]}`))
	g.want(t, 200)
	if j := r.recordOf(t, g); j.Provider != "openai" {
		t.Errorf("%s was asked", j.Provider)
	}
	// What the provider says of it goes to who sent it, and into no log.
	r.says(401, "application/json", `{"error":{"message":"Incorrect API key provided: `+own+`.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`)
	g = r.do(t, "WEB", "POST", "/v1/chat/completions", "application/json", body, "x-provider-key", own)
	g.want(t, 401, own)
	j := r.recordOf(t, g)
	if strings.Contains(fmt.Sprintf("%+v %+v", *j, j.Finding), own) || strings.Contains(r.log.String(), own) {
		t.Errorf("the key is logged: %+v %+v", *j, j.Finding)
	}
	if n := base64.StdEncoding.EncodeToString([]byte(own)); strings.Contains(r.log.String(), n) {
		t.Error("the key is logged")
	}
}
