package store

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestAccounts(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	admin := Account{Name: "admin", Password: "hash", Created: time.Unix(1_700_000_000, 5).UTC()}
	if err := db.CreateAccount(ctx, admin); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateAccount(ctx, admin); !errors.Is(err, ErrExists) {
		t.Errorf("a second account of the name gave %v, want ErrExists", err)
	}
	if got, err := db.Account(ctx, "admin"); err != nil || got != admin {
		t.Errorf("got %+v, %v, want %+v", got, err, admin)
	}
	if _, err := db.Account(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown account gave %v, want ErrNotFound", err)
	}
	if err := db.UpdatePassword(ctx, "nobody", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown account's password gave %v, want ErrNotFound", err)
	}
	if err := db.UpdatePassword(ctx, "admin", "other"); err != nil {
		t.Fatal(err)
	}
	admin.Password = "other"
	if list, err := db.Accounts(ctx); err != nil || !reflect.DeepEqual(list, []Account{admin}) {
		t.Errorf("got %+v, %v", list, err)
	}
	if err := db.DeleteAccount(ctx, "admin"); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteAccount(ctx, "admin"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting it again gave %v, want ErrNotFound", err)
	}
}

func TestSessions(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	now := time.Unix(1_700_000_000, 0).UTC()
	session := func(hash string, expires time.Time) Session {
		return Session{Hash: []byte(hash), Account: "admin", Created: now, Expires: expires}
	}
	if err := db.CreateSession(ctx, session("a", now)); !errors.Is(err, ErrNotFound) {
		t.Errorf("a session of nobody gave %v, want ErrNotFound", err)
	}
	if err := db.CreateAccount(ctx, Account{Name: "admin"}); err != nil {
		t.Fatal(err)
	}
	old, young := session("a", now.Add(-time.Hour)), session("b", now.Add(time.Hour))
	for _, s := range []Session{old, young, session("c", now.Add(time.Hour))} {
		if err := db.CreateSession(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.CreateSession(ctx, young); !errors.Is(err, ErrExists) {
		t.Errorf("a second session of the hash gave %v, want ErrExists", err)
	}
	if got, err := db.Session(ctx, []byte("b")); err != nil || !reflect.DeepEqual(got, young) {
		t.Errorf("got %+v, %v, want %+v", got, err, young)
	}
	if n, err := db.DeleteExpiredSessions(ctx, now); err != nil || n != 1 {
		t.Errorf("%d expired sessions removed, %v, want 1", n, err)
	}
	if _, err := db.Session(ctx, []byte("a")); !errors.Is(err, ErrNotFound) {
		t.Errorf("a removed session gave %v, want ErrNotFound", err)
	}
	for range 2 {
		if err := db.DeleteSession(ctx, []byte("b")); err != nil {
			t.Errorf("ending a session: %v", err)
		}
	}
	if n, err := db.DeleteSessions(ctx, "admin"); err != nil || n != 1 {
		t.Errorf("%d sessions ended, %v, want 1", n, err)
	}
	if err := db.CreateSession(ctx, young); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteAccount(ctx, "admin"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Session(ctx, young.Hash); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted account's session gave %v, want ErrNotFound", err)
	}
}

func TestTokens(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	now := time.Unix(1_700_000_000, 0).UTC()
	ci := Token{Hash: []byte("h1"), Account: "admin", Name: "ci", Created: now}
	if err := db.CreateToken(ctx, ci); !errors.Is(err, ErrNotFound) {
		t.Errorf("a token of nobody gave %v, want ErrNotFound", err)
	}
	if err := db.CreateAccount(ctx, Account{Name: "admin"}); err != nil {
		t.Fatal(err)
	}
	backup := Token{Hash: []byte("h2"), Account: "admin", Name: "backup", Created: now}
	for _, token := range []Token{ci, backup} {
		if err := db.CreateToken(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	for name, twin := range map[string]Token{
		"name": {Hash: []byte("h3"), Account: "admin", Name: "ci"},
		"hash": {Hash: []byte("h1"), Account: "admin", Name: "other"},
	} {
		if err := db.CreateToken(ctx, twin); !errors.Is(err, ErrExists) {
			t.Errorf("a second token of the %s gave %v, want ErrExists", name, err)
		}
	}
	if err := db.TouchToken(ctx, ci.Hash, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	ci.LastUsed = now.Add(time.Minute)
	if got, err := db.Token(ctx, ci.Hash); err != nil || !reflect.DeepEqual(got, ci) {
		t.Errorf("got %+v, %v, want %+v", got, err, ci)
	}
	if list, err := db.ListTokens(ctx, "admin"); err != nil || !reflect.DeepEqual(list, []Token{backup, ci}) {
		t.Errorf("got %+v, %v", list, err)
	}
	if err := db.DeleteToken(ctx, "admin", "ci"); err != nil {
		t.Fatal(err)
	}
	for doing, err := range map[string]error{
		"reading":  func() error { _, err := db.Token(ctx, ci.Hash); return err }(),
		"touching": db.TouchToken(ctx, ci.Hash, now),
		"deleting": db.DeleteToken(ctx, "admin", "ci"),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s a token that is gone gave %v, want ErrNotFound", doing, err)
		}
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
	for range 2 {
		if err := db.DeleteSetting(ctx, "k"); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.Setting(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted setting gave %v, want ErrNotFound", err)
	}
}
