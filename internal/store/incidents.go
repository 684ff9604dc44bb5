package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Incident is one kept incident. What Data holds is for others to read.
type Incident struct {
	ID       string
	Going    string // its fingerprint while it is not over, else ""
	State    string
	Kind     string
	Services []string // names without |
	LastSeen time.Time
	Data     []byte
}

// IncidentQuery says which incidents are asked for. A zero member asks for nothing.
type IncidentQuery struct {
	States  []string
	Kind    string
	Service string
	Since   time.Time // last seen at or after
	Before  string    // an id: older ones only
	Limit   int       // 0: all
}

// PutIncidents keeps incidents, replacing those of the same id. One that is not over takes the place of another of
// the same fingerprint that is not over: it is the same one. All are kept, or none.
func (db *DB) PutIncidents(ctx context.Context, list []Incident) error {
	if len(list) == 0 {
		return nil
	}
	return db.update(ctx, "keeping incidents", func(tx *sql.Tx) error {
		for i := range list {
			n := &list[i]
			var going any
			if n.Going != "" {
				going = n.Going
			}
			if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO incidents (id, going, state, kind, services, last_seen, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
				n.ID, going, n.State, n.Kind, "|"+strings.Join(n.Services, "|")+"|", toMillis(n.LastSeen), notNil(n.Data)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Incidents lists incidents, those of the latest onset first.
func (db *DB) Incidents(ctx context.Context, q IncidentQuery) (list []Incident, err error) {
	where, args := []string{"1"}, []any{}
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if len(q.States) > 0 {
		marks := make([]any, len(q.States))
		for i, s := range q.States {
			marks[i] = s
		}
		and("state IN (?"+strings.Repeat(", ?", len(marks)-1)+")", marks...)
	}
	if q.Kind != "" {
		and("kind = ?", q.Kind)
	}
	if q.Service != "" {
		and("instr(services, ?) > 0", "|"+q.Service+"|")
	}
	if !q.Since.IsZero() {
		and("last_seen >= ?", toMillis(q.Since))
	}
	if q.Before != "" {
		and("id < ?", q.Before)
	}
	query := "SELECT id, coalesce(going, ''), state, kind, services, last_seen, data FROM incidents WHERE " + strings.Join(where, " AND ") + " ORDER BY id DESC"
	if q.Limit > 0 {
		query += " LIMIT ?"
		args = append(args, q.Limit)
	}
	rows, err := db.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, db.wrap("listing incidents", err)
	}
	defer rows.Close()
	for rows.Next() {
		n, err := scanIncident(rows)
		if err != nil {
			return nil, db.wrap("listing incidents", err)
		}
		list = append(list, n)
	}
	if err := rows.Err(); err != nil {
		return nil, db.wrap("listing incidents", err)
	}
	return list, nil
}

// Incident reads one by its id; ErrNotFound.
func (db *DB) Incident(ctx context.Context, id string) (Incident, error) {
	n, err := scanIncident(db.read.QueryRowContext(ctx, "SELECT id, coalesce(going, ''), state, kind, services, last_seen, data FROM incidents WHERE id = ?", id))
	if err != nil {
		return Incident{}, db.wrap(fmt.Sprintf("reading the incident %q", id), err)
	}
	return n, nil
}

// DropIncidents deletes those that are over and were last seen before a time.
func (db *DB) DropIncidents(ctx context.Context, before time.Time) (dropped int64, err error) {
	return db.exec(ctx, "deleting old incidents", "DELETE FROM incidents WHERE going IS NULL AND last_seen < ?", toMillis(before))
}

func scanIncident(row interface{ Scan(...any) error }) (n Incident, err error) {
	var seen int64
	var services string
	if err = row.Scan(&n.ID, &n.Going, &n.State, &n.Kind, &services, &seen, &n.Data); err != nil {
		return n, err
	}
	n.LastSeen = fromMillis(seen)
	if services = strings.Trim(services, "|"); services != "" {
		n.Services = strings.Split(services, "|")
	}
	return n, nil
}
