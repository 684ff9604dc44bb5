package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"go.uber.org/goleak"

	"causeway/internal/identity"
	"causeway/internal/identity/identitytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that stands still until it is moved.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) move(d time.Duration) { c.ns.Add(int64(d)) }

type world struct {
	*identity.Identity
	store identitytest.Store
	clock clock
	ctx   context.Context
}

// cheap are costs that let a test check hundreds of passwords.
var cheap = argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{ctx: t.Context()}
	w.clock.move(365 * 24 * time.Hour)
	var err error
	w.Identity, err = identity.New(identity.Options{Store: &w.store, Now: w.clock.now, Hashing: &cheap})
	if err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]identity.Role{"ann": identity.Admin, "vic": identity.Viewer} {
		if err := w.CreateAccount(w.ctx, name, name+"'s password", role); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

var home = netip.MustParseAddr("192.0.2.1")

func (w *world) signIn(t *testing.T, name string) (string, identity.Principal) {
	t.Helper()
	token, p, err := w.SignIn(w.ctx, name, name+"'s password", home)
	if err != nil {
		t.Fatalf("signing in %s: %v", name, err)
	}
	return token, p
}

func TestSigningIn(t *testing.T) {
	w := newWorld(t)
	for _, x := range []struct {
		test, name, password string
		want                 error
	}{
		{"the right password", "ann", "ann's password", nil},
		{"a wrong password", "ann", "ann's passwort", identity.ErrCredentials},
		{"another account's password", "ann", "vic's password", identity.ErrCredentials},
		{"an empty password", "ann", "", identity.ErrCredentials},
		{"an unknown account", "bob", "ann's password", identity.ErrCredentials},
		{"a name in capitals", "ANN", "ann's password", identity.ErrCredentials},
		{"a name that no account can have", "ann'; --", "x", identity.ErrCredentials},
		{"a password of a megabyte", "ann", strings.Repeat("x", 1<<20), identity.ErrCredentials},
	} {
		t.Run(x.test, func(t *testing.T) {
			token, p, err := w.SignIn(w.ctx, x.name, x.password, home)
			if !errors.Is(err, x.want) {
				t.Fatalf("got %v, want %v", err, x.want)
			}
			if x.want != nil {
				if token != "" || p != (identity.Principal{}) {
					t.Errorf("a refused sign-in gave %q, %+v", token, p)
				}
				return
			}
			got, err := w.Session(w.ctx, token)
			if err != nil || got != p || got.Account != "ann" || got.Role != identity.Admin || got.Via != identity.ViaSession {
				t.Errorf("session: %+v, %v; signed in as %+v", got, err, p)
			}
		})
	}
}

func TestASessionEnds(t *testing.T) {
	for name, end := range map[string]func(*world, string) error{
		"by signing out":      func(w *world, token string) error { return w.SignOut(w.ctx, token) },
		"with a new password": func(w *world, _ string) error { return w.SetPassword(w.ctx, "ann", "new") },
		"after seven days":    func(w *world, _ string) error { w.clock.move(7 * 24 * time.Hour); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			token, _ := w.signIn(t, "ann")
			w.clock.move(7*24*time.Hour - time.Millisecond)
			if _, err := w.Session(w.ctx, token); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := end(w, token); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Session(w.ctx, token); !errors.Is(err, identity.ErrNotSignedIn) {
				t.Errorf("after: %v", err)
			}
		})
	}
	w := newWorld(t)
	if _, err := w.Session(w.ctx, "made up"); !errors.Is(err, identity.ErrNotSignedIn) {
		t.Errorf("a token made up: %v", err)
	}
}

func TestExpiredSessionsAreRemovedAtTheNextSignIn(t *testing.T) {
	w := newWorld(t)
	token, _ := w.signIn(t, "ann")
	w.clock.move(7 * 24 * time.Hour)
	w.signIn(t, "ann")
	if _, found, err := w.store.Session(w.ctx, identity.HashKey(token)); found || err != nil {
		t.Errorf("the expired session is still kept: %v, %v", found, err)
	}
}

func TestTheFirstStartCreatesAdminOnce(t *testing.T) {
	w := newWorld(t)
	made, err := w.Bootstrap(w.ctx, "")
	if err != nil || len(made) < 20 {
		t.Fatalf("generated %q, %v", made, err)
	}
	for _, password := range []string{"", "from the environment"} {
		if again, err := w.Bootstrap(w.ctx, password); again != "" || err != nil {
			t.Errorf("second start: %q, %v", again, err)
		}
	}
	if _, p, err := w.SignIn(w.ctx, "admin", made, home); err != nil || p.Role != identity.Admin {
		t.Errorf("signing in with the password made up: %+v, %v", p, err)
	}

	given := newWorld(t)
	if made, err := given.Bootstrap(w.ctx, "x"); made != "" || err != nil {
		t.Errorf("with a password given: %q, %v", made, err)
	}
	if _, _, err := given.SignIn(w.ctx, "admin", "x", home); err != nil {
		t.Errorf("signing in with the password given: %v", err)
	}
}

func TestAccountsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	for _, x := range []struct{ name, password, role, field string }{
		{"", "x", "admin", "username"},
		{"Ann", "x", "admin", "username"},
		{"-ann", "x", "admin", "username"},
		{strings.Repeat("a", 65), "x", "admin", "username"},
		{"bob", "", "admin", "password"},
		{"bob", strings.Repeat("x", 1025), "admin", "password"},
		{"bob", "x", "root", "role"},
		{"bob", "x", "", "role"},
	} {
		var invalid *identity.InvalidError
		err := w.CreateAccount(w.ctx, x.name, x.password, identity.Role(x.role))
		if !errors.As(err, &invalid) || invalid.Field != x.field {
			t.Errorf("%.10q, %.10q, %q: %v, want a fault of %s", x.name, x.password, x.role, err, x.field)
		}
	}
	if err := w.CreateAccount(w.ctx, "ann", "x", identity.Admin); !errors.Is(err, identity.ErrExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := w.SetPassword(w.ctx, "bob", "x"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("a password for nobody: %v", err)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	_, ann := w.signIn(t, "ann")
	secret, made, err := w.CreateToken(w.ctx, ann, identity.NewToken{Name: " ci ", Expires: w.clock.now().Add(time.Hour)})
	if err != nil || !strings.HasPrefix(secret, "cw_pat_") || made.Name != "ci" || made.Role != identity.Admin {
		t.Fatalf("%q %+v %v", secret, made, err)
	}
	if strings.Contains(secret, made.Hint) || !strings.HasPrefix(made.Hint, secret[:11]) || len(made.Hint) > 16 {
		t.Errorf("hint %q tells too much or too little", made.Hint)
	}
	p, err := w.Token(w.ctx, secret)
	if err != nil || p.Account != "ann" || p.Role != identity.Admin || p.Via != identity.ViaToken || p.CSRF != "" {
		t.Errorf("who: %+v, %v", p, err)
	}
	kept, err := w.Tokens(w.ctx, "ann", "", 10)
	if err != nil || len(kept) != 1 || !kept[0].LastUsed.Equal(w.clock.now()) {
		t.Errorf("list: %+v, %v", kept, err)
	}
	for _, not := range []string{"", secret[:len(secret)-1], secret + "a", strings.ToUpper(secret), "Bearer " + secret, strings.TrimPrefix(secret, "cw_pat_")} {
		if _, err := w.Token(w.ctx, not); !errors.Is(err, identity.ErrNotSignedIn) {
			t.Errorf("%q: %v", not, err)
		}
	}
	w.clock.move(time.Hour)
	if _, err := w.Token(w.ctx, secret); !errors.Is(err, identity.ErrNotSignedIn) {
		t.Errorf("expired: %v", err)
	}

	forever, made, err := w.CreateToken(w.ctx, ann, identity.NewToken{Name: "backup", Role: identity.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.move(10 * 365 * 24 * time.Hour)
	if p, err := w.Token(w.ctx, forever); err != nil || p.Role != identity.Viewer {
		t.Errorf("a token of less: %+v, %v", p, err)
	}
	if err := w.DeleteToken(w.ctx, "vic", made.ID); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("deleted by another: %v", err)
	}
	if err := w.DeleteToken(w.ctx, "ann", made.ID); err != nil {
		t.Error(err)
	}
	if _, err := w.Token(w.ctx, forever); !errors.Is(err, identity.ErrNotSignedIn) {
		t.Errorf("revoked: %v", err)
	}
}

func TestATokenNeverGivesMoreThanItsMakerHas(t *testing.T) {
	w := newWorld(t)
	_, ann := w.signIn(t, "ann")
	_, vic := w.signIn(t, "vic")
	soon := w.clock.now().Add(time.Hour)
	byToken := identity.Principal{Account: "ann", Role: identity.Viewer, Via: identity.ViaToken, Expires: soon}
	for _, x := range []struct {
		test  string
		by    identity.Principal
		wish  identity.NewToken
		field string
	}{
		{"no name", ann, identity.NewToken{Name: " "}, "name"},
		{"a long name", ann, identity.NewToken{Name: strings.Repeat("ä", 101)}, "name"},
		{"an unknown role", ann, identity.NewToken{Name: "x", Role: "root"}, "role"},
		{"a time that is over", ann, identity.NewToken{Name: "x", Expires: w.clock.now()}, "expires"},
		{"a viewer makes an admin's", vic, identity.NewToken{Name: "x", Role: identity.Admin}, "role"},
		{"a viewer's token makes an admin's", byToken, identity.NewToken{Name: "x", Role: identity.Admin, Expires: soon}, "role"},
		{"a token makes one for longer", byToken, identity.NewToken{Name: "x", Expires: soon.Add(1)}, "expires"},
		{"a token makes one for ever", byToken, identity.NewToken{Name: "x"}, "expires"},
	} {
		var invalid *identity.InvalidError
		if _, _, err := w.CreateToken(w.ctx, x.by, x.wish); !errors.As(err, &invalid) || invalid.Field != x.field {
			t.Errorf("%s: %v, want a fault of %s", x.test, err, x.field)
		}
	}
	var invalid *identity.InvalidError
	for n := range 100 {
		if _, _, err := w.CreateToken(w.ctx, vic, identity.NewToken{Name: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			continue
		}
		if _, _, err := w.CreateToken(w.ctx, vic, identity.NewToken{Name: "0"}); !errors.As(err, &invalid) || invalid.Field != "name" {
			t.Errorf("a second token of the same name: %v", err)
		}
	}
	if _, _, err := w.CreateToken(w.ctx, vic, identity.NewToken{Name: "100"}); !errors.As(err, &invalid) || invalid.Field != "" {
		t.Errorf("the 101st token: %v", err)
	}
}

func TestRoles(t *testing.T) {
	for _, x := range []struct {
		have, need identity.Role
		want       bool
	}{
		{identity.Admin, identity.Admin, true},
		{identity.Admin, identity.Viewer, true},
		{identity.Viewer, identity.Viewer, true},
		{identity.Viewer, identity.Admin, false},
		{"", identity.Viewer, false},
		{"root", identity.Viewer, false},
		{"", "", false},
	} {
		if got := x.have.Allows(x.need); got != x.want {
			t.Errorf("%q allows %q: %v", x.have, x.need, got)
		}
	}
}

func TestCSRFTokensBelongToOneSession(t *testing.T) {
	w := newWorld(t)
	first, a := w.signIn(t, "ann")
	_, b := w.signIn(t, "ann")
	if a.CSRF == "" || strings.Contains(a.CSRF, first) || !a.CSRFValid(a.CSRF) || a.CSRFValid(b.CSRF) || a.CSRFValid("") {
		t.Errorf("CSRF tokens %q and %q", a.CSRF, b.CSRF)
	}
	if identity.Local().CSRFValid("") {
		t.Error("one without a session has a valid CSRF token")
	}
}

func TestSecretsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		key := identity.NewCallerKey()
		if seen[key] || len(key) != 55 || !strings.HasPrefix(key, "cw_") || strings.HasPrefix(key, "cw_pat_") {
			t.Fatalf("key %q", key)
		}
		seen[key] = true
	}
}

func TestAStoreThatFailsIsNotAWrongPassword(t *testing.T) {
	w := newWorld(t)
	token, ann := w.signIn(t, "ann")
	secret, _, err := w.CreateToken(w.ctx, ann, identity.NewToken{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk I/O error")
	w.store.Fail(broken)
	for range 20 {
		if _, _, err := w.SignIn(w.ctx, "ann", "ann's password", home); !errors.Is(err, broken) {
			t.Fatalf("sign-in: %v", err)
		}
	}
	for name, err := range map[string]error{
		"session":  second(w.Session(w.ctx, token)),
		"token":    second(w.Token(w.ctx, secret)),
		"sign-out": w.SignOut(w.ctx, token),
		"tokens":   second(w.Tokens(w.ctx, "ann", "", 1)),
		"delete":   w.DeleteToken(w.ctx, "ann", "x"),
	} {
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.store.Fail(nil)
	w.signIn(t, "ann") // and the failures were not held against her
}

func second[T any](_ T, err error) error { return err }

func BenchmarkSignIn(b *testing.B) {
	i, err := identity.New(identity.Options{Store: &identitytest.Store{}})
	if err != nil {
		b.Fatal(err)
	}
	if err := i.CreateAccount(b.Context(), "ann", "password", identity.Admin); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := i.SignIn(b.Context(), "ann", "password", home); err != nil {
			b.Fatal(err)
		}
	}
}
