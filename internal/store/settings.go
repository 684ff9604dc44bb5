package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Setting reads a value by its key; ErrNotFound.
func (db *DB) Setting(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	if err := db.read.QueryRowContext(ctx, "SELECT value FROM settings WHERE key = ?", key).Scan(&value); err != nil {
		return nil, db.wrap(fmt.Sprintf("reading the setting %q", key), err)
	}
	return value, nil
}

// SetSetting keeps a value under a key, replacing an earlier one.
func (db *DB) SetSetting(ctx context.Context, key string, value []byte) error {
	if value == nil {
		value = []byte{} // nil would be NULL
	}
	_, err := db.exec(ctx, fmt.Sprintf("keeping the setting %q", key),
		"INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

// UpdateSetting replaces a value by what change makes of it, nil where there is none yet; no other process writes it
// between the two. An error of change leaves it as it was.
func (db *DB) UpdateSetting(ctx context.Context, key string, change func(value []byte) ([]byte, error)) error {
	return db.update(ctx, fmt.Sprintf("changing the setting %q", key), func(tx *sql.Tx) error {
		var value []byte
		err := tx.QueryRowContext(ctx, "SELECT value FROM settings WHERE key = ?", key).Scan(&value)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if value, err = change(value); err != nil {
			return err
		}
		if value == nil {
			value = []byte{}
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
		return err
	})
}

// DeleteSetting removes a value. One that does not exist is no error.
func (db *DB) DeleteSetting(ctx context.Context, key string) error {
	_, err := db.exec(ctx, fmt.Sprintf("deleting the setting %q", key), "DELETE FROM settings WHERE key = ?", key)
	return err
}
