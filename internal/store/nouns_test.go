package store

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// moment is a time with the milliseconds that are kept.
var moment = time.Date(2026, 11, 23, 4, 5, 6, 789e6, time.UTC)

func hashed(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

func TestAccounts(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	admin := Account{Name: "admin", Role: "admin", PasswordHash: "one", Created: moment}
	if err := db.CreateAccount(ctx, admin); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateAccount(ctx, Account{Name: "admin", Role: "viewer"}); !errors.Is(err, ErrExists) {
		t.Errorf("a second account of the name gave %v, want ErrExists", err)
	}
	if _, err := db.Account(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown account gave %v, want ErrNotFound", err)
	}
	if err := db.SetPassword(ctx, "nobody", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown account's password gave %v, want ErrNotFound", err)
	}
	if err := db.SetPassword(ctx, "admin", "two"); err != nil {
		t.Fatal(err)
	}
	admin.PasswordHash = "two"
	if got, err := db.Account(ctx, "admin"); err != nil || got != admin {
		t.Errorf("got %+v, %v, want %+v", got, err, admin)
	}
}

func TestSessions(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	session := func(secret string, expires time.Time) Session {
		return Session{Hash: hashed(secret), Account: "admin", Created: moment, Expires: expires}
	}
	if err := db.CreateSession(ctx, session("a", moment)); !errors.Is(err, ErrNotFound) {
		t.Errorf("a session of nobody gave %v, want ErrNotFound", err)
	}
	if err := db.CreateAccount(ctx, Account{Name: "admin"}); err != nil {
		t.Fatal(err)
	}
	young := session("young", moment.Add(time.Millisecond))
	for _, s := range []Session{session("old", moment.Add(-time.Hour)), session("just", moment), young, session("other", moment.Add(time.Hour))} {
		if err := db.CreateSession(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.CreateSession(ctx, young); !errors.Is(err, ErrExists) {
		t.Errorf("a second session of the hash gave %v, want ErrExists", err)
	}
	if err := db.DeleteExpiredSessions(ctx, moment); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"old", "just"} {
		if _, err := db.Session(ctx, hashed(secret)); !errors.Is(err, ErrNotFound) {
			t.Errorf("the expired session %q gave %v, want ErrNotFound", secret, err)
		}
	}
	if got, err := db.Session(ctx, young.Hash); err != nil || got != young {
		t.Errorf("got %+v, %v, want %+v", got, err, young)
	}
	for range 2 {
		if err := db.DeleteSession(ctx, young.Hash); err != nil {
			t.Errorf("ending a session: %v", err)
		}
	}
	if err := db.DeleteSessions(ctx, "nobody"); err != nil {
		t.Error(err)
	}
	if _, err := db.Session(ctx, hashed("other")); err != nil {
		t.Errorf("a session was ended with those of another account: %v", err)
	}
	if err := db.DeleteSessions(ctx, "admin"); err != nil {
		t.Error(err)
	}
	if _, err := db.Session(ctx, hashed("other")); !errors.Is(err, ErrNotFound) {
		t.Errorf("an ended session gave %v, want ErrNotFound", err)
	}
}

func TestTokens(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	first := Token{
		ID: "1", Hash: hashed("a"), Hint: "cw_pat_abcd****", Account: "admin", Name: "ci", Role: "viewer",
		Created: moment, Expires: time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
	}
	if err := db.CreateToken(ctx, first); !errors.Is(err, ErrNotFound) {
		t.Errorf("a token of nobody gave %v, want ErrNotFound", err)
	}
	for _, name := range []string{"admin", "other"} {
		if err := db.CreateAccount(ctx, Account{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	second := Token{ID: "2", Hash: hashed("b"), Account: "admin", Name: "backup", Created: moment}
	for _, token := range []Token{second, first, {ID: "3", Hash: hashed("c"), Account: "other", Name: "ci"}} {
		if err := db.CreateToken(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	for what, twin := range map[string]Token{
		"name": {ID: "4", Hash: hashed("d"), Account: "admin", Name: "ci"},
		"hash": {ID: "4", Hash: hashed("a"), Account: "other", Name: "new"},
		"id":   {ID: "1", Hash: hashed("d"), Account: "admin", Name: "new"},
	} {
		if err := db.CreateToken(ctx, twin); !errors.Is(err, ErrExists) {
			t.Errorf("a second token of the %s gave %v, want ErrExists", what, err)
		}
	}
	first.LastUsed = moment.Add(time.Minute)
	if err := db.TouchToken(ctx, first.Hash, first.LastUsed); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Token(ctx, first.Hash); err != nil || got != first {
		t.Errorf("got %+v, %v, want %+v", got, err, first)
	}
	for _, c := range []struct {
		before string
		limit  int
		want   []Token
	}{{"", 9, []Token{second, first}}, {"", 1, []Token{second}}, {"2", 9, []Token{first}}, {"1", 9, nil}} {
		if list, err := db.Tokens(ctx, "admin", c.before, c.limit); err != nil || !slices.Equal(list, c.want) {
			t.Errorf("before %q, at most %d: got %+v, %v", c.before, c.limit, list, err)
		}
	}
	if err := db.DeleteToken(ctx, "other", "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting another account's token gave %v, want ErrNotFound", err)
	}
	if err := db.DeleteToken(ctx, "admin", "1"); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteToken(ctx, "admin", "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting it again gave %v, want ErrNotFound", err)
	}
	if _, err := db.Token(ctx, first.Hash); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted token gave %v, want ErrNotFound", err)
	}
	if err := db.TouchToken(ctx, first.Hash, moment); err != nil {
		t.Errorf("touching a deleted token: %v", err)
	}
}

func TestSettings(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	if _, err := db.Setting(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown setting gave %v, want ErrNotFound", err)
	}
	for _, value := range []string{"one", "two", ""} {
		if err := db.SetSetting(ctx, "k", []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Setting(ctx, "k"); err != nil || string(got) != value {
			t.Errorf("got %q, %v, want %q", got, err, value)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := db.UpdateSetting(ctx, "n", func(v []byte) ([]byte, error) { return append(v, 'x'), nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	broken := errors.New("broken")
	if err := db.UpdateSetting(ctx, "n", func([]byte) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("a change that failed gave %v", err)
	}
	if got, err := db.Setting(ctx, "n"); err != nil || string(got) != strings.Repeat("x", 20) {
		t.Errorf("20 changes made %q, %v", got, err)
	}
	for range 2 {
		if err := db.DeleteSetting(ctx, "k"); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.Setting(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted setting gave %v, want ErrNotFound", err)
	}
}
