package sign

import (
	"bytes"
	"context"
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
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// googleScope is what Vertex AI asks for. Source: developers.google.com/identity/protocols/oauth2/scopes.
const googleScope = "https://www.googleapis.com/auth/cloud-platform"

const (
	googleGrant   = "urn:ietf:params:oauth:grant-type:jwt-bearer" // RFC 7523 section 2.1
	googleHour    = time.Hour                                     // the longest that an assertion and a token may last
	googleEarly   = 5 * time.Minute                               // before its end a token is replaced, while it still serves
	googleLate    = 15 * time.Second                              // before its end a token serves no more: the call has a way to go
	googleAgain   = 2 * time.Second                               // after a failure calls fail with it and nobody is asked
	googleTimeout = 10 * time.Second
	googleAnswer  = 64 << 10
)

// GoogleOptions is what a Google signer may be given; the zero value is right for Google's servers.
type GoogleOptions struct {
	// Client asks for tokens; nil is one with a limit of 10 s that follows no redirects.
	Client *http.Client
	// Scope is what the token is for; "" is cloud-platform.
	Scope string
}

// Google signs with the access tokens of a service account (RFC 7523: a JWT that the account's key signs is
// exchanged for one at its token_uri). A token is kept until shortly before its end and replaced by one request,
// however many calls there are. It is safe for concurrent use.
type Google struct {
	email   string
	project string
	keyID   string
	uri     string
	scope   string
	key     *rsa.PrivateKey
	client  *http.Client

	token  atomic.Pointer[googleToken]
	mu     sync.Mutex
	flight *googleFlight // the request under way, nil when there is none
	failed error         // why the last one failed
	again  time.Time     // when the next may be made
}

// googleToken is a token as the header line that carries it.
type googleToken struct {
	line []byte
	end  time.Time
}

type googleFlight struct {
	done chan struct{}
	err  error
}

var _ Signer = (*Google)(nil)

// NewGoogle reads a service account's key file, the JSON that the Cloud console gives. The error names the member at
// fault and holds nothing of the key.
func NewGoogle(file []byte, o GoogleOptions) (*Google, error) {
	var account struct {
		Type         string `json:"type"`
		ProjectID    string `json:"project_id"`
		PrivateKeyID string `json:"private_key_id"`
		PrivateKey   string `json:"private_key"`
		ClientEmail  string `json:"client_email"`
		TokenURI     string `json:"token_uri"`
	}
	if json.Unmarshal(file, &account) != nil { // its error may quote the file
		return nil, errors.New("the service account's key is not the JSON that the Cloud console gives")
	}
	switch {
	case account.Type != "service_account":
		return nil, fmt.Errorf("the key's type is %q, and only a service_account's can be used", account.Type)
	case account.ClientEmail == "":
		return nil, errors.New("the service account's key has no client_email")
	case account.PrivateKey == "":
		return nil, errors.New("the service account's key has no private_key")
	}
	if account.TokenURI == "" {
		account.TokenURI = "https://oauth2.googleapis.com/token"
	}
	u, err := url.Parse(account.TokenURI)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !loopback(u) {
		return nil, errors.New("the service account's token_uri is no https address")
	}
	key, err := rsaKey(account.PrivateKey)
	if err != nil {
		return nil, err
	}
	g := &Google{
		email: account.ClientEmail, project: account.ProjectID, keyID: account.PrivateKeyID, uri: account.TokenURI,
		scope: o.Scope, key: key, client: o.Client,
	}
	if g.scope == "" {
		g.scope = googleScope
	}
	if g.client == nil {
		g.client = &http.Client{
			Timeout:       googleTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return g, nil
}

// loopback tells whether an address is the host's own, where plain HTTP is no risk.
func loopback(u *url.URL) bool {
	host := u.Hostname()
	return u.Scheme == "http" && (host == "127.0.0.1" || host == "::1" || host == "localhost")
}

// rsaKey reads a key in PEM, in the form of PKCS #8 or of PKCS #1.
func rsaKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the service account's private_key is no PEM: its line ends may have been lost")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the service account's private_key can't be read as PKCS #8 or PKCS #1")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the service account's private_key is no RSA key")
	}
	return key, nil
}

// Email is the account's name, which is no secret.
func (g *Google) Email() string { return g.email }

// Project is the project of the account, "" when its key does not say.
func (g *Google) Project() string { return g.project }

// Append adds the line "Authorization: Bearer TOKEN". The first call, and one that comes when no token is good any more,
// waits for a token, at most 10 s. The error is a *TokenError, or says that the token endpoint was not reached.
func (g *Google) Append(dst []byte, r *Request) ([]byte, error) {
	t := g.token.Load()
	left := time.Duration(0)
	if t != nil {
		left = t.end.Sub(r.Now)
	}
	switch {
	case left > googleEarly:
	case left > googleLate:
		g.fetch(r.Now) // in the background: this call has its token
	default:
		if err := g.wait(r.Now); err != nil {
			return dst, err
		}
		t = g.token.Load()
	}
	return append(dst, t.line...), nil
}

// wait fetches a token, or waits for the one that is being fetched.
func (g *Google) wait(now time.Time) error {
	flight, err := g.fetch(now)
	if flight == nil {
		return err
	}
	<-flight.done
	return flight.err
}

// fetch begins a request for a token unless one is under way or has just failed. It returns the request, or why there is
// none.
func (g *Google) fetch(now time.Time) (*googleFlight, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flight != nil {
		return g.flight, nil
	}
	if t := g.token.Load(); t != nil && t.end.Sub(now) > googleEarly { // another call was faster
		return nil, nil
	}
	if g.failed != nil && now.Before(g.again) {
		return nil, g.failed
	}
	flight := &googleFlight{done: make(chan struct{})}
	g.flight = flight
	go func() {
		t, err := g.ask(now)
		g.mu.Lock()
		if err == nil {
			g.token.Store(t)
		}
		flight.err, g.failed, g.again, g.flight = err, err, now.Add(googleAgain), nil
		g.mu.Unlock()
		close(flight.done)
	}()
	return flight, nil
}

// ask exchanges an assertion for a token.
func (g *Google) ask(now time.Time) (*googleToken, error) {
	assertion, err := g.assertion(now)
	if err != nil {
		return nil, fmt.Errorf("signing as %s: %w", g.email, err)
	}
	form := url.Values{"grant_type": {googleGrant}, "assertion": {assertion}}
	ctx, cancel := context.WithTimeout(context.Background(), googleTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.uri, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("asking for a token of %s: %w", g.email, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := g.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking for a token of %s: %w", g.email, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, googleAnswer))
	if err != nil {
		return nil, fmt.Errorf("asking for a token of %s: %w", g.email, err)
	}
	return g.read(res.StatusCode, body, now)
}

// assertion is the JWT of RFC 7523 section 3, signed by RS256 (RFC 7518 section 3.3).
func (g *Google) assertion(now time.Time) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": g.keyID})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": g.email, "scope": g.scope, "aud": g.uri, "iat": now.Unix(), "exp": now.Add(googleHour).Unix(),
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, g.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// read reads the answer of the token endpoint (RFC 6749 section 5).
func (g *Google) read(status int, body []byte, now time.Time) (*googleToken, error) {
	var answer struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
		Error       string  `json:"error"`
		Description string  `json:"error_description"`
	}
	parsed := json.Unmarshal(body, &answer) == nil
	fault := &TokenError{Account: g.email, Status: status, Code: answer.Error, Description: answer.Description}
	switch {
	case !parsed:
		fault.Description = "the answer is no JSON"
		return nil, fault
	case status != http.StatusOK || answer.Error != "":
		return nil, fault
	case answer.AccessToken == "":
		fault.Description = "the answer has no access_token"
		return nil, fault
	case strings.ContainsFunc(answer.AccessToken, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		fault.Description = "the answer's access_token is none"
		return nil, fault
	}
	lasts := time.Duration(answer.ExpiresIn * float64(time.Second))
	if lasts <= 0 || lasts > googleHour {
		lasts = googleHour
	}
	line := bytes.Join([][]byte{[]byte("Authorization: Bearer "), []byte(answer.AccessToken), []byte("\r\n")}, nil)
	return &googleToken{line: line, end: now.Add(lasts)}, nil
}

// TokenError is a refusal of the token endpoint.
type TokenError struct {
	Account     string // the service account
	Status      int    // of the answer
	Code        string // RFC 6749 section 5.2, such as invalid_grant; "" when the answer has none
	Description string // as the endpoint words it, "" when it says nothing
}

func (e *TokenError) Error() string {
	text := fmt.Sprintf("no token for %s: the token endpoint answered %d", e.Account, e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Description != "" {
		text += ": " + strings.TrimRight(e.Description, ".")
	}
	if advice := e.Advice(); advice != "" {
		text += ". " + advice
	}
	return text
}

// Advice says what to do about it, "" when that is not known.
// Source: developers.google.com/identity/protocols/oauth2/service-account, "JWT error codes".
func (e *TokenError) Advice() string {
	has := func(part string) bool { return strings.Contains(strings.ToLower(e.Description), part) }
	switch {
	case has("short-lived token") || has("iat"):
		return "Set this host's clock right: the assertion's times are not accepted"
	case has("jwt signature"):
		return "The key was deleted, or is another account's: make a new one"
	case has("account not found") || has("account is disabled") || e.Code == "disabled_client" || e.Code == "deleted_client":
		return "The service account was deleted or disabled: use another"
	case e.Code == "unauthorized_client" || e.Code == "invalid_scope" || e.Code == "admin_policy_enforced":
		return "The account may not use this scope: ask whoever rules the organisation's policies"
	case e.Status >= 500 || e.Status == http.StatusTooManyRequests:
		return "Google's endpoint fails: it will be asked again"
	}
	return ""
}
