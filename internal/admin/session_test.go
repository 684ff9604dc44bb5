package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"causeway/internal/identity"
)

const signIn = "/api/v1/session"

func credentials(username, password string) string {
	b, _ := json.Marshal(map[string]string{"username": username, "password": password})
	return string(b)
}

func TestSession(t *testing.T) {
	run(t, []row{
		{
			name: "signing in", request: request{method: "POST", path: signIn, body: credentials("admin", adminPassword)}, status: 200,
			contains: []string{`"username":"admin"`, `"role":"admin"`, `"via":"session"`, `"csrf_token":"`, `"expires":"`},
			check: func(t *testing.T, _ *world, body string, r *http.Response) {
				c := r.Cookies()[0]
				if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/api/v1" || c.Domain != "" || c.Expires.IsZero() {
					t.Errorf("cookie %q", c)
				}
				if strings.Contains(body, c.Value) {
					t.Error("the session's token is in the body, where a script could read it")
				}
			},
		},
		{name: "a wrong password", request: request{method: "POST", path: signIn, body: credentials("admin", "guess")}, status: 401, contains: []string{"The user name or the password is wrong.", "CAUSEWAY_ADMIN_PASSWORD"}, answer: map[string]string{"Www-Authenticate": "Bearer"}, check: noCookie},
		{name: "an unknown account", request: request{method: "POST", path: signIn, body: credentials("nobody", "guess")}, status: 401, contains: []string{"The user name or the password is wrong."}, check: noCookie},
		{name: "no password", request: request{method: "POST", path: signIn, body: `{"username":"admin"}`}, status: 422, contains: []string{`{"in":"body","pointer":"#/password","detail":"is missing"}`}},
		{name: "an empty password", request: request{method: "POST", path: signIn, body: credentials("admin", "")}, status: 422, contains: []string{`"pointer":"#/password"`}},
		{name: "a number as name", request: request{method: "POST", path: signIn, body: `{"username":7,"password":"` + adminPassword + `"}`}, status: 422, contains: []string{`"pointer":"#/username"`, "expected string"}},
		{name: "a member too many", request: request{method: "POST", path: signIn, body: `{"username":"admin","password":"` + adminPassword + `","otp":"1"}`}, status: 422, contains: []string{`"pointer":"#/otp"`}},
		{name: "a member twice", request: request{method: "POST", path: signIn, body: `{"username":"admin","password":"x","password":"` + adminPassword + `"}`}, status: 400, contains: []string{`"pointer":"#"`, "duplicate"}},
		{name: "not JSON", request: request{method: "POST", path: signIn, body: `{"username":"admin","password":"` + adminPassword}, status: 400, contains: []string{`"in":"body"`, "The body is not valid JSON: "}, without: []string{"jsontext"}},
		{name: "not an object", request: request{method: "POST", path: signIn, body: `"` + adminPassword + `"`}, status: 422, contains: []string{`"in":"body"`, `"pointer":"#"`}},
		{name: "no body", request: request{method: "POST", path: signIn}, status: 400, contains: []string{"body is required"}},
		{name: "a form", request: request{method: "POST", path: signIn, body: "username=admin&password=" + adminPassword, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, status: 415, contains: []string{"Content-Type: application/json"}},
		{name: "a body too large", request: request{method: "POST", path: signIn, body: credentials("admin", strings.Repeat("x", 70_000))}, status: 413},
		{
			name: "the store fails", request: request{method: "POST", path: signIn, body: credentials("admin", adminPassword)}, status: 500,
			set: func(w *world) { w.store.Fail(errors.New("disk I/O error")) }, without: []string{"disk"},
		},
		{name: "who am I, with a session", request: request{as: "session", path: signIn}, status: 200, contains: []string{`"username":"admin"`, `"via":"session"`, `"csrf_token"`}},
		{name: "who am I, with a token", request: request{as: "viewer", path: signIn}, status: 200, contains: []string{`"username":"vic"`, `"role":"viewer"`, `"via":"token"`}, without: []string{"csrf_token", "expires"}},
		{
			name: "signing out", request: request{as: "session", method: "DELETE", path: signIn}, status: 204,
			answer: map[string]string{"Set-Cookie": "Max-Age=0"},
			check: func(t *testing.T, w *world, _ string, _ *http.Response) {
				if body, r := w.do(request{as: "session", path: signIn}); r.StatusCode != 401 {
					t.Errorf("after signing out: %d %s", r.StatusCode, body)
				}
			},
		},
		{
			name: "signing out with a token leaves the token", request: request{as: "token", method: "DELETE", path: signIn}, status: 204,
			check: func(t *testing.T, w *world, _ string, _ *http.Response) {
				if _, r := w.do(request{as: "token", path: signIn}); r.StatusCode != 200 {
					t.Errorf("the token is gone: %d", r.StatusCode)
				}
			},
		},
	})
}

func noCookie(t *testing.T, _ *world, _ string, r *http.Response) {
	if got := r.Header.Get("Set-Cookie"); got != "" {
		t.Errorf("a refused sign-in set %q", got)
	}
}

func TestWhoIsNotLetInIsToldHow(t *testing.T) {
	advice := []string{"http://127.0.0.1:8090/api/v1/session", "Authorization: Bearer cw_pat_"}
	with := func(name, value string) request {
		return request{path: "/api/v1/calls", header: map[string]string{name: value}}
	}
	challenge := map[string]string{"Www-Authenticate": `Bearer realm="causeway"`}
	run(t, []row{
		{name: "nobody", request: request{path: "/api/v1/calls"}, status: 401, contains: append(advice, "needs a session or a personal access token"), answer: challenge},
		{name: "nobody, writing", request: request{method: "POST", path: "/api/v1/tokens", body: `{"name":"x"}`}, status: 401, answer: challenge},
		{name: "nobody, with a body that is wrong as well", request: request{method: "POST", path: "/api/v1/tokens", body: `{`}, status: 401},
		{name: "a session that has ended", request: with("Cookie", "causeway_session=x"), status: 401, contains: append(advice, "The session has ended"), answer: challenge},
		{name: "an unknown token", request: with("Authorization", "Bearer cw_pat_abc"), status: 401, contains: append(advice, "unknown, expired or revoked"), answer: map[string]string{"Www-Authenticate": `error="invalid_token"`}, without: []string{"cw_pat_abc"}},
		{name: "an application's key", request: with("Authorization", "Bearer cw_abcdefgh"), status: 401, contains: []string{"key with which applications call the gateway"}, without: []string{"cw_abcdefgh"}},
		{name: "a password as Basic", request: with("Authorization", "Basic YWRtaW46cGFzcw=="), status: 401, contains: []string{"must be Bearer"}, without: []string{"YWRtaW46cGFzcw"}},
		{
			name: "a wrong token beside a good cookie", request: request{as: "session", path: "/api/v1/calls", header: map[string]string{"Authorization": "Bearer cw_pat_abc"}}, status: 401,
		},
		{
			name: "the store fails", request: request{as: "token", path: "/api/v1/calls"}, status: 500,
			set: func(w *world) { w.store.Fail(errors.New("disk I/O error")) }, without: []string{"disk"},
		},
	})

	w := newWorld(t)
	if _, r := w.do(request{path: "/api/v1/calls", header: map[string]string{"Authorization": "bearer " + w.viewerToken}}); r.StatusCode != 200 {
		t.Errorf("the scheme in lower case: %d", r.StatusCode)
	}
}

// Every way for a page of another origin to make a signed-in browser change something.
func TestAnotherOriginCannotWrite(t *testing.T) {
	cross := func(as string, header map[string]string) request {
		return request{as: as, method: "POST", path: "/api/v1/tokens", body: `{"name":"stolen"}`, header: header}
	}
	h := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, x := range []struct {
		name    string
		request request
		status  int
	}{
		{"another site", cross("session", h("Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")), 403},
		{"another port of this host", cross("session", h("Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:3000")), 403},
		{"an old browser, another site", cross("session", h("Origin", "https://evil.example")), 403},
		{"an old browser, another port", cross("session", h("Origin", "http://127.0.0.1:3000")), 403},
		{"a sandboxed frame", cross("session", h("Origin", "null")), 403},
		{"a lie in X-CSRF-Token", cross("session", h("Sec-Fetch-Site", "cross-site", "X-CSRF-Token", "x")), 403},
		{"signing in from another site", request{method: "POST", path: signIn, body: credentials("admin", adminPassword), header: h("Sec-Fetch-Site", "cross-site")}, 403},
		{"signing out from another site", request{as: "session", method: "DELETE", path: signIn, header: h("Sec-Fetch-Site", "cross-site")}, 403},

		{"the console's own page", cross("session", h("Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8090")), 201},
		{"the console's own page, an old browser", request{as: "session", method: "POST", path: "/api/v1/tokens", host: "localhost:8090", body: `{"name":"mine"}`, header: h("Origin", "http://localhost:8090")}, 201},
		{"a script with a cookie jar", cross("session", nil), 201},
		{"a script with a token", cross("token", h("Sec-Fetch-Site", "cross-site", "Origin", "https://tool.example")), 201},
		{"reading is no change", request{as: "session", path: "/api/v1/calls", header: h("Sec-Fetch-Site", "cross-site")}, 200},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			body, r := w.do(x.request)
			if r.StatusCode != x.status {
				t.Fatalf("status %d, want %d: %s", r.StatusCode, x.status, body)
			}
			if x.status == 403 {
				isProblem(t, body, r)
				noCookie(t, w, body, r)
				if tokens, err := w.people.Tokens(t.Context(), "admin", "", 10); err != nil || len(tokens) != 1 {
					t.Errorf("a token was made all the same: %v, %v", tokens, err)
				}
				if _, r := w.do(request{as: "session", path: signIn}); r.StatusCode != 200 {
					t.Error("the session was ended all the same")
				}
			}
		})
	}
	t.Run("behind a proxy that changes Host, the CSRF token counts", func(t *testing.T) {
		w := newWorld(t)
		body, _ := w.do(request{as: "session", path: signIn})
		var s Session
		if err := json.Unmarshal([]byte(body), &s); err != nil || s.CSRFToken == "" {
			t.Fatalf("%v: %s", err, body)
		}
		if body, r := w.do(cross("session", h("Origin", "https://console.example.com", "X-CSRF-Token", s.CSRFToken))); r.StatusCode != 201 {
			t.Errorf("status %d: %s", r.StatusCode, body)
		}
	})
}

func TestGuessingPasswordsIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	guess := func(name, password string) (string, *http.Response) {
		return w.do(request{method: "POST", path: signIn, body: credentials(name, password)})
	}
	statuses := map[int]int{}
	for n := range 40 {
		_, r := guess("admin", fmt.Sprint("guess ", n))
		statuses[r.StatusCode]++
	}
	if statuses[401] > 8 || statuses[429] < 30 || len(statuses) != 2 {
		t.Fatalf("statuses of 40 guesses: %v", statuses)
	}
	body, r := guess("admin", adminPassword)
	if r.StatusCode != 429 || r.Header.Get("Retry-After") == "" || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("the right guess among them: %d %v %s", r.StatusCode, r.Header, body)
	}
	isProblem(t, body, r)
	if _, r := guess("vic", "canary-password-of-vic"); r.StatusCode != 200 {
		t.Errorf("another account is locked out: %d", r.StatusCode)
	}
	if _, r := w.do(request{as: "session", path: signIn}); r.StatusCode != 200 {
		t.Errorf("who is signed in already is locked out: %d", r.StatusCode)
	}
	if log := w.log.String(); strings.Count(log, "sign-in failed") < 5 || !strings.Contains(log, "127.0.0.1") || strings.Contains(log, "guess 1") {
		t.Errorf("the log must tell of failed sign-ins, by address and without passwords: %s", log)
	}
}

func TestTokens(t *testing.T) {
	const path = "/api/v1/tokens"
	post := func(as, body string) request { return request{as: as, method: "POST", path: path, body: body} }
	run(t, []row{
		{
			name: "making one", request: post("session", `{"name":"nightly report","role":"viewer","expires":"2099-01-01T00:00:00Z"}`), status: 201,
			contains: []string{`"token":"cw_pat_`, `"name":"nightly report"`, `"role":"viewer"`, `"expires":"2099-01-01T00:00:00.000Z"`, `"hint":"cw_pat_`},
			check: func(t *testing.T, w *world, body string, _ *http.Response) {
				var made CreatedToken
				if err := json.Unmarshal([]byte(body), &made); err != nil {
					t.Fatal(err)
				}
				who, _ := w.do(request{path: signIn, header: map[string]string{"Authorization": "Bearer " + made.Secret}})
				if !strings.Contains(who, `"username":"admin"`) || !strings.Contains(who, `"role":"viewer"`) {
					t.Errorf("the token is %s", who)
				}
				list, _ := w.do(request{as: "session", path: path})
				if !strings.Contains(list, made.ID) || strings.Contains(list, made.Secret) || !strings.Contains(list, `"last_used"`) {
					t.Errorf("the list: %s", list)
				}
				if _, r := w.do(request{as: "viewer", method: "DELETE", path: path + "/" + made.ID}); r.StatusCode != 404 {
					t.Errorf("another account revoked it: %d", r.StatusCode)
				}
				if body, r := w.do(request{as: "session", method: "DELETE", path: path + "/" + made.ID}); r.StatusCode != 204 || body != "" {
					t.Errorf("revoking: %d %s", r.StatusCode, body)
				}
				if _, r := w.do(request{path: signIn, header: map[string]string{"Authorization": "Bearer " + made.Secret}}); r.StatusCode != 401 {
					t.Errorf("after revoking: %d", r.StatusCode)
				}
			},
		},
		{name: "one that is mine alone is listed", request: request{as: "viewer", path: path}, status: 200, contains: []string{`"name":"test"`, `"role":"viewer"`}, without: []string{`"role":"admin"`, "next_cursor"}},
		{name: "no name", request: post("session", `{}`), status: 422, contains: []string{`"pointer":"#/name"`, "is missing"}},
		{name: "a name of blanks", request: post("session", `{"name":" "}`), status: 422, contains: []string{`"pointer":"#/name"`}},
		{name: "a name twice", request: post("session", `{"name":"test"}`), status: 422, contains: []string{`"pointer":"#/name"`, "another of your tokens"}},
		{name: "an unknown role", request: post("session", `{"name":"x","role":"root"}`), status: 422, contains: []string{`"pointer":"#/role"`}},
		{name: "more than one's own role", request: post("viewer", `{"name":"x","role":"admin"}`), status: 422, contains: []string{`"pointer":"#/role"`}},
		{name: "a time that is over", request: post("session", `{"name":"x","expires":"2020-01-01T00:00:00Z"}`), status: 422, contains: []string{`"pointer":"#/expires"`}},
		{name: "not a time", request: post("session", `{"name":"x","expires":"tomorrow"}`), status: 422, contains: []string{`"pointer":"#/expires"`}},
		{name: "revoking none", request: request{as: "session", method: "DELETE", path: path + "/x"}, status: 404, contains: []string{"GET /api/v1/tokens"}},
		{
			name: "page by page", request: request{as: "viewer", path: path + "?limit=1"}, status: 200, contains: []string{`"next_cursor":"`},
			set: func(w *world) {
				if _, _, err := w.people.CreateToken(w.t.Context(), identity.Principal{Account: "vic", Role: identity.Viewer}, identity.NewToken{Name: "older"}); err != nil {
					w.t.Fatal(err)
				}
			},
			check: func(t *testing.T, w *world, body string, _ *http.Response) {
				var first TokenList
				if err := json.Unmarshal([]byte(body), &first); err != nil {
					t.Fatal(err)
				}
				rest, _ := w.do(request{as: "viewer", path: path + "?limit=1&cursor=" + first.NextCursor})
				var second TokenList
				if err := json.Unmarshal([]byte(rest), &second); err != nil {
					t.Fatal(err)
				}
				if len(first.Tokens) != 1 || len(second.Tokens) != 1 || first.Tokens[0].ID <= second.Tokens[0].ID || second.NextCursor != "" {
					t.Errorf("pages %s and %s", body, rest)
				}
			},
		},
		{name: "a cursor that is none", request: request{as: "viewer", path: path + "?cursor=x"}, status: 422, contains: []string{`"#/cursor"`}},
	})
}

// A browser over TLS: the cookie is Secure, is kept, is sent to the API alone and ends with the session.
func TestTheCookieInABrowser(t *testing.T) {
	w := newWorld(t)
	handler, err := New(w.deps)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		cookies = append(cookies, r.Method+" "+r.URL.Path+" "+fmt.Sprint(len(r.Cookies())))
		handler.ServeHTTP(rw, r)
	}))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	if client.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if c := ask("POST", signIn, credentials("admin", adminPassword)).Cookies()[0]; !c.Secure {
		t.Errorf("over TLS the cookie is %q", c)
	}
	ask("GET", "/", "")
	if r := ask("GET", "/api/v1/calls", ""); r.StatusCode != 200 {
		t.Errorf("with the cookie: %d", r.StatusCode)
	}
	ask("DELETE", signIn, "")
	if r := ask("GET", "/api/v1/calls", ""); r.StatusCode != 401 {
		t.Errorf("after signing out: %d", r.StatusCode)
	}
	want := "POST /api/v1/session 0, GET / 0, GET /api/v1/calls 1, DELETE /api/v1/session 1, GET /api/v1/calls 0"
	if got := strings.Join(cookies, ", "); got != want {
		t.Errorf("cookies sent: %s, want %s", got, want)
	}
}
