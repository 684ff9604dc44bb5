// Package identity knows who may use the console and the admin API: accounts with passwords,
// sessions of browsers and personal access tokens of scripts. It also makes the keys that calling
// applications present.
//
// Passwords are kept as argon2id hashes. Session tokens, access tokens and callers' keys are random
// and long, so a plain SHA-256 of them is kept: it cannot be reversed, and it can be looked up.
// None of them can be read back. Sign-in is throttled by account and address.
package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/alexedwards/argon2id"
)

// AdminName is the account that the first start creates.
const AdminName = "admin"

// The errors that callers tell apart with errors.Is. ThrottledError and InvalidError carry more.
var (
	// ErrCredentials says that the name or the password is wrong, and not which of them.
	ErrCredentials = errors.New("the user name or the password is wrong")
	// ErrNotSignedIn says that a session or token is unknown, expired or revoked.
	ErrNotSignedIn = errors.New("the session or token is unknown, expired or revoked")
	// ErrNotFound says that there is no such account or token.
	ErrNotFound = errors.New("not found")
	// ErrExists says that the account exists.
	ErrExists = errors.New("the account exists")
	// ErrBusy says that too many sign-ins are being checked at this moment.
	ErrBusy = errors.New("too many sign-ins at once")
)

// InvalidError says which member of a request is wrong, by its name in the admin API.
type InvalidError struct {
	Field string // "name"
	Text  string // what is wrong and what would be right
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Text }

// Role is what an account may do.
type Role string

// The roles, from the least.
const (
	Viewer Role = "viewer" // may look at everything that is no secret
	Admin  Role = "admin"  // may change everything
)

// rank orders the roles; 0 is no role.
func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Admin:
		return 2
	}
	return 0
}

// Valid says whether r is a known role.
func (r Role) Valid() bool { return r.rank() > 0 }

// Allows says whether someone of role r may do what needs role need.
func (r Role) Allows(need Role) bool { return r.Valid() && r.rank() >= need.rank() }

// The ways to prove who one is.
const (
	ViaSession = "session" // a browser's cookie
	ViaToken   = "token"   // a personal access token
	ViaSocket  = "socket"  // the socket in the data folder, which only its owner can open
)

// Principal is who asks.
type Principal struct {
	Account string
	Role    Role // of the account, or less if a token gives less
	Via     string
	Expires time.Time // of the session or token; zero: never
	CSRF    string    // the session's CSRF token; "" unless Via is ViaSession
}

// Local is who asks over the socket in the data folder: the admin account, without a proof, because
// only the owner of the process can open it.
func Local() Principal { return Principal{Account: AdminName, Role: Admin, Via: ViaSocket} }

// Options are what New needs; all but Store have defaults.
type Options struct {
	Store Store
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// SessionLife is how long a session lasts after signing in; 0 means 7 days.
	SessionLife time.Duration
	// Hashing are the costs of argon2id; nil means 19 MiB and two passes on one thread, OWASP's
	// minimum (Password Storage Cheat Sheet), about 20 ms.
	Hashing *argon2id.Params
	// SignIns is how many passwords may be checked at once; 0 means 2. It bounds the memory that
	// a flood of sign-ins takes.
	SignIns int
}

// Identity answers who someone is. Its methods may be called concurrently.
type Identity struct {
	store    Store
	now      func() time.Time
	life     time.Duration
	hasher   *hasher
	throttle *throttle
}

// New makes an Identity on a store.
func New(o Options) (*Identity, error) {
	if o.Store == nil {
		return nil, errors.New("identity needs a store")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SessionLife == 0 {
		o.SessionLife = 7 * 24 * time.Hour
	}
	if o.Hashing == nil {
		o.Hashing = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	}
	if o.SignIns == 0 {
		o.SignIns = 2
	}
	return &Identity{
		store:    o.Store,
		now:      o.Now,
		life:     o.SessionLife,
		hasher:   newHasher(*o.Hashing, o.SignIns),
		throttle: newThrottle(o.Now),
	}, nil
}

var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// CreateAccount adds an account. It returns ErrExists, or an *InvalidError for a name, role or
// password that cannot be used.
func (i *Identity) CreateAccount(ctx context.Context, name, password string, role Role) error {
	if !accountName.MatchString(name) {
		return &InvalidError{"username", "must begin with a lower-case letter or digit, followed by up to 63 of a-z, 0-9, '.', '_' and '-'"}
	}
	if !role.Valid() {
		return &InvalidError{"role", fmt.Sprintf("must be %q or %q", Admin, Viewer)}
	}
	hash, err := i.hash(ctx, password)
	if err != nil {
		return err
	}
	created, err := i.store.CreateAccount(ctx, Account{Name: name, Role: role, PasswordHash: hash, Created: i.now()})
	if err != nil {
		return fmt.Errorf("creating account %s: %w", name, err)
	}
	if !created {
		return ErrExists
	}
	return nil
}

// SetPassword changes a password and ends all sessions of the account. It returns ErrNotFound when
// there is no such account. Access tokens stay.
func (i *Identity) SetPassword(ctx context.Context, name, password string) error {
	hash, err := i.hash(ctx, password)
	if err != nil {
		return err
	}
	found, err := i.store.SetPassword(ctx, name, hash)
	if err != nil {
		return fmt.Errorf("changing the password of %s: %w", name, err)
	}
	if !found {
		return ErrNotFound
	}
	if err := i.store.DeleteSessions(ctx, name); err != nil {
		return fmt.Errorf("ending the sessions of %s: %w", name, err)
	}
	return nil
}

// Bootstrap creates the account "admin" unless it exists. With an empty password it makes one up
// and returns it as generated, to be shown once; generated is "" in every other case.
func (i *Identity) Bootstrap(ctx context.Context, password string) (generated string, err error) {
	_, found, err := i.store.Account(ctx, AdminName)
	if err != nil {
		return "", fmt.Errorf("looking for the account %s: %w", AdminName, err)
	}
	if found {
		return "", nil
	}
	if password == "" {
		generated = randomText(20)
		password = generated
	}
	if err := i.CreateAccount(ctx, AdminName, password, Admin); err != nil {
		return "", fmt.Errorf("creating the first account: %w", err)
	}
	return generated, nil
}
