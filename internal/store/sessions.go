package store

import (
	"context"
	"time"
)

// Session is a signed-in browser.
type Session struct {
	Hash    [32]byte // of its secret, which is not kept
	Account string
	Created time.Time
	Expires time.Time
}

// CreateSession keeps a session; ErrNotFound when there is no such account, ErrExists when the
// hash is in use.
func (db *DB) CreateSession(ctx context.Context, s Session) error {
	_, err := db.exec(ctx, "creating a session", "INSERT INTO sessions (hash, account, created, expires) VALUES (?, ?, ?, ?)",
		s.Hash[:], s.Account, toMillis(s.Created), toMillis(s.Expires))
	return err
}

// Session finds a session by the hash of its secret, expired ones too; ErrNotFound.
func (db *DB) Session(ctx context.Context, hash [32]byte) (Session, error) {
	s := Session{Hash: hash}
	var created, expires int64
	err := db.read.QueryRowContext(ctx, "SELECT account, created, expires FROM sessions WHERE hash = ?", hash[:]).
		Scan(&s.Account, &created, &expires)
	if err != nil {
		return Session{}, db.wrap("reading a session", err)
	}
	s.Created, s.Expires = fromMillis(created), fromMillis(expires)
	return s, nil
}

// DeleteSession ends a session. One that does not exist is no error: it has ended.
func (db *DB) DeleteSession(ctx context.Context, hash [32]byte) error {
	_, err := db.exec(ctx, "ending a session", "DELETE FROM sessions WHERE hash = ?", hash[:])
	return err
}

// DeleteSessions ends all sessions of an account.
func (db *DB) DeleteSessions(ctx context.Context, account string) error {
	_, err := db.exec(ctx, "ending an account's sessions", "DELETE FROM sessions WHERE account = ?", account)
	return err
}

// DeleteExpiredSessions removes the sessions that expired at or before the time.
func (db *DB) DeleteExpiredSessions(ctx context.Context, at time.Time) error {
	_, err := db.exec(ctx, "removing expired sessions", "DELETE FROM sessions WHERE expires <= ?", toMillis(at))
	return err
}
