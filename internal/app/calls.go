package app

import (
	"context"
	"errors"

	"causeway/internal/admin"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/meter"
	"causeway/internal/store"
)

// adminCalls lets the admin API search the ledger.
type adminCalls struct{ ledger *ledger.Ledger }

// Get implements admin.Calls.
func (c adminCalls) Get(ctx context.Context, id journey.ID) (journey.Journey, bool, error) {
	j, err := c.ledger.Get(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return j, false, nil
	}
	return j, err == nil, err
}

// Search implements admin.Calls.
func (c adminCalls) Search(ctx context.Context, q admin.Query) (admin.Page, error) {
	lq := ledger.Query{
		Service: q.Service, Model: q.Model, Application: q.Application, Provider: q.Provider, Kind: string(q.Kind),
		StatusFrom: q.StatusFrom, StatusTo: q.StatusTo, From: q.From, To: q.To,
		MinDuration: q.MinDuration, MaxDuration: q.MaxDuration, Limit: q.Limit, Cursor: q.Cursor,
	}
	if q.Failed != nil {
		lq.FailedOnly, lq.GoodOnly = *q.Failed, !*q.Failed
	}
	page, err := c.ledger.Search(ctx, lq)
	return admin.Page{Calls: page.Calls, Next: page.Next}, err
}

func (a *App) ledgerFigures() meter.Ledger {
	s := a.ledger.Stats()
	return meter.Ledger{
		BacklogBytes: s.BacklogBytes, Segments: s.Segments, FreeSegments: s.FreeSegments, Full: s.Full,
		Failing: s.Failure != nil, StoreBytes: s.StoreBytes, Kept: s.Committed, Stored: s.Drained,
		Dropped: s.Dropped, DroppedFailed: s.DroppedFailed, Refused: s.Refused, Unmarked: s.Unmarked,
		Killed: s.Killed, Damaged: s.Damaged, DeletedChunks: s.Deleted,
	}
}

func (a *App) ledgerState() admin.LedgerState {
	s := a.ledger.Stats()
	st := admin.LedgerState{BacklogBytes: s.BacklogBytes, Dropped: s.Dropped}
	if s.Failure != nil {
		st.Error = s.Failure.Err.Error()
	}
	return st
}

// Calls reads the calls of a data folder, whether a process is using it or not.
type Calls struct {
	*ledger.Reader
	db *store.DB
}

// OpenCalls opens a data folder for reading. The caller closes it.
func OpenCalls(ctx context.Context, dir string) (*Calls, error) {
	db, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		return nil, err
	}
	r, err := ledger.OpenReader(dir, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Calls{r, db}, nil
}

// Close gives the database back.
func (c *Calls) Close() error { return c.db.Close() }
