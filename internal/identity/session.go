package identity

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// SignIn checks a name and password and begins a session. token goes into the browser's cookie and
// nowhere else. from is the address that asks, the zero Addr when it has none.
//
// It returns ErrCredentials, ErrBusy, or a *ThrottledError after too many wrong passwords.
func (i *Identity) SignIn(ctx context.Context, name, password string, from netip.Addr) (token string, p Principal, err error) {
	// The attempt counts as failed until it has succeeded: a thousand guesses sent at once must
	// not all pass before the first one is found wrong.
	if wait := i.throttle.begin(name, from); wait > 0 {
		return "", Principal{}, &ThrottledError{RetryAfter: wait}
	}
	a, err := i.check(ctx, name, password)
	if err != nil {
		if !errors.Is(err, ErrCredentials) {
			i.throttle.forget(name, from)
		}
		return "", Principal{}, err
	}
	i.throttle.succeed(name, from)

	now := i.now()
	if err := i.store.DeleteExpired(ctx, now); err != nil {
		return "", Principal{}, fmt.Errorf("removing expired sessions: %w", err)
	}
	token = randomText(secretLength)
	s := Session{Hash: HashKey(token), Account: a.Name, Created: now, Expires: now.Add(i.life)}
	if err := i.store.CreateSession(ctx, s); err != nil {
		return "", Principal{}, fmt.Errorf("keeping the session: %w", err)
	}
	return token, sessionPrincipal(a, s, token), nil
}

func (i *Identity) check(ctx context.Context, name, password string) (Account, error) {
	var a Account
	found := false
	if accountName.MatchString(name) && len(password) <= maxPassword {
		var err error
		if a, found, err = i.store.Account(ctx, name); err != nil {
			return Account{}, fmt.Errorf("looking up the account: %w", err)
		}
	} else {
		password = ""
	}
	ok, err := i.hasher.matches(ctx, password, a.PasswordHash)
	if err != nil {
		return Account{}, err
	}
	if !ok || !found {
		return Account{}, ErrCredentials
	}
	return a, nil
}

// Session finds who a session's token belongs to. It returns ErrNotSignedIn when the session is
// unknown or has expired, or its account is gone.
func (i *Identity) Session(ctx context.Context, token string) (Principal, error) {
	s, found, err := i.store.Session(ctx, HashKey(token))
	if err != nil {
		return Principal{}, fmt.Errorf("looking up the session: %w", err)
	}
	if !found || !i.now().Before(s.Expires) {
		return Principal{}, ErrNotSignedIn
	}
	a, found, err := i.store.Account(ctx, s.Account)
	if err != nil {
		return Principal{}, fmt.Errorf("looking up the session's account: %w", err)
	}
	if !found {
		return Principal{}, ErrNotSignedIn
	}
	return sessionPrincipal(a, s, token), nil
}

// SignOut ends a session; one that is unknown is no error.
func (i *Identity) SignOut(ctx context.Context, token string) error {
	if err := i.store.DeleteSession(ctx, HashKey(token)); err != nil {
		return fmt.Errorf("ending the session: %w", err)
	}
	return nil
}

func sessionPrincipal(a Account, s Session, token string) Principal {
	return Principal{Account: a.Name, Role: a.Role, Via: ViaSession, Expires: s.Expires, CSRF: csrfToken(token)}
}
