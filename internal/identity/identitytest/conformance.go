package identitytest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"causeway/internal/identity"
)

// Conformance tests one implementation of identity.Store. open returns an empty store and cleans up
// through t.
func Conformance(t *testing.T, open func(t *testing.T) identity.Store) {
	for name, test := range map[string]func(*testing.T, identity.Store){
		"an account is kept as it was made, and its name only once": testAccounts,
		"a session is found by its hash until it is deleted":        testSessions,
		"sessions of an account and expired ones are removed":       testSessionRemoval,
		"a token is kept as it was made":                            testTokens,
		"tokens are listed newest first, page by page":              testTokenPages,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// moment is a time that a store with milliseconds keeps exactly.
func moment(after time.Duration) time.Time {
	return time.Date(2026, 11, 23, 4, 5, 6, 789e6, time.UTC).Add(after)
}

func hash(n byte) [32]byte { return [32]byte{0: n, 31: 255 - n} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testAccounts(t *testing.T, s identity.Store) {
	ctx := context.Background()
	if _, found, err := s.Account(ctx, "ann"); found || err != nil {
		t.Fatalf("before: found %v, %v", found, err)
	}
	if found, err := s.SetPassword(ctx, "ann", "x"); found || err != nil {
		t.Errorf("password of nobody: found %v, %v", found, err)
	}
	made := identity.Account{Name: "ann", Role: identity.Viewer, PasswordHash: "$argon2id$1", Created: moment(0)}
	created, err := s.CreateAccount(ctx, made)
	if must(t, err); !created {
		t.Fatal("not created")
	}
	again := identity.Account{Name: "ann", Role: identity.Admin, PasswordHash: "$argon2id$2", Created: moment(1)}
	created, err = s.CreateAccount(ctx, again)
	if must(t, err); created {
		t.Error("the name was given twice")
	}
	found, err := s.SetPassword(ctx, "ann", "$argon2id$3")
	if must(t, err); !found {
		t.Error("password of ann: not found")
	}
	made.PasswordHash = "$argon2id$3"
	a, found, err := s.Account(ctx, "ann")
	must(t, err)
	a.Created = a.Created.UTC()
	if !found || a != made {
		t.Errorf("got %+v, %v, want %+v", a, found, made)
	}
}

func account(t *testing.T, s identity.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		created, err := s.CreateAccount(context.Background(), identity.Account{Name: name, Role: identity.Admin, PasswordHash: "-", Created: moment(0)})
		if must(t, err); !created {
			t.Fatalf("account %s was there", name)
		}
	}
}

func testSessions(t *testing.T, s identity.Store) {
	ctx := context.Background()
	account(t, s, "ann")
	made := identity.Session{Hash: hash(1), Account: "ann", Created: moment(0), Expires: moment(time.Hour)}
	must(t, s.CreateSession(ctx, made))
	if _, found, err := s.Session(ctx, hash(2)); found || err != nil {
		t.Errorf("another hash: found %v, %v", found, err)
	}
	got, found, err := s.Session(ctx, hash(1))
	must(t, err)
	got.Created, got.Expires = got.Created.UTC(), got.Expires.UTC()
	if !found || got != made {
		t.Errorf("got %+v, %v, want %+v", got, found, made)
	}
	must(t, s.DeleteSession(ctx, hash(1)))
	must(t, s.DeleteSession(ctx, hash(1)))
	if _, found, err := s.Session(ctx, hash(1)); found || err != nil {
		t.Errorf("after deletion: found %v, %v", found, err)
	}
}

func testSessionRemoval(t *testing.T, s identity.Store) {
	ctx := context.Background()
	account(t, s, "ann", "bob")
	left := func(want ...byte) {
		t.Helper()
		var got []byte
		for n := byte(1); n <= 4; n++ {
			if _, found, err := s.Session(ctx, hash(n)); err != nil {
				t.Fatal(err)
			} else if found {
				got = append(got, n)
			}
		}
		if string(got) != string(want) {
			t.Errorf("sessions %v are left, want %v", got, want)
		}
	}
	for n, who := range []string{"ann", "ann", "bob", "bob"} {
		must(t, s.CreateSession(ctx, identity.Session{
			Hash: hash(byte(n + 1)), Account: who, Created: moment(0), Expires: moment(time.Duration(n+1) * time.Minute),
		}))
	}
	must(t, s.DeleteExpired(ctx, moment(time.Minute)))
	left(2, 3, 4)
	must(t, s.DeleteExpired(ctx, moment(time.Minute+time.Millisecond)))
	left(2, 3, 4)
	must(t, s.DeleteSessions(ctx, "bob"))
	left(2)
}

func token(n int, account string) identity.Token {
	return identity.Token{
		ID: fmt.Sprintf("01J%023d", n), Hash: hash(byte(n)), Hint: "cw_pat_abcd****", Account: account,
		Name: fmt.Sprint("token ", n), Role: identity.Viewer, Created: moment(time.Duration(n) * time.Second),
	}
}

func create(t *testing.T, s identity.Store, tokens ...identity.Token) {
	t.Helper()
	for _, x := range tokens {
		created, err := s.CreateToken(context.Background(), x)
		if must(t, err); !created {
			t.Fatalf("token %s of %s was not created", x.Name, x.Account)
		}
	}
}

func sameToken(a, b identity.Token) bool {
	for _, t := range []*identity.Token{&a, &b} {
		t.Created = t.Created.UTC()
		if !t.Expires.IsZero() {
			t.Expires = t.Expires.UTC()
		}
		if !t.LastUsed.IsZero() {
			t.LastUsed = t.LastUsed.UTC()
		}
	}
	return a == b
}

func testTokens(t *testing.T, s identity.Store) {
	ctx := context.Background()
	account(t, s, "ann", "bob")
	forever, ends := token(1, "ann"), token(2, "ann")
	ends.Expires = moment(time.Hour)
	create(t, s, forever, ends)
	twin := token(3, "ann")
	twin.Name = forever.Name
	created, err := s.CreateToken(ctx, twin)
	if must(t, err); created {
		t.Error("two tokens of one account have the same name")
	}
	twin.Account = "bob"
	create(t, s, twin)
	for _, want := range []identity.Token{forever, ends} {
		got, found, err := s.TokenByHash(ctx, want.Hash)
		if must(t, err); !found || !sameToken(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, found, want)
		}
	}
	if _, found, err := s.TokenByHash(ctx, hash(9)); found || err != nil {
		t.Errorf("unknown hash: found %v, %v", found, err)
	}
	must(t, s.TouchToken(ctx, forever.Hash, moment(time.Minute)))
	must(t, s.TouchToken(ctx, hash(9), moment(time.Minute)))
	forever.LastUsed = moment(time.Minute)
	got, _, err := s.TokenByHash(ctx, forever.Hash)
	if must(t, err); !sameToken(got, forever) {
		t.Errorf("after its use: %+v, want %+v", got, forever)
	}
	for _, x := range []struct {
		account, id string
		found       bool
	}{{"bob", forever.ID, false}, {"ann", "01J", false}, {"ann", forever.ID, true}, {"ann", forever.ID, false}} {
		found, err := s.DeleteToken(ctx, x.account, x.id)
		if must(t, err); found != x.found {
			t.Errorf("deleting %s of %s: found %v, want %v", x.id, x.account, found, x.found)
		}
	}
	if _, found, err := s.TokenByHash(ctx, forever.Hash); found || err != nil {
		t.Errorf("after deletion: found %v, %v", found, err)
	}
}

func testTokenPages(t *testing.T, s identity.Store) {
	ctx := context.Background()
	account(t, s, "ann", "bob")
	for _, n := range []int{3, 1, 5, 2, 4} {
		create(t, s, token(n, "ann"))
	}
	create(t, s, token(6, "bob"))
	for _, x := range []struct {
		before string
		limit  int
		want   string
	}{
		{"", 10, "5 4 3 2 1"},
		{"", 2, "5 4"},
		{token(4, "").ID, 2, "3 2"},
		{token(1, "").ID, 2, ""},
	} {
		tokens, err := s.Tokens(ctx, "ann", x.before, x.limit)
		must(t, err)
		got := ""
		for i, tok := range tokens {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprint(tok.Hash[0])
			if tok.Account != "ann" {
				t.Errorf("a token of %s is listed", tok.Account)
			}
		}
		if got != x.want {
			t.Errorf("before %q, limit %d: %q, want %q", x.before, x.limit, got, x.want)
		}
	}
}
