package app

import (
	"context"
	"errors"
	"time"

	"causeway/internal/identity"
	"causeway/internal/store"
)

// accountStore keeps accounts, sessions and tokens in the database. The two packages do not know
// each other; here their types and errors are translated.
type accountStore struct{ db *store.DB }

// unless turns the one error that is an answer into false.
func unless(err, answer error) (bool, error) {
	if errors.Is(err, answer) {
		return false, nil
	}
	return err == nil, err
}

// CreateAccount implements identity.Store.
func (s accountStore) CreateAccount(ctx context.Context, a identity.Account) (created bool, err error) {
	return unless(s.db.CreateAccount(ctx, store.Account{
		Name: a.Name, Role: string(a.Role), PasswordHash: a.PasswordHash, Created: a.Created,
	}), store.ErrExists)
}

// Account implements identity.Store.
func (s accountStore) Account(ctx context.Context, name string) (_ identity.Account, found bool, err error) {
	a, err := s.db.Account(ctx, name)
	found, err = unless(err, store.ErrNotFound)
	return identity.Account{Name: a.Name, Role: identity.Role(a.Role), PasswordHash: a.PasswordHash, Created: a.Created}, found, err
}

// SetPassword implements identity.Store.
func (s accountStore) SetPassword(ctx context.Context, name, passwordHash string) (found bool, err error) {
	return unless(s.db.SetPassword(ctx, name, passwordHash), store.ErrNotFound)
}

// CreateSession implements identity.Store.
func (s accountStore) CreateSession(ctx context.Context, x identity.Session) error {
	return s.db.CreateSession(ctx, store.Session(x))
}

// Session implements identity.Store.
func (s accountStore) Session(ctx context.Context, hash [32]byte) (_ identity.Session, found bool, err error) {
	x, err := s.db.Session(ctx, hash)
	found, err = unless(err, store.ErrNotFound)
	return identity.Session(x), found, err
}

// DeleteSession implements identity.Store.
func (s accountStore) DeleteSession(ctx context.Context, hash [32]byte) error {
	return s.db.DeleteSession(ctx, hash)
}

// DeleteSessions implements identity.Store.
func (s accountStore) DeleteSessions(ctx context.Context, account string) error {
	return s.db.DeleteSessions(ctx, account)
}

// DeleteExpired implements identity.Store.
func (s accountStore) DeleteExpired(ctx context.Context, at time.Time) error {
	return s.db.DeleteExpiredSessions(ctx, at)
}

// CreateToken implements identity.Store.
func (s accountStore) CreateToken(ctx context.Context, t identity.Token) (created bool, err error) {
	return unless(s.db.CreateToken(ctx, store.Token{
		ID: t.ID, Hash: t.Hash, Hint: t.Hint, Account: t.Account, Name: t.Name, Role: string(t.Role),
		Created: t.Created, Expires: t.Expires, LastUsed: t.LastUsed,
	}), store.ErrExists)
}

// TokenByHash implements identity.Store.
func (s accountStore) TokenByHash(ctx context.Context, hash [32]byte) (_ identity.Token, found bool, err error) {
	t, err := s.db.Token(ctx, hash)
	found, err = unless(err, store.ErrNotFound)
	return tokenOf(t), found, err
}

// Tokens implements identity.Store.
func (s accountStore) Tokens(ctx context.Context, account, before string, limit int) ([]identity.Token, error) {
	rows, err := s.db.Tokens(ctx, account, before, limit)
	if err != nil {
		return nil, err
	}
	tokens := make([]identity.Token, len(rows))
	for i, t := range rows {
		tokens[i] = tokenOf(t)
	}
	return tokens, nil
}

// TouchToken implements identity.Store.
func (s accountStore) TouchToken(ctx context.Context, hash [32]byte, at time.Time) error {
	return s.db.TouchToken(ctx, hash, at)
}

// DeleteToken implements identity.Store.
func (s accountStore) DeleteToken(ctx context.Context, account, id string) (found bool, err error) {
	return unless(s.db.DeleteToken(ctx, account, id), store.ErrNotFound)
}

func tokenOf(t store.Token) identity.Token {
	return identity.Token{
		ID: t.ID, Hash: t.Hash, Hint: t.Hint, Account: t.Account, Name: t.Name, Role: identity.Role(t.Role),
		Created: t.Created, Expires: t.Expires, LastUsed: t.LastUsed,
	}
}
