package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong, for errors.Is. The error's text names the file and the way out.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")

	ErrCorrupt  = errors.New("the database is damaged")
	ErrNewer    = errors.New("the database was written by a newer version")
	ErrOlder    = errors.New("the database was written by an older version")
	ErrForeign  = errors.New("this is a SQLite database, but not one of Causeway's")
	ErrReadOnly = errors.New("the database cannot be written")
	ErrFull     = errors.New("no space left for the database")
	ErrBusy     = errors.New("the database is locked by another process")
)

// wrap gives an error of the driver its sentinel, the file's name and the way out.
func (db *DB) wrap(doing string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	switch se.Code() & 0xff { // the primary code of an extended one
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return db.corrupt(doing, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%s: %w: make room on the disk of %s, or lower calls.max_size; until then calls wait in the spool (%w)", doing, ErrFull, db.path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return fmt.Errorf("%s: %w: %s: check the owner and mode of the file and its folder, and that the disk is not mounted read-only (%w)", doing, ErrReadOnly, db.path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s: %w: %s: end the program that holds it open (%w)", doing, ErrBusy, db.path, err)
	case sqlite3.SQLITE_CONSTRAINT:
		switch se.Code() {
		case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
			return fmt.Errorf("%s: %w", doing, ErrExists)
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return fmt.Errorf("%s: what it belongs to: %w", doing, ErrNotFound)
		}
	}
	return fmt.Errorf("%s: %s: %w", doing, db.path, err)
}

func (db *DB) corrupt(doing string, err error) error {
	return fmt.Errorf("%s: %w: %s: stop Causeway, move the file and its -wal and -shm files aside and start again; calls that are not yet in it wait in the spool (%w)",
		doing, ErrCorrupt, db.path, err)
}

func (db *DB) newer(version, known int) error {
	return fmt.Errorf("%w: %s has schema %d, this program knows up to %d: use the version that wrote it, or another data folder",
		ErrNewer, db.path, version, known)
}
