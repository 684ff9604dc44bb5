package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// Owned is an object that a provider keeps, and whose it is.
type Owned struct {
	Provider string
	ID       string // unique within the provider
	Tenant   string
	Kind     string
	Created  time.Time
	Models   []string
}

// PutOwned keeps o. With replace it takes the place of what is kept under its provider and id, and counts as not
// billed; without, that stays as it is.
func (db *DB) PutOwned(ctx context.Context, o Owned, replace bool) error {
	verb := "INSERT OR IGNORE"
	if replace {
		verb = "INSERT OR REPLACE"
	}
	_, err := db.exec(ctx, "keeping whose a provider's object is",
		verb+" INTO owned (provider, id, tenant, kind, created, models, billed) VALUES (?, ?, ?, ?, ?, ?, 0)",
		o.Provider, o.ID, o.Tenant, o.Kind, toMillis(o.Created), strings.Join(o.Models, "\n"))
	return err
}

// OwnedByID lists the objects with an id, of all providers and tenants, the newest first.
func (db *DB) OwnedByID(ctx context.Context, id string) ([]Owned, error) {
	const doing = "reading whose a provider's object is"
	rows, err := db.read.QueryContext(ctx, "SELECT provider, tenant, kind, created, models FROM owned WHERE id = ? ORDER BY created DESC, provider", id)
	if err != nil {
		return nil, db.wrap(doing, err)
	}
	defer rows.Close()
	var list []Owned
	for rows.Next() {
		o := Owned{ID: id}
		var created int64
		var models string
		if err := rows.Scan(&o.Provider, &o.Tenant, &o.Kind, &created, &models); err != nil {
			return nil, db.wrap(doing, err)
		}
		o.Created = fromMillis(created)
		if models != "" {
			o.Models = strings.Split(models, "\n")
		}
		list = append(list, o)
	}
	if err := rows.Err(); err != nil {
		return nil, db.wrap(doing, err)
	}
	return list, nil
}

// OwnedIDs lists the ids of a tenant's objects of one kind at a provider.
func (db *DB) OwnedIDs(ctx context.Context, tenant, provider, kind string) ([]string, error) {
	const doing = "listing a tenant's objects"
	rows, err := db.read.QueryContext(ctx, "SELECT id FROM owned WHERE tenant = ? AND provider = ? AND kind = ?", tenant, provider, kind)
	if err != nil {
		return nil, db.wrap(doing, err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, db.wrap(doing, err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, db.wrap(doing, err)
	}
	return ids, nil
}

// DropOwned removes a provider's object; it is no error if there is none.
func (db *DB) DropOwned(ctx context.Context, provider, id string) error {
	_, err := db.exec(ctx, "forgetting a provider's object", "DELETE FROM owned WHERE provider = ? AND id = ?", provider, id)
	return err
}

// BillOwned notes that an object's use has been counted; first is false when it had been, or is not kept.
func (db *DB) BillOwned(ctx context.Context, provider, id string) (first bool, err error) {
	err = db.update(ctx, "noting that a batch is billed", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE owned SET billed = 1 WHERE provider = ? AND id = ? AND billed = 0", provider, id)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		first = n > 0
		return err
	})
	return first && err == nil, err
}
