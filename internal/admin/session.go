package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"causeway/internal/identity"
)

// sessionCookie is the name of the cookie that holds a session's token. Cookies do not tell ports
// apart, so the gateway, on the same host, must not pass it on.
const sessionCookie = "causeway_session"

// SessionCookie is the name of the session's cookie. Browsers send it to the gateway as well when
// both are on one host, because cookies do not tell ports apart: it must not reach upstreams.
const SessionCookie = sessionCookie

const (
	docSignIn = `Checks a user name and password and begins a session: the answer sets the cookie ` + "`causeway_session`" + ` (HttpOnly, SameSite=Strict, Secure over TLS).
Refused when a page of another origin sends it. After five wrong passwords for an account from one address, each further one makes the next wait twice as long, up to 15 minutes.`
	docSession = `Who asks, how that was proved, and until when the proof holds.`
	docSignOut = `Ends the session and removes the cookie. It does nothing to a personal access token.`
)

type signInInput struct {
	Body struct {
		Username string `json:"username" minLength:"1" maxLength:"64" example:"admin" doc:"The account's name."`
		Password string `json:"password" minLength:"1" maxLength:"1024" format:"password" doc:"Its password."`
	} `nameHint:"Credentials"`
}

// Session is who asks.
type Session struct {
	Username  string `json:"username" example:"admin" doc:"The account's name."`
	Role      string `json:"role" enum:"viewer,admin" example:"admin" doc:"admin may do everything, viewer may look."`
	Via       string `json:"via" enum:"session,token,socket" example:"session" doc:"How it was proved: by the session cookie, a personal access token, or the socket in the data folder."`
	Expires   string `json:"expires,omitempty" format:"date-time" example:"2026-11-30T04:05:06.789Z" doc:"When the session or token ends. Missing: never."`
	CSRFToken string `json:"csrf_token,omitempty" doc:"For the header X-CSRF-Token, which a page sends with POST and DELETE when Origin cannot show that it is the console's own (behind a reverse proxy that changes Host)."`
}

type sessionOutput struct {
	SetCookie string `header:"Set-Cookie" hidden:"true"`
	Body      Session
}

func (a *api) signIn(ctx context.Context, in *signInInput) (*sessionOutput, error) {
	v := visitOf(ctx)
	token, who, err := a.Accounts.SignIn(ctx, in.Body.Username, in.Body.Password, v.from)
	if err != nil {
		if errors.Is(err, identity.ErrCredentials) {
			a.Log.WarnContext(ctx, "sign-in failed", "username", in.Body.Username, "from", v.from.String())
		}
		return nil, err
	}
	a.Log.InfoContext(ctx, "signed in", "username", who.Account, "from", v.from.String())
	return &sessionOutput{SetCookie: cookie(v, token, who.Expires), Body: sessionView(who)}, nil
}

func (a *api) getSession(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
	return &sessionOutput{Body: sessionView(visitOf(ctx).who)}, nil
}

type noContent struct {
	SetCookie string `header:"Set-Cookie" hidden:"true"`
}

func (a *api) signOut(ctx context.Context, _ *struct{}) (*noContent, error) {
	v := visitOf(ctx)
	if v.who.Via != identity.ViaSession {
		return &noContent{}, nil
	}
	if err := a.Accounts.SignOut(ctx, v.session); err != nil {
		return nil, err
	}
	return &noContent{SetCookie: cookie(v, "", time.Time{})}, nil
}

// cookie is the Set-Cookie field that keeps a session's token, or removes it when token is "". Its
// path is the API's, so that it is sent to as little else on this host as can be.
func cookie(v *visit, token string, expires time.Time) string {
	c := http.Cookie{
		Name:     sessionCookie,
		Value:    token,
		Path:     "/api/v1",
		Expires:  expires,
		HttpOnly: true,
		Secure:   v.tls,
		SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c.String()
}

func sessionView(p identity.Principal) Session {
	return Session{
		Username:  p.Account,
		Role:      string(p.Role),
		Via:       p.Via,
		Expires:   stamp(p.Expires),
		CSRFToken: p.CSRF,
	}
}

// stamp is a time as the API writes it: RFC 3339 in UTC with milliseconds, "" for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
