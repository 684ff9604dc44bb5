package llm_test

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		header map[string]string
		want   time.Duration
	}{
		{"nothing", nil, 0},
		{"milliseconds", map[string]string{"retry-after-ms": "1500", "retry-after": "9"}, 1500 * time.Millisecond},
		{"milliseconds of zero leave it to the seconds (recorded azure-0043)", map[string]string{"retry-after-ms": "0", "retry-after": "1"}, time.Second},
		{"seconds", map[string]string{"retry-after": "7"}, 7 * time.Second},
		{"seconds with a fraction", map[string]string{"retry-after": "0.5"}, 500 * time.Millisecond},
		{"a date", map[string]string{"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30 * time.Second},
		{"a date past", map[string]string{"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0},
		{"nonsense", map[string]string{"retry-after": "soon", "retry-after-ms": "NaN"}, 0},
		{"never", map[string]string{"retry-after": "1e300"}, 0},
		{"negative", map[string]string{"retry-after": "-5"}, 0},
		{"requests spent", map[string]string{"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "1h"}, 6 * time.Minute},
		{"tokens spent", map[string]string{"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s"}, 7660 * time.Millisecond},
		{"both spent: the longer", map[string]string{"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2"}, 2 * time.Second},
		{"nothing spent", map[string]string{"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s"}, 0},
		{"OpenRouter's Unix milliseconds", map[string]string{"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795435230000"}, 30 * time.Second},
		{"Unix seconds", map[string]string{"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795435230"}, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := llm.RetryAfter(func(name string) string { return c.header[name] }, now); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestDescribeBody(t *testing.T) {
	for body, want := range map[string]string{
		"":      "an empty body",
		" \r\n": "an empty body",
		"<!DOCTYPE html><html><head><title>\n  Log in </title>": `an HTML page titled "Log in"`,
		"<HTML><body>x":                         "an HTML page",
		"<?xml version=\"1.0\"?><Error/>":       "an XML document",
		"upstream connect error":                "text that is not JSON",
		`{"a":}`:                                "invalid JSON at byte 5",
		`{"ok":true}`:                           "other JSON than expected",
		"data: {}\n\n":                          "an event stream that nobody asked for",
		"<html><title" + strings.Repeat("x", 9): "an HTML page",
	} {
		if got := llm.DescribeBody([]byte(body)); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
}

func TestIsEventStream(t *testing.T) {
	for contentType, want := range map[string]bool{
		"text/event-stream": true, "text/event-stream; charset=utf-8": true, "Text/Event-Stream;charset=UTF-8": true, " text/event-stream ": true,
		"application/json": false, "": false, "text/event-streams": false, "application/x-ndjson": false,
	} {
		if llm.IsEventStream(contentType) != want {
			t.Errorf("%q: %v", contentType, !want)
		}
	}
}

// passAll passes every event.
type passAll struct{}

func (passAll) Judge(*llm.StreamState, llm.Event) llm.Action { return llm.Pass }

func TestAnEventThatNeverEndsIsGivenUp(t *testing.T) {
	s := llm.NewStream(passAll{}, 1000)
	var out [][]byte
	fed := 0
	for ; !s.Stopped() && fed < 5000; fed += 100 {
		out = s.Feed([]byte(strings.Repeat("x", 100)), out)
	}
	if _, end := s.Finish(false, nil); len(out) != 0 || fed > 1200 || end.Kind != fault.MalformedStream || !strings.Contains(end.Problem, "longer than 1000 bytes") {
		t.Errorf("after %d bytes: %+v", fed, end)
	}
}

func TestALongAnswerThatBreaks(t *testing.T) {
	long := llm.NewLongAnswer("usage", nil)
	long.Feed([]byte(`{"data":[1,2`))
	if a, ok := long.Finish(true); ok || a.Kind != fault.IncompatibleResponse {
		t.Errorf("cut off, called whole: %+v", a)
	}
	if a, ok := long.Finish(false); !ok || a.Kind != "" {
		t.Errorf("cut off by its connection: %+v", a)
	}
}

func TestEvidence(t *testing.T) {
	e := llm.ProviderError{Status: 429, Type: "tokens", Code: "rate_limit_exceeded", Message: strings.Repeat("é", 400), RequestID: "req_1", RetryAfter: 2 * time.Second}
	text := strings.Join(e.Evidence(), "\n")
	for _, want := range []string{"status 429", `error.type "tokens"`, `error.code "rate_limit_exceeded"`, "req_1", "asks to wait 2s", `..."`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing from\n%s", want, text)
		}
	}
	if strings.ContainsRune(text, '\ufffd') {
		t.Error("a character was cut in two")
	}
	if lines := (&llm.ProviderError{}).Evidence(); len(lines) != 0 {
		t.Errorf("nothing was observed, told is %q", lines)
	}
}
