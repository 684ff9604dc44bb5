package store

import (
	"context"
	"fmt"
	"time"
)

// Account is someone who may sign in to the console and the admin API.
type Account struct {
	Name     string
	Password string // its hash, in whatever form internal/identity gives it
	Created  time.Time
}

// CreateAccount keeps a new account; ErrExists when the name is taken.
func (db *DB) CreateAccount(ctx context.Context, a Account) error {
	_, err := db.exec(ctx, fmt.Sprintf("creating the account %q", a.Name),
		"INSERT INTO accounts (name, password, created) VALUES (?, ?, ?)", a.Name, a.Password, fromTime(a.Created))
	return err
}

// Account finds an account by its name; ErrNotFound.
func (db *DB) Account(ctx context.Context, name string) (Account, error) {
	a := Account{Name: name}
	var created int64
	err := db.read.QueryRowContext(ctx, "SELECT password, created FROM accounts WHERE name = ?", name).Scan(&a.Password, &created)
	if err != nil {
		return Account{}, db.wrap(fmt.Sprintf("reading the account %q", name), err)
	}
	a.Created = toTime(created)
	return a, nil
}

// Accounts lists all accounts by name.
func (db *DB) Accounts(ctx context.Context) ([]Account, error) {
	const doing = "listing accounts"
	rows, err := db.read.QueryContext(ctx, "SELECT name, password, created FROM accounts ORDER BY name")
	if err != nil {
		return nil, db.wrap(doing, err)
	}
	defer rows.Close()
	var list []Account
	for rows.Next() {
		var a Account
		var created int64
		if err := rows.Scan(&a.Name, &a.Password, &created); err != nil {
			return nil, db.wrap(doing, err)
		}
		a.Created = toTime(created)
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, db.wrap(doing, err)
	}
	return list, nil
}

// UpdatePassword gives an account another password hash; ErrNotFound. Its sessions stay: end them
// with DeleteSessions.
func (db *DB) UpdatePassword(ctx context.Context, name, password string) error {
	doing := fmt.Sprintf("changing the password of %q", name)
	n, err := db.exec(ctx, doing, "UPDATE accounts SET password = ? WHERE name = ?", password, name)
	return found(doing, n, err)
}

// DeleteAccount removes an account with its sessions and tokens; ErrNotFound.
func (db *DB) DeleteAccount(ctx context.Context, name string) error {
	doing := fmt.Sprintf("deleting the account %q", name)
	n, err := db.exec(ctx, doing, "DELETE FROM accounts WHERE name = ?", name)
	return found(doing, n, err)
}

// found turns a statement that changed nothing into ErrNotFound.
func found(doing string, affected int64, err error) error {
	if err == nil && affected == 0 {
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	return err
}
