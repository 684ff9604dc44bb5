package store

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations is the schema's history. Number n brings a database from schema n-1 to n, in one
// transaction; SQLite's user_version says where a file stands. An entry is never changed once it
// was released: a change of the schema is a new entry.
var migrations = []string{
	`
-- Calls, in chunks of some hundred. Times and names inside are for the ledger to read (zone); ids
-- sort by time. span is 0 for chunks that cover a short time, so that the few that cover a long
-- one (the calls of long streams) do not slow the search for one moment: see calls.go.
CREATE TABLE chunks (
	key      INTEGER PRIMARY KEY,
	first_id TEXT    NOT NULL,
	last_id  TEXT    NOT NULL,
	calls    INTEGER NOT NULL,
	failed   INTEGER NOT NULL,
	span     INTEGER NOT NULL,
	zone     BLOB    NOT NULL
) STRICT;
CREATE INDEX chunks_last ON chunks (last_id);
CREATE INDEX chunks_wide ON chunks (span, last_id) WHERE span > 0;

-- Their contents stand apart, so that a listing of chunks reads few pages.
CREATE TABLE chunk_data (
	key  INTEGER PRIMARY KEY,
	data BLOB NOT NULL
) STRICT;

-- Up to where each spool segment has been taken over.
CREATE TABLE spool_marks (
	segment INTEGER PRIMARY KEY,
	offset  INTEGER NOT NULL
) STRICT;

-- Times of accounts, sessions and tokens are Unix milliseconds, 0 for never.
CREATE TABLE accounts (
	name          TEXT    PRIMARY KEY,
	role          TEXT    NOT NULL,
	password_hash TEXT    NOT NULL,
	created       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
	hash    BLOB    PRIMARY KEY,
	account TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expires ON sessions (expires);

-- The primary key is the order in which an account's tokens are listed.
CREATE TABLE tokens (
	account   TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
	id        TEXT    NOT NULL,
	hash      BLOB    NOT NULL UNIQUE,
	hint      TEXT    NOT NULL,
	name      TEXT    NOT NULL,
	role      TEXT    NOT NULL,
	created   INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	last_used INTEGER NOT NULL,
	PRIMARY KEY (account, id),
	UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
	key   TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
`,
	`
-- Responses that callers may go on from (internal/responses). Times are Unix milliseconds. The answers stand in
-- the row's last columns, so that a sweep reads the index alone.
CREATE TABLE responses (
	tenant   TEXT    NOT NULL,
	id       TEXT    NOT NULL,
	root     TEXT    NOT NULL,
	previous TEXT    NOT NULL,
	provider TEXT    NOT NULL,
	model    TEXT    NOT NULL,
	created  INTEGER NOT NULL,
	expires  INTEGER NOT NULL,
	size     INTEGER NOT NULL,
	input    BLOB    NOT NULL,
	response BLOB    NOT NULL,
	PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX responses_root ON responses (tenant, root);
CREATE INDEX responses_expires ON responses (expires);
CREATE INDEX responses_age ON responses (created, size);
`,
	`
-- Objects that providers keep under ids of their own (files, batches), and whose they are (internal/owner).
CREATE TABLE owned (
	provider TEXT    NOT NULL,
	id       TEXT    NOT NULL,
	tenant   TEXT    NOT NULL,
	kind     TEXT    NOT NULL,
	created  INTEGER NOT NULL,
	models   TEXT    NOT NULL,
	billed   INTEGER NOT NULL,
	PRIMARY KEY (provider, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX owned_id ON owned (id);
CREATE INDEX owned_tenant ON owned (tenant, provider, kind);
`,
	`
-- Incidents (internal/incident). Their ids sort by the time of their onset; times are Unix milliseconds. services is
-- the names that were hit, each between two |. data is all of it, as JSON. going is the fingerprint of one that is not
-- over: of each there is one, also while two processes write.
CREATE TABLE incidents (
	id        TEXT    PRIMARY KEY,
	going     TEXT    UNIQUE,
	state     TEXT    NOT NULL,
	kind      TEXT    NOT NULL,
	services  TEXT    NOT NULL,
	last_seen INTEGER NOT NULL,
	data      BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_seen ON incidents (last_seen);
`,
}

// migrate brings the schema up to the last of list.
func (db *DB) migrate(ctx context.Context, list []string) error {
	var version int
	if err := db.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return db.wrap("reading the schema's version", err)
	}
	if version > len(list) {
		return db.newer(version, len(list))
	}
	for ; version < len(list); version++ {
		doing := fmt.Sprintf("bringing the database to schema %d", version+1)
		err := db.update(ctx, doing, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, list[version]); err != nil {
				return err
			}
			// PRAGMA takes no parameters; the number is ours.
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version=%d", version+1))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
