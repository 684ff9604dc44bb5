// Package store keeps what must outlive the process in one SQLite file, causeway.db in the data
// folder: chunks of calls (calls.go), accounts with their sessions and tokens (accounts.go,
// sessions.go, tokens.go) and settings (settings.go). Plain SQL, one file per noun; the schema's
// history is the list in migrations.go. It knows nothing of what the values mean.
//
// The file is in WAL mode with synchronous=NORMAL: a killed process loses nothing that was
// committed, a power cut may lose the last moments but never leaves a broken file. One connection
// writes, a few read beside it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// FileName is the name of the database in the data folder.
const FileName = "causeway.db"

const (
	// pageSize makes a chunk of calls four or five pages: fewer system calls per chunk than with
	// SQLite's default of 4 KiB, measured in docs/decisions/0002-call-log.md.
	pageSize = 16 << 10
	// walPages is the length of the write-ahead log at which it is copied into the database: 4 MiB.
	walPages = 256
	// applicationID marks the file as ours ("CSWY") for SQLite's application_id.
	applicationID = 0x43535759
	readers       = 4
	busyTimeout   = 5 * time.Second
)

// DB is an open database. Its methods may be called concurrently. Their errors wrap one of the
// sentinels of this package where one fits, and name the file.
type DB struct {
	path  string
	write *sql.DB // one connection; nil when opened for reading only
	read  *sql.DB
	chunk chunkStatements
}

// Open opens the database in the folder dir, creating both where missing, and brings its schema up
// to date. The caller closes it. Errors: ErrCorrupt, ErrNewer, ErrForeign, ErrReadOnly, ErrFull or
// ErrBusy with the way out, or what the system said.
func Open(ctx context.Context, dir string) (*DB, error) {
	path, err := filepath.Abs(filepath.Join(dir, FileName))
	if err != nil {
		return nil, fmt.Errorf("finding the data folder %s: %w", dir, err)
	}
	db := &DB{path: path}
	if err := db.createFile(); err != nil {
		return nil, err
	}
	if err := db.openWriter(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	if db.read, err = sql.Open("sqlite", dsn(path, url.Values{"mode": {"ro"}, "_query_only": {"1"}})); err != nil {
		_ = db.Close()
		return nil, db.wrap("opening for reading", err)
	}
	db.read.SetMaxOpenConns(readers)
	db.read.SetConnMaxIdleTime(time.Minute)
	if err := db.chunk.prepare(ctx, db); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// createFile makes the folder and an empty file that only its owner can read: it will hold
// password hashes and, where configured, bodies. SQLite gives its companion files the same mode.
func (db *DB) createFile() error {
	if err := os.MkdirAll(filepath.Dir(db.path), 0o700); err != nil {
		return fmt.Errorf("creating the data folder: %w", err)
	}
	f, err := os.OpenFile(db.path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("opening the database: %w: %s: check its owner and mode and those of its folder (%w)", ErrReadOnly, db.path, err)
	}
	if err != nil {
		return db.wrap("opening the database", err)
	}
	return f.Close()
}

func (db *DB) openWriter(ctx context.Context) error {
	var err error
	db.write, err = sql.Open("sqlite", dsn(db.path, url.Values{
		"_txlock": {"immediate"}, "_foreign_keys": {"1"}, "_synchronous": {"NORMAL"},
		"_pragma": {"wal_autocheckpoint(" + strconv.Itoa(walPages) + ")"},
	}))
	if err != nil {
		return db.wrap("opening the database", err)
	}
	db.write.SetMaxOpenConns(1)
	if err := db.prepareFile(ctx); err != nil {
		return err
	}
	return db.migrate(ctx, migrations)
}

// prepareFile sets what can only be set before the first table: page size and vacuum mode. It
// also is the first to look at the file, so it finds one that is damaged or somebody else's.
func (db *DB) prepareFile(ctx context.Context) error {
	var pages, id int64
	if err := db.write.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return db.wrap("opening the database", err)
	}
	if err := db.write.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return db.wrap("opening the database", err)
	}
	switch {
	case pages == 0:
		setup := fmt.Sprintf("PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA application_id=%d;",
			pageSize, applicationID)
		if _, err := db.write.ExecContext(ctx, setup); err != nil {
			return db.wrap("creating the database", err)
		}
	case id != applicationID:
		return fmt.Errorf("%w: %s: move it away or choose another data folder", ErrForeign, db.path)
	}
	return nil
}

// OpenReadOnly opens the database of a data folder for reading, whether a process is using it or
// not, and changes nothing in it. Methods that write return ErrReadOnly. ErrNotFound when the
// folder has no database, else the errors of Open.
func OpenReadOnly(ctx context.Context, dir string) (*DB, error) {
	path, err := filepath.Abs(filepath.Join(dir, FileName))
	if err != nil {
		return nil, fmt.Errorf("finding the data folder %s: %w", dir, err)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, fmt.Errorf("%w: no database %s", ErrNotFound, path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	db := &DB{path: path}
	err = db.openReader(ctx, url.Values{"mode": {"ro"}, "_query_only": {"1"}})
	if errors.Is(err, ErrReadOnly) && !holdsBytes(path+"-wal") {
		// SQLite wants to make its -shm file even to read. In a folder we may not write to,
		// with nothing in the write-ahead log, the file can be read as it is.
		err = db.openReader(ctx, url.Values{"immutable": {"1"}, "mode": {"ro"}, "_query_only": {"1"}})
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

func holdsBytes(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

func (db *DB) openReader(ctx context.Context, values url.Values) error {
	var err error
	if db.read, err = sql.Open("sqlite", dsn(db.path, values)); err != nil {
		return db.wrap("opening the database", err)
	}
	db.read.SetMaxOpenConns(readers)
	err = db.checkVersion(ctx)
	if err == nil {
		err = db.chunk.prepare(ctx, db)
	}
	if err != nil {
		_ = db.Close()
	}
	return err
}

// checkVersion refuses a schema that this program cannot read.
func (db *DB) checkVersion(ctx context.Context) error {
	var version, id int
	if err := db.read.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return db.wrap("opening the database", err)
	}
	if err := db.read.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return db.wrap("opening the database", err)
	}
	switch {
	case id != applicationID:
		return fmt.Errorf("%w: %s", ErrForeign, db.path)
	case version > len(migrations):
		return db.newer(version, len(migrations))
	case version < len(migrations):
		return fmt.Errorf("%w: %s has schema %d, this program reads schema %d: start causeway serve on the folder once to bring it up to date",
			ErrOlder, db.path, version, len(migrations))
	}
	return db.Ping(ctx) // the first to read the schema
}

// Path is the database file.
func (db *DB) Path() string { return db.path }

// Ping tells whether the database can be read, for /readyz.
func (db *DB) Ping(ctx context.Context) error {
	var n int
	if err := db.read.QueryRowContext(ctx, "SELECT count(*) FROM settings").Scan(&n); err != nil {
		return db.wrap("reading the database", err)
	}
	return nil
}

// Close waits for running statements and closes the file. The DB cannot be used afterwards.
func (db *DB) Close() error {
	errs := []error{db.chunk.close()}
	if db.read != nil {
		errs = append(errs, db.read.Close())
	}
	if db.write != nil { // last: the last connection to close folds the write-ahead log into the file
		errs = append(errs, db.write.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return db.wrap("closing the database", err)
	}
	return nil
}

// update runs f in a transaction of the one writing connection.
func (db *DB) update(ctx context.Context, doing string, f func(tx *sql.Tx) error) error {
	if db.write == nil {
		return fmt.Errorf("%s: %w: %s was opened for reading", doing, ErrReadOnly, db.path)
	}
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return db.wrap(doing, err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return db.wrap(doing, err)
	}
	if err := tx.Commit(); err != nil {
		return db.wrap(doing, err)
	}
	return nil
}

// exec runs one statement in its own transaction; affected is the number of rows it changed.
func (db *DB) exec(ctx context.Context, doing, query string, args ...any) (affected int64, err error) {
	err = db.update(ctx, doing, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		affected, err = result.RowsAffected()
		return err
	})
	return affected, err
}

func dsn(path string, values url.Values) string {
	values.Set("_busy_timeout", strconv.Itoa(int(busyTimeout/time.Millisecond)))
	return (&url.URL{Scheme: "file", Path: path, RawQuery: values.Encode()}).String()
}
