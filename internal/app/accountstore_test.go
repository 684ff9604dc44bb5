package app

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"causeway/internal/identity"
	"causeway/internal/identity/identitytest"
	"causeway/internal/store"
)

func openAccountStore(t *testing.T) accountStore {
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return accountStore{db}
}

func TestTheAccountStoreConforms(t *testing.T) {
	identitytest.Conformance(t, func(t *testing.T) identity.Store { return openAccountStore(t) })
}

func TestAnAccountStoreThatFailsIsAnErrorAndNotAnAnswer(t *testing.T) {
	s, ctx := openAccountStore(t), t.Context()
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	var hash [32]byte
	for name, ask := range map[string]func() (bool, error){
		"CreateAccount":  func() (bool, error) { return s.CreateAccount(ctx, identity.Account{Name: "ann"}) },
		"Account":        func() (bool, error) { _, found, err := s.Account(ctx, "ann"); return found, err },
		"SetPassword":    func() (bool, error) { return s.SetPassword(ctx, "ann", "x") },
		"CreateSession":  func() (bool, error) { return false, s.CreateSession(ctx, identity.Session{Account: "ann"}) },
		"Session":        func() (bool, error) { _, found, err := s.Session(ctx, hash); return found, err },
		"DeleteSession":  func() (bool, error) { return false, s.DeleteSession(ctx, hash) },
		"DeleteSessions": func() (bool, error) { return false, s.DeleteSessions(ctx, "ann") },
		"DeleteExpired":  func() (bool, error) { return false, s.DeleteExpired(ctx, time.Now()) },
		"CreateToken":    func() (bool, error) { return s.CreateToken(ctx, identity.Token{Account: "ann"}) },
		"TokenByHash":    func() (bool, error) { _, found, err := s.TokenByHash(ctx, hash); return found, err },
		"Tokens":         func() (bool, error) { list, err := s.Tokens(ctx, "ann", "", 1); return list != nil, err },
		"TouchToken":     func() (bool, error) { return false, s.TouchToken(ctx, hash, time.Now()) },
		"DeleteToken":    func() (bool, error) { return s.DeleteToken(ctx, "ann", "1") },
	} {
		if did, err := ask(); did || err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s on a closed database: %v, %v; want an error", name, did, err)
		}
	}
}

func TestAccountsOutliveTheProcess(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	who := func(f func(i *identity.Identity)) {
		t.Helper()
		db, err := store.Open(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		i, err := identity.New(identity.Options{Store: accountStore{db}})
		if err != nil {
			t.Fatal(err)
		}
		f(i)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var secret string
	who(func(i *identity.Identity) {
		if generated, err := i.Bootstrap(ctx, "first"); generated != "" || err != nil {
			t.Fatalf("generated %q, %v", generated, err)
		}
		var err error
		if secret, _, err = i.CreateToken(ctx, identity.Local(), identity.NewToken{Name: "ci"}); err != nil {
			t.Fatal(err)
		}
	})
	who(func(i *identity.Identity) {
		// A later start changes nothing, whatever the environment says then.
		if generated, err := i.Bootstrap(ctx, "second"); generated != "" || err != nil {
			t.Fatalf("generated %q, %v", generated, err)
		}
		if p, err := i.Token(ctx, secret); err != nil || p.Account != identity.AdminName || p.Role != identity.Admin {
			t.Errorf("the token gives %+v, %v", p, err)
		}
		session, _, err := i.SignIn(ctx, identity.AdminName, "first", netip.Addr{})
		if err != nil {
			t.Fatalf("signing in with the password of the first start: %v", err)
		}
		if p, err := i.Session(ctx, session); err != nil || p.Account != identity.AdminName {
			t.Errorf("the session gives %+v, %v", p, err)
		}
	})
}
