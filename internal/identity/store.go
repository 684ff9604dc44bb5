package identity

import (
	"context"
	"time"
)

// Account is someone who may sign in.
type Account struct {
	Name         string
	Role         Role
	PasswordHash string // argon2id in its usual text form
	Created      time.Time
}

// Session is a browser that has signed in.
type Session struct {
	Hash    [32]byte // SHA-256 of the token in the browser's cookie
	Account string
	Created time.Time
	Expires time.Time
}

// Token is a personal access token.
type Token struct {
	ID       string   // sorts by creation
	Hash     [32]byte // SHA-256 of the token
	Hint     string   // its first characters, to recognise it by
	Account  string
	Name     string // what its owner calls it; no two of an account's tokens have the same
	Role     Role   // never more than the account's
	Created  time.Time
	Expires  time.Time // zero: never
	LastUsed time.Time // to the minute; zero: never
}

// Store keeps accounts, sessions and tokens. Every method may be called concurrently; an error means
// that the store failed, never that something was not there. Times keep at least milliseconds.
// identitytest.Conformance is what an implementation must pass.
type Store interface {
	// CreateAccount reports created=false and changes nothing when the name is taken.
	CreateAccount(ctx context.Context, a Account) (created bool, err error)
	Account(ctx context.Context, name string) (a Account, found bool, err error)
	SetPassword(ctx context.Context, name, passwordHash string) (found bool, err error)

	CreateSession(ctx context.Context, s Session) error
	Session(ctx context.Context, hash [32]byte) (s Session, found bool, err error)
	DeleteSession(ctx context.Context, hash [32]byte) error
	// DeleteSessions removes all sessions of an account.
	DeleteSessions(ctx context.Context, account string) error
	// DeleteExpired removes the sessions that expired at or before the time.
	DeleteExpired(ctx context.Context, at time.Time) error

	// CreateToken reports created=false and changes nothing when the account has a token of that name.
	CreateToken(ctx context.Context, t Token) (created bool, err error)
	TokenByHash(ctx context.Context, hash [32]byte) (t Token, found bool, err error)
	// Tokens lists an account's tokens by descending id, those below the id before unless it is
	// "", at most limit.
	Tokens(ctx context.Context, account, before string, limit int) ([]Token, error)
	// TouchToken sets LastUsed. A token that is gone is no error.
	TouchToken(ctx context.Context, hash [32]byte, at time.Time) error
	// DeleteToken removes a token of the account; another account's is not found.
	DeleteToken(ctx context.Context, account, id string) (found bool, err error)
}
