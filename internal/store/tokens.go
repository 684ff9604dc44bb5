package store

import (
	"context"
	"fmt"
	"time"
)

// Token is a personal access token of an account. Only its hash is kept.
type Token struct {
	Hash     []byte
	Account  string
	Name     string // chosen by the account, unique within it
	Created  time.Time
	LastUsed time.Time // zero: never
}

const tokenColumns = "SELECT hash, account, name, created, last_used FROM tokens "

// CreateToken keeps a token; ErrExists when the account has one of that name or the hash is in
// use, ErrNotFound when there is no such account.
func (db *DB) CreateToken(ctx context.Context, t Token) error {
	_, err := db.exec(ctx, fmt.Sprintf("creating the token %q", t.Name),
		"INSERT INTO tokens (hash, account, name, created, last_used) VALUES (?, ?, ?, ?, ?)",
		t.Hash, t.Account, t.Name, fromTime(t.Created), fromTime(t.LastUsed))
	return err
}

// Token finds a token by its hash; ErrNotFound.
func (db *DB) Token(ctx context.Context, hash []byte) (Token, error) {
	t, err := scanToken(db.read.QueryRowContext(ctx, tokenColumns+"WHERE hash = ?", hash))
	if err != nil {
		return Token{}, db.wrap("reading a token", err)
	}
	return t, nil
}

// ListTokens lists an account's tokens by name.
func (db *DB) ListTokens(ctx context.Context, account string) ([]Token, error) {
	const doing = "listing tokens"
	rows, err := db.read.QueryContext(ctx, tokenColumns+"WHERE account = ? ORDER BY name", account)
	if err != nil {
		return nil, db.wrap(doing, err)
	}
	defer rows.Close()
	var list []Token
	for rows.Next() {
		t, err := scanToken(rows)
		if err != nil {
			return nil, db.wrap(doing, err)
		}
		list = append(list, t)
	}
	if err := rows.Err(); err != nil {
		return nil, db.wrap(doing, err)
	}
	return list, nil
}

// TouchToken notes when a token was last used; ErrNotFound.
func (db *DB) TouchToken(ctx context.Context, hash []byte, at time.Time) error {
	const doing = "noting a token's use"
	n, err := db.exec(ctx, doing, "UPDATE tokens SET last_used = ? WHERE hash = ?", fromTime(at), hash)
	return found(doing, n, err)
}

// DeleteToken removes an account's token by its name; ErrNotFound.
func (db *DB) DeleteToken(ctx context.Context, account, name string) error {
	doing := fmt.Sprintf("deleting the token %q", name)
	n, err := db.exec(ctx, doing, "DELETE FROM tokens WHERE account = ? AND name = ?", account, name)
	return found(doing, n, err)
}

// row is what *sql.Row and *sql.Rows have in common.
type row interface{ Scan(dest ...any) error }

func scanToken(r row) (t Token, err error) {
	var created, used int64
	err = r.Scan(&t.Hash, &t.Account, &t.Name, &created, &used)
	t.Created, t.LastUsed = toTime(created), toTime(used)
	return t, err
}
