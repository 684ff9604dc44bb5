package app

import (
	"context"
	"errors"
	"strings"

	"causeway/internal/admin"
	"causeway/internal/incident"
	"causeway/internal/store"
)

// Incidents are those of a data folder that no instance runs on.
type Incidents struct{ db *store.DB }

// OpenIncidents opens a data folder for reading. The caller closes it.
func OpenIncidents(ctx context.Context, dir string) (*Incidents, error) {
	db, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Incidents{db}, nil
}

// Close gives the database back.
func (n *Incidents) Close() error { return n.db.Close() }

// Search implements admin.Incidents.
func (n *Incidents) Search(ctx context.Context, q admin.IncidentQuery) ([]incident.Incident, bool, error) {
	return searchIncidents(ctx, n.db, q)
}

// Get implements admin.Incidents.
func (n *Incidents) Get(ctx context.Context, id string) (incident.Incident, bool, error) {
	return getIncident(ctx, n.db, id)
}

// Watch implements admin.Incidents: nothing happens in a data folder that no instance runs on.
func (n *Incidents) Watch(context.Context) ([]incident.Incident, <-chan incident.Event) {
	none := make(chan incident.Event)
	close(none)
	return nil, none
}

func searchIncidents(ctx context.Context, db *store.DB, q admin.IncidentQuery) (list []incident.Incident, more bool, err error) {
	sq := store.IncidentQuery{Kind: string(q.Kind), Service: strings.ReplaceAll(q.Service, "|", "_"), Since: q.Since, Before: q.Before, Limit: q.Limit + 1}
	for _, s := range q.States {
		sq.States = append(sq.States, string(s))
	}
	rows, err := db.Incidents(ctx, sq)
	if err != nil {
		return nil, false, err
	}
	if more = len(rows) > q.Limit; more {
		rows = rows[:q.Limit]
	}
	for i := range rows {
		in, err := readIncident(&rows[i])
		if err != nil {
			return nil, false, err
		}
		list = append(list, in)
	}
	return list, more, nil
}

func getIncident(ctx context.Context, db *store.DB, id string) (i incident.Incident, found bool, err error) {
	row, err := db.Incident(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return i, false, nil
	}
	if err == nil {
		i, err = readIncident(&row)
	}
	return i, err == nil, err
}
