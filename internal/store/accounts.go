package store

import (
	"context"
	"fmt"
	"time"
)

// Account is someone who may sign in to the console and the admin API.
type Account struct {
	Name         string
	Role         string
	PasswordHash string
	Created      time.Time
}

// CreateAccount keeps a new account; ErrExists when the name is taken.
func (db *DB) CreateAccount(ctx context.Context, a Account) error {
	_, err := db.exec(ctx, fmt.Sprintf("creating the account %q", a.Name),
		"INSERT INTO accounts (name, role, password_hash, created) VALUES (?, ?, ?, ?)",
		a.Name, a.Role, a.PasswordHash, toMillis(a.Created))
	return err
}

// Account finds an account by its name; ErrNotFound.
func (db *DB) Account(ctx context.Context, name string) (Account, error) {
	a := Account{Name: name}
	var created int64
	err := db.read.QueryRowContext(ctx, "SELECT role, password_hash, created FROM accounts WHERE name = ?", name).
		Scan(&a.Role, &a.PasswordHash, &created)
	if err != nil {
		return Account{}, db.wrap(fmt.Sprintf("reading the account %q", name), err)
	}
	a.Created = fromMillis(created)
	return a, nil
}

// SetPassword gives an account another password hash; ErrNotFound. Its sessions stay: end them with
// DeleteSessions.
func (db *DB) SetPassword(ctx context.Context, name, passwordHash string) error {
	doing := fmt.Sprintf("changing the password of %q", name)
	n, err := db.exec(ctx, doing, "UPDATE accounts SET password_hash = ? WHERE name = ?", passwordHash, name)
	return found(doing, n, err)
}

// found turns a statement that changed nothing into ErrNotFound.
func found(doing string, affected int64, err error) error {
	if err == nil && affected == 0 {
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	return err
}

// Times of accounts, sessions and tokens are kept as Unix milliseconds, 0 for the zero time.
// Nanoseconds would end in the year 2262, and a token may be made to last until 9999.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
