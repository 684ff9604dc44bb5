package paste

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/ollama"
	"causeway/internal/llm/openai"
	"causeway/internal/logs"
)

func options() Options {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return Options{
		Now: now, Log: logs.NewRecogniser(now),
		Dialects: []llm.Dialect{gemini.New(), openai.New(), anthropic.New(), bedrock.New(), cohere.New(), ollama.New()},
	}
}

// pasted is one text of testdata/pasted.jsonl: where it comes from, and what must be said of it.
type pasted struct {
	Name, Source, Text string
	Kind               fault.Kind // of the first finding; "" for one that has none
	Who, Says          string     // in the name, and anywhere in the explanation
	Unknown            bool
}

func texts(t testing.TB) (list []pasted) {
	f, err := os.Open("testdata/pasted.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var p pasted
		if err := json.Unmarshal(s.Bytes(), &p); err != nil {
			t.Fatalf("%v: %s", err, s.Text())
		}
		list = append(list, p)
	}
	return list
}

func TestPastedTexts(t *testing.T) {
	list := texts(t)
	if len(list) < 90 {
		t.Errorf("only %d texts", len(list))
	}
	seen := map[string]bool{}
	o := options()
	for _, p := range list {
		if seen[p.Name] || p.Source == "" {
			t.Errorf("%q stands twice, or has no source", p.Name)
		}
		seen[p.Name] = true
		t.Run(p.Name, func(t *testing.T) {
			r := Read([]byte(p.Text), o)
			all := string(r.Text(nil, false))
			if p.Unknown {
				if len(r.Findings) != 0 || len(r.NotRecognised) == 0 || !strings.Contains(all, "not recognised") {
					t.Errorf("recognised:\n%s", all)
				}
				return
			}
			if len(r.Findings) == 0 {
				t.Fatalf("not recognised:\n%s", all)
			}
			f := r.Findings[0]
			if f.Kind != p.Kind || !strings.Contains(f.Who, p.Who) || !strings.Contains(all, p.Says) {
				t.Errorf("kind %q by %q, want %q by %q, saying %q:\n%s", f.Kind, f.Who, p.Kind, p.Who, p.Says, all)
			}
			if f.Title == "" || f.Meaning == "" || f.What == "" || len(f.Seen) == 0 || len(f.Advice)+len(f.Likely) == 0 || f.Retry == "" || f.Cause == "" {
				t.Errorf("it tells too little: %+v", f)
			}
		})
	}
}

// A code is known by itself, and within a sentence that is nobody's.
func TestCodesAlone(t *testing.T) {
	o := options()
	for _, c := range []struct {
		text string
		kind fault.Kind
		who  string
	}{
		{"insufficient_quota", fault.QuotaExhausted, "OpenAI"},
		{"'insufficient_quota'", fault.QuotaExhausted, "OpenAI"},
		{"our log says code=insufficient_quota again", fault.QuotaExhausted, "OpenAI"},
		{"overloaded_error", fault.Overloaded, "Anthropic"},
		{"RESOURCE_EXHAUSTED", fault.ProviderRateLimited, "Google"},
		{"rate_limit_exceeded", fault.ProviderRateLimited, "OpenAI"},
		{"context_length_exceeded", fault.ContextTooLong, "OpenAI"},
		{"UNAVAILABLE", fault.Overloaded, "Google"},
		{"INTERNAL", fault.ProviderError, "Google"},
		{"INTERNAL is a word of many", "", ""},
		{"ThrottlingException", fault.ProviderRateLimited, "AWS"},
		{"An error occurred (AccessDeniedException) when calling the InvokeModel operation", fault.ProviderKeyRejected, "AWS"},
		{"DeploymentNotFound", fault.ModelNotFound, "Azure"},
		{"openai.RateLimitError", fault.ProviderRateLimited, "OpenAI SDK"},
		{"raised openai.RateLimitError: insufficient_quota", fault.QuotaExhausted, "OpenAI"},
		{"raised openai.RateLimitError again", fault.ProviderRateLimited, "OpenAI SDK"},
		{"anthropic.OverloadedError", fault.Overloaded, "Anthropic SDK"},
		{"model_not_found", fault.ModelNotFound, "Causeway"}, // a kind as well
		{"OOMKilled", fault.ClosedBeforeResponse, "Kubernetes"},
		{"command terminated with exit code 137", fault.ClosedBeforeResponse, "system"},
		{"the child ended: signal 9", fault.ClosedBeforeResponse, "system"},
		{"exit code 1", "", ""},
		{"CrashLoopBackOff", fault.NoHealthyTarget, "Kubernetes"},
		{"curl 28", fault.FirstByteTimeout, "curl"},
		{"curl error 6", fault.DNSNotFound, "curl"},
		{"ConnectionRefusedError", fault.ConnectionRefused, ""},
		{"ENFILE", fault.GatewayFilesExhausted, ""},
		{"httpx.ConnectError", "", "httpx"},
		{"httpx.ConnectError: All connection attempts failed", "", "httpx"},
		{"httpx.ConnectError: [Errno 111] Connection refused", fault.ConnectionRefused, "httpx"},
		{"SSL: CERTIFICATE_VERIFY_FAILED", fault.TLSUnknownAuthority, ""},
		{"ssl.SSLCertVerificationError: certificate verify failed: certificate has expired (_ssl.c:1000)", fault.TLSCertificateExpired, ""},
		{"javax.net.ssl.SSLHandshakeException", "", "Java"},
	} {
		r := Read([]byte(c.text), o)
		if c.who == "" && c.kind == "" {
			if len(r.Findings) != 0 {
				t.Errorf("%s: %+v", c.text, r.Findings[0])
			}
			continue
		}
		if len(r.Findings) != 1 || r.Findings[0].Kind != c.kind || !strings.Contains(r.Findings[0].Who, c.who) {
			t.Errorf("%s: %s", c.text, r.Text(nil, false))
			continue
		}
		if f := r.Findings[0]; f.Title == "" || f.Meaning == "" || len(f.Advice)+len(f.Likely) == 0 || f.Retry == "" || f.Cause == "" {
			t.Errorf("%s: it tells too little: %+v", c.text, f)
		}
	}
	for word, c := range codes {
		if word != strings.ToLower(word) || c.kind != "" && fault.Lookup(c.kind) == nil {
			t.Errorf("%s can't be found, or has a kind that is none", word)
		}
		if f := Read([]byte(word), o).Findings; len(f) == 0 || len(f[0].Advice)+len(f[0].Likely) == 0 || f[0].Retry == "" || f[0].Title == "" {
			t.Errorf("%s alone tells too little: %+v", word, f)
		}
	}
}

// A line of a server's log is one thing, and not the error of a client as well whose words it has.
func TestALogsLineIsToldOnce(t *testing.T) {
	const line = `2026/11/23 10:00:00 [error] 12#12: *3 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 10.0.0.1, server: x, request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:8000/", host: "x"`
	r := Read([]byte(line), options())
	if len(r.Findings) != 1 || r.Findings[0].Kind != fault.FirstByteTimeout {
		t.Errorf("%s", r.Text(nil, false))
	}
	r = Read([]byte(line+"\ncurl: (52) Empty reply from server\n"), options())
	if len(r.Findings) != 2 || r.Findings[1].Kind != fault.ClosedBeforeResponse {
		t.Errorf("%s", r.Text(nil, false))
	}
}

// What is written as a secret is not written again.
func TestSecretsAreNotRepeated(t *testing.T) {
	o := options()
	for _, text := range []string{
		"httpx.ConnectError: [Errno 111] Connection refused api_key=canary-secret-value",
		`{"error":{"message":"Incorrect API key provided: sk-canary-secret-value.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`,
		"HTTP/1.1 502 Bad Gateway\nServer: nginx\nSet-Cookie: session=canary-secret-value\nProxy-Status: x; error=connection_refused; details=\"token: canary-secret-value\"\n\n",
		`2026/11/23 09:30:00 [error] 1#1: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.7, request: "GET /a?token=canary-secret-value HTTP/1.1", upstream: "http://10.0.0.5/a"`,
		"curl: (7) Failed to connect to http://user:canary-secret-value@10.0.0.5/ Connection refused",
	} {
		r := Read([]byte(text), o)
		b, err := json.Marshal(r)
		if err != nil || len(r.Findings) == 0 {
			t.Fatalf("%v %s", err, b)
		}
		if all := string(b) + string(r.Text(nil, false)); strings.Contains(all, "canary-secret-value") {
			t.Errorf("%s:\n%s", text, all)
		}
	}
}

// A text that is too long, or no text, costs little and is told.
func TestTextsOfStrangers(t *testing.T) {
	o := options()
	long := strings.Repeat("x", Most) + "\nConnection refused"
	if r := Read([]byte(long), o); len(r.Notes) == 0 || len(r.Findings) != 0 {
		t.Errorf("%+v", r.Notes)
	}
	if r := Read([]byte("\x00\xff\x1b[31mConnection refused\x07"), o); len(r.Findings) == 0 || strings.ContainsAny(string(r.Text(nil, false)), "\x00\x07\x1b") || !utf8.Valid(r.Text(nil, false)) {
		t.Errorf("%s", r.Text(nil, false))
	}
	if r := Read(nil, o); len(r.Findings) != 0 || len(r.Notes) == 0 {
		t.Errorf("%+v", r)
	}
	for _, evil := range []string{"{", "{'a':", "Proxy-Status: a;b, ", "HTTP/1.1 502 x\n", "<title>5", "[error] 1#1: ", "\\x", "'"} {
		Read([]byte(strings.Repeat(evil, 32<<10/len(evil))), o)
	}
}

func TestWhatIsToldOfOurOwnErrors(t *testing.T) {
	r := Read([]byte(`openai.InternalServerError: Error code: 502 - {'error': {'message': "it's gone", 'type': 'upstream_error', 'param': None, 'code': 'connection_refused', 'causeway': {'type': '/x', 'title': 'The upstream refused the connection', 'status': 502, 'detail': 'ai: 127.0.0.1:1 refused', 'kind': 'connection_refused', 'cause': 'software', 'call_id': '01KAPZQ4M8X3V7N2T5R9W6YB1C', 'retry': 'safe', 'retryable': True, 'evidence': ['ECONNREFUSED'], 'advice': ['Start it.']}}}`), options())
	f := r.Findings[0]
	if f.Kind != fault.ConnectionRefused || f.CallID != "01KAPZQ4M8X3V7N2T5R9W6YB1C" || f.Meaning != "ai: 127.0.0.1:1 refused" || len(f.Advice) != 1 || f.Retry != fault.Safe || f.Who != "a Causeway" {
		t.Errorf("%+v", f)
	}
	if text := string(r.Text(nil, false)); !strings.Contains(text, "causeway explain 01KAPZQ4M8X3V7N2T5R9W6YB1C") {
		t.Error(text)
	}
}

func FuzzRead(f *testing.F) {
	for _, p := range texts(f) {
		f.Add([]byte(p.Text))
	}
	o := options()
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 16<<10 {
			return
		}
		r := Read(text, o)
		for _, c := range string(r.Text(nil, false)) {
			if c < ' ' && c != '\n' {
				t.Fatalf("%q is not safe for a terminal", c)
			}
		}
	})
}
