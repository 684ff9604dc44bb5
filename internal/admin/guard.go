package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"causeway/internal/identity"
)

// challenge is what every 401 carries (RFC 9110 section 11.6.1).
const challenge = `Bearer realm="causeway"`

// csrfHeader carries the CSRF token of a session where Origin cannot prove the same.
const csrfHeader = "X-CSRF-Token"

// guard lets a request through to its handler when it comes from one who may, and from a page that
// may. It runs before the body is read.
func (a *api) guard(need access) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		v := visitOf(r.Context())
		v.route = ctx.Operation().Method + " " + ctx.Operation().Path
		if p := a.admit(r, v, need); p != nil {
			writeProblem(w, p)
			return
		}
		next(ctx)
	}
}

// admit finds out who asks and returns what is in the way, nil when nothing is.
func (a *api) admit(r *http.Request, v *visit, need access) *Problem {
	if need != public {
		who, err := a.who(r.Context(), v)
		if errors.Is(err, identity.ErrNotSignedIn) {
			return a.unauthorized(v)
		}
		if err != nil {
			return a.problem(r.Context(), err)
		}
		v.who = who
	}
	// A browser adds the cookie to requests of any page, and signing somebody in unasked is an
	// attack as well. Tokens and the socket cannot be used by a page without its knowing them.
	if v.who.Via == identity.ViaSession || need == public && !v.trusted {
		if err := a.origin.Check(r); err != nil && !v.who.CSRFValid(r.Header.Get(csrfHeader)) {
			return &Problem{
				Status: http.StatusForbidden,
				Detail: "This request was made by a page of another origin than the console's.",
				Advice: []string{
					"Behind a reverse proxy that changes Host, send the csrf_token of GET /api/v1/session as " + csrfHeader + ".",
					"Scripts use a personal access token as Authorization: Bearer instead of the cookie.",
				},
			}
		}
	}
	if need == admin && !v.who.Role.Allows(identity.Admin) {
		return &Problem{
			Status: http.StatusForbidden,
			Detail: "This needs the role admin; " + v.who.Account + " asks as " + string(v.who.Role) + ".",
		}
	}
	return nil
}

// who asks: the socket is trusted, then the Authorization field counts, then the cookie. A token
// that is wrong is not made up for by a cookie.
func (a *api) who(ctx context.Context, v *visit) (identity.Principal, error) {
	switch {
	case v.trusted:
		return identity.Local(), nil
	case v.bearer != "":
		scheme, token, _ := strings.Cut(v.bearer, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return identity.Principal{}, identity.ErrNotSignedIn
		}
		return a.Accounts.Token(ctx, strings.TrimSpace(token))
	case v.session != "":
		return a.Accounts.Session(ctx, v.session)
	default:
		return identity.Principal{}, identity.ErrNotSignedIn
	}
}

// unauthorized says what was wrong with the proof, and how to give a good one.
func (a *api) unauthorized(v *visit) *Problem {
	ask := challenge
	p := &Problem{Status: http.StatusUnauthorized}
	scheme, token, _ := strings.Cut(v.bearer, " ")
	switch {
	case v.bearer == "" && v.session == "":
		p.Detail = "This needs a session or a personal access token."
	case v.bearer == "":
		p.Detail = "The session has ended or was never begun."
	case !strings.EqualFold(scheme, "Bearer"):
		p.Detail = "Authorization must be Bearer and a personal access token."
	case strings.HasPrefix(token, identity.CallerKeyPrefix) && !strings.HasPrefix(token, identity.TokenPrefix):
		ask += `, error="invalid_token"`
		p.Detail = "This is a key with which applications call the gateway; the admin API takes personal access tokens, which begin with " + identity.TokenPrefix + "."
	default:
		ask += `, error="invalid_token"`
		p.Detail = "The personal access token is unknown, expired or revoked."
	}
	p.Advice = []string{
		`Sign in: curl -c cookies.txt -H 'Content-Type: application/json' -d '{"username": "admin", "password": "..."}' ` + a.Info.ConsoleURL + `/api/v1/session, then send the cookie: curl -b cookies.txt ...`,
		"Scripts: make a token with POST /api/v1/tokens and send it as Authorization: Bearer " + identity.TokenPrefix + "...",
	}
	p.headers = http.Header{"Www-Authenticate": {ask}}
	return p
}
