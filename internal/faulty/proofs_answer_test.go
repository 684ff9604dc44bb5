package faulty

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// answers: net/http reads that status and body, twice on one connection where there is one.
func answers(status int, body string, header ...string) proof {
	return func(t *testing.T, u *Upstream) {
		before := u.Counts()
		c := client(t, u)
		for range 2 {
			answered(t, u, c, status, body, header...)
		}
		if n := u.Counts().Accepted - before.Accepted; n > 1 && u.Resolver == "" {
			t.Errorf("two answers took %d connections", n)
		}
	}
}

// answersOnce: as answers, but the connection is closed behind it.
func answersOnce(status int, body string, header ...string) proof {
	return func(t *testing.T, u *Upstream) {
		answered(t, u, client(t, u), status, body, header...)
		await(t, u, func(c Counts) bool { return c.Open == 0 })
	}
}

func answered(t *testing.T, u *Upstream, c *http.Client, status int, body string, header ...string) {
	t.Helper()
	res, got, err := fetch(t, c, get(t, u))
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != status || !strings.Contains(got, body) {
		t.Errorf("got %d %q, want %d %q", res.StatusCode, clip(got), status, body)
	}
	if f, _ := Find(u.Name); f.Status != 0 && f.Status != status && f.Status != http.StatusExpectationFailed {
		t.Errorf("the list says %d, it answers %d", f.Status, status)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if res.Header.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, res.Header.Get(name), value)
		}
	}
}

// refuses: a chat call gets an error object of that type and code.
func refuses(status int, typ, code string) proof {
	return func(t *testing.T, u *Upstream) {
		res, body, err := fetch(t, client(t, u), chat(t, u, `{"model":"gpt-test","messages":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Error struct {
				Message, Type string
				Code          *string
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%v in %q", err, body)
		}
		if got.Error.Code == nil {
			got.Error.Code = new(string)
		}
		if res.StatusCode != status || got.Error.Type != typ || *got.Error.Code != code || got.Error.Message == "" {
			t.Errorf("got %d %q, want %d, type %q, code %q", res.StatusCode, body, status, typ, code)
		}
		if res.Header.Get("Content-Type") != "application/json" || res.Header.Get("X-Request-Id") == "" {
			t.Errorf("header %v", res.Header)
		}
	}
}

func chat(t *testing.T, u *Upstream, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base(u)+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return req
}

func emptyAnswer(t *testing.T, u *Upstream) {
	res, body, err := fetch(t, client(t, u), get(t, u))
	if err != nil || body != "" || res.StatusCode != 200 || res.ContentLength != 0 {
		t.Errorf("got %v %q %v", res, body, err)
	}
}

func notJSON(t *testing.T, u *Upstream) {
	_, body, err := fetch(t, client(t, u), get(t, u))
	if err != nil || json.Valid([]byte(body)) || !strings.HasPrefix(body, `{"id":`) {
		t.Errorf("got %q %v, want the beginning of a completion", body, err)
	}
}

// stream: that many tokens come, the first with the role, then want is the last, and [DONE] comes
// only where want says so.
func stream(count int, want string, end ending) proof {
	return func(t *testing.T, u *Upstream) {
		got := talk(t, u, postX, want, end)
		if !strings.Contains(got, "\r\nContent-Type: text/event-stream; charset=utf-8\r\n") {
			t.Errorf("the head is %q", clip(got))
		}
		if n := strings.Count(got, `"content":`); n != count {
			t.Errorf("%d tokens, want %d", n, count)
		}
		if n := strings.Count(got, `"role":"assistant"`); n != min(1, count) {
			t.Errorf("the role came %d times", n)
		}
		if !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want it to end with %q", clip(got), want)
		}
		if done := strings.Contains(got, "[DONE]"); done != strings.Contains(want, "[DONE]") && u.Name != "stream_malformed" {
			t.Errorf("[DONE] came: %v", done)
		}
	}
}

func streamHas(want string) proof {
	return func(t *testing.T, u *Upstream) {
		if got := talk(t, u, postX, want, endFIN); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", clip(got), want)
		}
	}
}
