package store

import (
	"context"
	"fmt"
	"time"
)

// Token is a personal access token of an account.
type Token struct {
	ID       string   // unique within the account; tokens are listed by it
	Hash     [32]byte // of its secret, which is not kept
	Hint     string
	Account  string
	Name     string // unique within the account
	Role     string
	Created  time.Time
	Expires  time.Time // zero: never
	LastUsed time.Time // zero: never
}

const selectTokens = "SELECT id, hash, hint, account, name, role, created, expires, last_used FROM tokens "

// CreateToken keeps a token; ErrExists when the account has one of that name, or the id or hash is
// in use; ErrNotFound when there is no such account.
func (db *DB) CreateToken(ctx context.Context, t Token) error {
	_, err := db.exec(ctx, fmt.Sprintf("creating the token %q", t.Name),
		"INSERT INTO tokens (id, hash, hint, account, name, role, created, expires, last_used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		t.ID, t.Hash[:], t.Hint, t.Account, t.Name, t.Role, toMillis(t.Created), toMillis(t.Expires), toMillis(t.LastUsed))
	return err
}

// Token finds a token by the hash of its secret, expired ones too; ErrNotFound.
func (db *DB) Token(ctx context.Context, hash [32]byte) (Token, error) {
	t, err := scanToken(db.read.QueryRowContext(ctx, selectTokens+"WHERE hash = ?", hash[:]))
	if err != nil {
		return Token{}, db.wrap("reading a token", err)
	}
	return t, nil
}

// Tokens lists an account's tokens by descending id: those below the id before unless it is "", at
// most limit.
func (db *DB) Tokens(ctx context.Context, account, before string, limit int) ([]Token, error) {
	const doing = "listing tokens"
	rows, err := db.read.QueryContext(ctx, selectTokens+"WHERE account = ?1 AND (?2 = '' OR id < ?2) ORDER BY id DESC LIMIT ?3",
		account, before, limit)
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

// TouchToken notes when a token was last used. One that does not exist is no error: it was deleted
// while it was in use.
func (db *DB) TouchToken(ctx context.Context, hash [32]byte, at time.Time) error {
	_, err := db.exec(ctx, "noting a token's use", "UPDATE tokens SET last_used = ? WHERE hash = ?", toMillis(at), hash[:])
	return err
}

// DeleteToken removes an account's token by its id; ErrNotFound, also when it is another account's.
func (db *DB) DeleteToken(ctx context.Context, account, id string) error {
	doing := fmt.Sprintf("deleting the token %q", id)
	n, err := db.exec(ctx, doing, "DELETE FROM tokens WHERE account = ? AND id = ?", account, id)
	return found(doing, n, err)
}

// row is what *sql.Row and *sql.Rows have in common.
type row interface{ Scan(dest ...any) error }

func scanToken(r row) (t Token, err error) {
	var hash []byte
	var created, expires, used int64
	err = r.Scan(&t.ID, &hash, &t.Hint, &t.Account, &t.Name, &t.Role, &created, &expires, &used)
	copy(t.Hash[:], hash)
	t.Created, t.Expires, t.LastUsed = fromMillis(created), fromMillis(expires), fromMillis(used)
	return t, err
}
