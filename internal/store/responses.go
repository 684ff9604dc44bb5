package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Response is one kept response of the Responses API. What Input and Response hold is for others to read.
type Response struct {
	Tenant   string
	ID       string // unique within the tenant
	Previous string
	Root     string // the first of its conversation
	Provider string
	Model    string
	Created  time.Time
	Expires  time.Time
	Size     int64 // what it counts for
	Input    []byte
	Response []byte
}

// PutResponses keeps responses, replacing those of the same tenant and id. The others of their conversations then
// expire no sooner than these do. All are kept, or none.
func (db *DB) PutResponses(ctx context.Context, list []Response) error {
	return db.update(ctx, "keeping responses", func(tx *sql.Tx) error {
		for i := range list {
			r := &list[i]
			_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO responses
				(tenant, id, root, previous, provider, model, created, expires, size, input, response) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				r.Tenant, r.ID, r.Root, r.Previous, r.Provider, r.Model, toMillis(r.Created), toMillis(r.Expires), r.Size, notNil(r.Input), notNil(r.Response))
			if err == nil && r.Root != r.ID {
				_, err = tx.ExecContext(ctx, "UPDATE responses SET expires = ?1 WHERE tenant = ?2 AND root = ?3 AND expires < ?1",
					toMillis(r.Expires), r.Tenant, r.Root)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// notNil keeps an empty value from becoming NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Response reads the tenant's response that has not expired at now; ErrNotFound.
func (db *DB) Response(ctx context.Context, tenant, id string, now time.Time) (Response, error) {
	r := Response{Tenant: tenant, ID: id}
	var created, expires int64
	err := db.read.QueryRowContext(ctx, `SELECT root, previous, provider, model, created, expires, size, input, response FROM responses
		WHERE tenant = ? AND id = ? AND expires > ?`, tenant, id, toMillis(now)).
		Scan(&r.Root, &r.Previous, &r.Provider, &r.Model, &created, &expires, &r.Size, &r.Input, &r.Response)
	if err != nil {
		return Response{}, db.wrap(fmt.Sprintf("reading the response %q", id), err)
	}
	r.Created, r.Expires = fromMillis(created), fromMillis(expires)
	return r, nil
}

// DeleteResponse removes the tenant's response; ErrNotFound.
func (db *DB) DeleteResponse(ctx context.Context, tenant, id string) error {
	doing := fmt.Sprintf("deleting the response %q", id)
	n, err := db.exec(ctx, doing, "DELETE FROM responses WHERE tenant = ? AND id = ?", tenant, id)
	if err == nil && n == 0 {
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	return err
}

// sweepAtOnce is how many rows a sweep removes in one transaction: others write between them.
const sweepAtOnce = 200

// SweepResponses removes what has expired at now, and then the oldest until all count for at most maxSize.
func (db *DB) SweepResponses(ctx context.Context, now time.Time, maxSize int64) (removed int64, err error) {
	for {
		n, err := db.exec(ctx, "removing expired responses",
			"DELETE FROM responses WHERE rowid IN (SELECT rowid FROM responses WHERE expires <= ? LIMIT ?)", toMillis(now), sweepAtOnce)
		removed += n
		if err != nil {
			return removed, err
		}
		if n < sweepAtOnce {
			break
		}
	}
	for {
		var total int64
		if err := db.read.QueryRowContext(ctx, "SELECT coalesce(sum(size), 0) FROM responses").Scan(&total); err != nil {
			return removed, db.wrap("measuring the kept responses", err)
		}
		if total <= maxSize {
			return removed, nil
		}
		// The oldest, up to the one with which the rest fits.
		n, err := db.exec(ctx, "removing the oldest responses", `DELETE FROM responses WHERE rowid IN (
			SELECT rowid FROM (SELECT rowid, sum(size) OVER (ORDER BY created, rowid) - size AS before FROM responses)
			WHERE before < ? LIMIT ?)`, total-maxSize, sweepAtOnce)
		removed += n
		if err != nil || n == 0 {
			return removed, err
		}
	}
}
