package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"causeway/internal/journey"
)

// spans are the lengths of time that a chunk of span class 0, 1 and 2 covers at most; class 3 has
// no bound. To find the chunks around one moment it is enough to look at those whose last id is at
// most a span later: with one class, a single call of an hour would make that every chunk.
var spans = [...]time.Duration{5 * time.Second, 5 * time.Minute, 2 * time.Hour}

func spanClass(c *journey.Chunk) int {
	d := c.Last.Time().Sub(c.First.Time())
	for class, span := range spans {
		if d <= span {
			return class
		}
	}
	return len(spans)
}

// chunkStatements are prepared once: those that write run for every chunk, and preparing the
// others takes longer than running them.
type chunkStatements struct {
	chunk, data, mark, forget, drop, dropData *sql.Stmt // of the writing connection
	list, over, read                          *sql.Stmt
}

// prepare prepares the statements of the connections that are open.
func (s *chunkStatements) prepare(ctx context.Context, db *DB) error {
	for _, p := range []struct {
		to    **sql.Stmt
		on    *sql.DB
		query string
	}{
		{&s.chunk, db.write, "INSERT INTO chunks (first_id, last_id, calls, failed, span, zone) VALUES (?, ?, ?, ?, ?, ?)"},
		{&s.data, db.write, "INSERT INTO chunk_data (key, data) VALUES (?, ?)"},
		{&s.mark, db.write, "INSERT INTO spool_marks (segment, offset) VALUES (?, ?) ON CONFLICT (segment) DO UPDATE SET offset = excluded.offset"},
		{&s.forget, db.write, "DELETE FROM spool_marks WHERE segment = ?"},
		{&s.drop, db.write, "DELETE FROM chunks WHERE key IN (SELECT key FROM chunks WHERE last_id < ? ORDER BY last_id LIMIT ?) RETURNING key"},
		{&s.dropData, db.write, "DELETE FROM chunk_data WHERE key = ?"},
		{&s.list, db.read, listChunks},
		{&s.over, db.read, listChunksOver},
		{&s.read, db.read, "SELECT data FROM chunk_data WHERE key = ?"},
	} {
		if p.on == nil {
			continue
		}
		stmt, err := p.on.PrepareContext(ctx, p.query)
		if err != nil {
			return db.wrap("opening the database", err)
		}
		*p.to = stmt
	}
	return nil
}

func (s *chunkStatements) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.chunk, s.data, s.mark, s.forget, s.drop, s.dropData, s.list, s.over, s.read} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// AppendChunks keeps a batch: all of it or, with an error, nothing. It sets the chunks' keys.
func (db *DB) AppendChunks(ctx context.Context, b journey.Batch) error {
	return db.update(ctx, "keeping calls", func(tx *sql.Tx) error {
		chunk, data := tx.StmtContext(ctx, db.chunk.chunk), tx.StmtContext(ctx, db.chunk.data)
		for i := range b.Chunks {
			c := &b.Chunks[i]
			result, err := chunk.ExecContext(ctx, c.First.String(), c.Last.String(), c.Count, c.Failed, spanClass(c), c.Zone)
			if err != nil {
				return err
			}
			if c.Key, err = result.LastInsertId(); err != nil {
				return err
			}
			if _, err := data.ExecContext(ctx, c.Key, c.Data); err != nil {
				return err
			}
		}
		for _, m := range b.Marks {
			if _, err := tx.StmtContext(ctx, db.chunk.mark).ExecContext(ctx, m.Segment, m.Offset); err != nil {
				return err
			}
		}
		for _, segment := range b.Forget {
			if _, err := tx.StmtContext(ctx, db.chunk.forget).ExecContext(ctx, segment); err != nil {
				return err
			}
		}
		return nil
	})
}

// SpoolMarks lists up to where spool segments have been taken over.
func (db *DB) SpoolMarks(ctx context.Context) ([]journey.SpoolMark, error) {
	const doing = "reading the spool's marks"
	rows, err := db.read.QueryContext(ctx, "SELECT segment, offset FROM spool_marks")
	if err != nil {
		return nil, db.wrap(doing, err)
	}
	defer rows.Close()
	var list []journey.SpoolMark
	for rows.Next() {
		var m journey.SpoolMark
		if err := rows.Scan(&m.Segment, &m.Offset); err != nil {
			return nil, db.wrap(doing, err)
		}
		list = append(list, m)
	}
	if err := rows.Err(); err != nil {
		return nil, db.wrap(doing, err)
	}
	return list, nil
}

const (
	chunkColumns = "SELECT key, first_id, last_id, calls, failed, zone FROM chunks "

	listChunks = chunkColumns + "WHERE (last_id, key) < (?, ?) AND last_id >= ? ORDER BY last_id DESC, key DESC LIMIT ?"

	// listChunksOver lists the chunks that hold ids on both sides of ?1. ?2 to ?4 are a span of each
	// class later, ?5 is where the listing begins.
	listChunksOver = chunkColumns + `WHERE key IN (
			SELECT key FROM chunks WHERE last_id >= ?1 AND last_id < ?2 AND first_id < ?1 AND span = 0
			UNION ALL SELECT key FROM chunks WHERE span = 1 AND last_id >= ?1 AND last_id < ?3 AND first_id < ?1
			UNION ALL SELECT key FROM chunks WHERE span = 2 AND last_id >= ?1 AND last_id < ?4 AND first_id < ?1
			UNION ALL SELECT key FROM chunks WHERE span = 3 AND last_id >= ?1 AND first_id < ?1
		) AND last_id >= ?5 ORDER BY last_id DESC, key DESC`
)

// Chunks lists chunks by last id, newest first, without their data. The first page (p.After nil)
// may hold more than p.Limit: all chunks that reach over p.Below come with it.
func (db *DB) Chunks(ctx context.Context, p journey.ChunkPage) (list []journey.Chunk, err error) {
	below, from := p.Below.String(), p.From.String()
	last, key := below, int64(-1)
	if p.After == nil {
		later := func(span time.Duration) string {
			return journey.MinID(p.Below.Time().Add(span + time.Millisecond)).String()
		}
		list, err = db.chunks(ctx, nil, db.chunk.over, below, later(spans[0]), later(spans[1]), later(spans[2]), from)
		if err != nil {
			return nil, err
		}
	} else if p.After.Last.String() < below {
		last, key = p.After.Last.String(), p.After.Key
	}
	return db.chunks(ctx, list, db.chunk.list, last, key, from, p.Limit)
}

func (db *DB) chunks(ctx context.Context, list []journey.Chunk, stmt *sql.Stmt, args ...any) ([]journey.Chunk, error) {
	const doing = "listing calls"
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, db.wrap(doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		var c journey.Chunk
		var first, last string
		if err := rows.Scan(&c.Key, &first, &last, &c.Count, &c.Failed, &c.Zone); err != nil {
			return nil, db.wrap(doing, err)
		}
		copy(c.First[:], first)
		copy(c.Last[:], last)
		list = append(list, c)
	}
	if err := rows.Err(); err != nil {
		return nil, db.wrap(doing, err)
	}
	return list, nil
}

// ChunkData reads the contents of a chunk; nil when retention has taken it since it was listed.
func (db *DB) ChunkData(ctx context.Context, key int64) ([]byte, error) {
	var data []byte
	err := db.chunk.read.QueryRowContext(ctx, key).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, db.wrap("reading calls", err)
	}
	return data, nil
}

// DropChunks deletes at most limit of the oldest chunks whose last id is below before, and tells
// how many.
func (db *DB) DropChunks(ctx context.Context, before journey.ID, limit int) (dropped int, err error) {
	err = db.update(ctx, "deleting old calls", func(tx *sql.Tx) error {
		rows, err := tx.StmtContext(ctx, db.chunk.drop).QueryContext(ctx, before.String(), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		var keys []int64
		for rows.Next() {
			var key int64
			if err := rows.Scan(&key); err != nil {
				return err
			}
			keys = append(keys, key)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		dropData := tx.StmtContext(ctx, db.chunk.dropData)
		for _, key := range keys {
			if _, err := dropData.ExecContext(ctx, key); err != nil {
				return err
			}
		}
		dropped = len(keys)
		return nil
	})
	return dropped, err
}

// Size tells how many bytes of the file are in use and how many wait to be used again or given
// back.
func (db *DB) Size(ctx context.Context) (used, free int64, err error) {
	var pages, unused, size int64
	for _, p := range []struct {
		pragma string
		to     *int64
	}{{"page_count", &pages}, {"freelist_count", &unused}, {"page_size", &size}} {
		if err := db.read.QueryRowContext(ctx, "PRAGMA "+p.pragma).Scan(p.to); err != nil {
			return 0, 0, db.wrap("reading the database's size", err)
		}
	}
	return (pages - unused) * size, unused * size, nil
}

// Shrink gives up to limit bytes of unused space back to the file system.
func (db *DB) Shrink(ctx context.Context, limit int64) error {
	const doing = "giving disk space back"
	if db.write == nil {
		return fmt.Errorf("%s: %w: %s was opened for reading", doing, ErrReadOnly, db.path)
	}
	if _, err := db.write.ExecContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", max(limit/pageSize, 1))); err != nil {
		return db.wrap(doing, err)
	}
	return nil
}
