package sign

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tokens is a token endpoint that checks what it is sent as Google's does.
type tokens struct {
	t      *testing.T
	key    *rsa.PublicKey
	server *httptest.Server
	calls  atomic.Int32
	answer func(call int) (status int, body string) // nil gives tokens
	hold   chan struct{}                            // when not nil, answers wait until it is closed
}

func (e *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := int(e.calls.Add(1))
	if e.hold != nil {
		<-e.hold
	}
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		e.t.Errorf("%s %v, %v", r.Method, r.PostForm, err)
	}
	e.check(r.PostForm.Get("assertion"))
	status, body := 200, fmt.Sprintf(`{"access_token":"ya29.token-%d","expires_in":3599,"token_type":"Bearer"}`, call)
	if e.answer != nil {
		status, body = e.answer(call)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// check verifies an assertion.
func (e *tokens) check(assertion string) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		e.t.Errorf("the assertion has %d parts", len(parts))
		return
	}
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			e.t.Error(err)
		}
		return b
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(e.key, crypto.SHA256, sum[:], decode(parts[2])); err != nil {
		e.t.Errorf("signature: %v", err)
	}
	var header struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	if err := errors.Join(json.Unmarshal(decode(parts[0]), &header), json.Unmarshal(decode(parts[1]), &claims)); err != nil {
		e.t.Error(err)
	}
	if header.Alg != "RS256" || header.Typ != "JWT" || header.Kid != "key-1" {
		e.t.Errorf("header %+v", header)
	}
	if claims.Iss != "robot@my-project.iam.gserviceaccount.com" || claims.Scope != googleScope || claims.Aud != e.server.URL+"/token" || claims.Exp-claims.Iat != 3600 {
		e.t.Errorf("claims %+v", claims)
	}
}

// testKey is one key for all tests: making one is slow.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func account(uri string, change func(m map[string]string)) []byte {
	der, _ := x509.MarshalPKCS8PrivateKey(testKey())
	m := map[string]string{
		"type": "service_account", "project_id": "my-project", "private_key_id": "key-1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "robot@my-project.iam.gserviceaccount.com", "token_uri": uri,
	}
	if change != nil {
		change(m)
	}
	file, _ := json.Marshal(m)
	return file
}

func googleRig(t *testing.T) (*Google, *tokens) {
	t.Helper()
	e := &tokens{t: t, key: &testKey().PublicKey}
	e.server = httptest.NewServer(e)
	t.Cleanup(e.server.Close)
	g, err := NewGoogle(account(e.server.URL+"/token", nil), GoogleOptions{Client: e.server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return g, e
}

var googleNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func line(t *testing.T, g *Google, now time.Time) string {
	t.Helper()
	got, err := g.Append([]byte("X: y\r\n"), &Request{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(string(got), "X: y\r\n")
}

func TestGoogleTokenIsKeptAndReplacedBeforeItsEnd(t *testing.T) {
	g, e := googleRig(t)
	if g.Project() != "my-project" || g.Email() != "robot@my-project.iam.gserviceaccount.com" {
		t.Errorf("%s, %s", g.Project(), g.Email())
	}
	const first = "Authorization: Bearer ya29.token-1\r\n"
	for _, after := range []time.Duration{0, time.Minute, 54 * time.Minute} {
		if got := line(t, g, googleNow.Add(after)); got != first {
			t.Errorf("after %v: %q", after, got)
		}
	}
	if n := e.calls.Load(); n != 1 {
		t.Fatalf("%d requests for tokens", n)
	}
	// In its last minutes it serves while the next is fetched; the fetch can be waited for through another call.
	if got := line(t, g, googleNow.Add(56*time.Minute)); got != first {
		t.Errorf("in the last minutes: %q", got)
	}
	if got := line(t, g, googleNow.Add(2*time.Hour)); !strings.HasPrefix(got, "Authorization: Bearer ya29.token-") || got == first {
		t.Errorf("after its end: %q", got)
	}
	if n := e.calls.Load(); n < 2 || n > 3 {
		t.Errorf("%d requests for tokens", n)
	}
}

func TestGoogleTokenIsFetchedOnceForAll(t *testing.T) {
	g, e := googleRig(t)
	e.hold = make(chan struct{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := line(t, g, googleNow); got != "Authorization: Bearer ya29.token-1\r\n" {
				t.Errorf("%q", got)
			}
		})
	}
	close(e.hold)
	all.Wait()
	if n := e.calls.Load(); n != 1 {
		t.Errorf("%d requests for tokens", n)
	}
}

func TestGoogleTokenCostsNoAllocation(t *testing.T) {
	g, _ := googleRig(t)
	line(t, g, googleNow)
	dst := make([]byte, 0, 4096)
	r := &Request{Now: googleNow}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := g.Append(dst, r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestGoogleRefusalsAreExplained(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   []string
	}{
		{"a deleted key", 400, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`, []string{"400 invalid_grant: Invalid JWT Signature", "The key was deleted"}},
		{"a wrong clock", 400, `{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."}`, []string{"clock"}},
		{"a deleted account", 400, `{"error":"invalid_grant","error_description":"Invalid grant: account not found"}`, []string{"deleted or disabled"}},
		{"a scope", 401, `{"error":"unauthorized_client","error_description":"Client is unauthorized."}`, []string{"401 unauthorized_client", "scope"}},
		{"a failing endpoint", 503, `<html>`, []string{"503", "no JSON", "asked again"}},
		{"no token", 200, `{"expires_in":1}`, []string{"no access_token"}},
		{"a token that would split the header", 200, `{"access_token":"a\r\nX: y"}`, []string{"access_token is none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, e := googleRig(t)
			e.answer = func(int) (int, string) { return c.status, c.body }
			dst, err := g.Append([]byte("A"), &Request{Now: googleNow})
			var refused *TokenError
			if !errors.As(err, &refused) || refused.Status != c.status || string(dst) != "A" {
				t.Fatalf("%v, %q", err, dst)
			}
			for _, part := range append(c.want, "robot@my-project.iam.gserviceaccount.com") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// TestGoogleFailureIsNotRepeatedByEveryCall: an endpoint that refuses is asked again after a while and not by each call.
func TestGoogleFailureIsNotRepeatedByEveryCall(t *testing.T) {
	g, e := googleRig(t)
	e.answer = func(call int) (int, string) {
		if call == 1 {
			return 500, `{}`
		}
		return 200, `{"access_token":"ya29.later"}`
	}
	for range 5 {
		if _, err := g.Append(nil, &Request{Now: googleNow}); err == nil {
			t.Fatal("no error")
		}
	}
	if n := e.calls.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	if got := line(t, g, googleNow.Add(3*time.Second)); got != "Authorization: Bearer ya29.later\r\n" {
		t.Errorf("%q", got)
	}
}

func TestGoogleKeyFilesThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"no JSON":        {[]byte("-----BEGIN PRIVATE KEY-----"), "is not the JSON"},
		"a user's":       {account("", func(m map[string]string) { m["type"] = "authorized_user" }), `type is "authorized_user"`},
		"no e-mail":      {account("", func(m map[string]string) { delete(m, "client_email") }), "client_email"},
		"no key":         {account("", func(m map[string]string) { delete(m, "private_key") }), "no private_key"},
		"lost line ends": {account("", func(m map[string]string) { m["private_key"] = strings.ReplaceAll(m["private_key"], "\n", " ") }), "line ends"},
		"half a key": {account("", func(m map[string]string) {
			m["private_key"] = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
		}), "PKCS #8"},
		"a plain token_uri": {account("http://example.com/token", nil), "token_uri"},
		"a secret in a URL": {account("https://user:pass@example.com/token", nil), "token_uri"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewGoogle(c.file, GoogleOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "BEGIN") || strings.Contains(err.Error(), "pass") {
				t.Errorf("%v", err)
			}
		})
	}
	if g, err := NewGoogle(account("", nil), GoogleOptions{}); err != nil || g.uri != "https://oauth2.googleapis.com/token" {
		t.Errorf("without token_uri: %v", err)
	}
	if _, err := NewGoogle(account("", func(m map[string]string) {
		m["private_key"] = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())}))
	}), GoogleOptions{}); err != nil {
		t.Errorf("PKCS #1: %v", err)
	}
}
