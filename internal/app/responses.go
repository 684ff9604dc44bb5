package app

import (
	"context"
	"errors"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/responses"
	"causeway/internal/store"
)

// responseStore keeps responses in the database. The two packages do not know each other; here their types and
// errors are translated.
type responseStore struct{ db *store.DB }

var _ responses.Store = responseStore{}

// PutResponses implements responses.Store.
func (s responseStore) PutResponses(ctx context.Context, records []responses.Record) error {
	list := make([]store.Response, len(records))
	for i, r := range records {
		list[i] = store.Response{
			Tenant: r.Tenant, ID: r.ID, Previous: r.Previous, Root: r.Root, Provider: r.Provider, Model: r.Model,
			Created: r.Created, Expires: r.Expires, Size: r.Size(), Input: r.Input, Response: r.Response,
		}
	}
	return s.db.PutResponses(ctx, list)
}

// Response implements responses.Store.
func (s responseStore) Response(ctx context.Context, tenant, id string, now time.Time) (responses.Record, error) {
	r, err := s.db.Response(ctx, tenant, id, now)
	if err != nil {
		return responses.Record{}, absent(err)
	}
	return responses.Record{
		Tenant: r.Tenant, ID: r.ID, Previous: r.Previous, Root: r.Root, Provider: r.Provider, Model: r.Model,
		Created: r.Created, Expires: r.Expires, Input: r.Input, Response: r.Response,
	}, nil
}

// DeleteResponse implements responses.Store.
func (s responseStore) DeleteResponse(ctx context.Context, tenant, id string) error {
	return absent(s.db.DeleteResponse(ctx, tenant, id))
}

// SweepResponses implements responses.Store.
func (s responseStore) SweepResponses(ctx context.Context, now time.Time, maxSize int64) (int64, error) {
	return s.db.SweepResponses(ctx, now, maxSize)
}

func absent(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return responses.ErrNotFound
	}
	return err
}

// openResponses opens what callers of the Responses API may go on from. It is written on until Close.
func (a *App) openResponses(_ context.Context, c *catalog.Catalog) error {
	a.kept = responses.New(responseStore{a.store}, responses.Options{
		Keep: keepResponses(c), MaxSize: c.LLM.KeepResponsesSize,
		Failed: func(lost int, err error) {
			a.log.Error("responses could not be kept", "lost", lost, "error", err.Error())
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.kept.Run(ctx)
	}()
	a.onClose(func() error {
		cancel()
		<-done
		return nil
	})
	return nil
}

// keepResponses is how long responses are kept as the Keeper takes it: 0 in the file is not at all.
func keepResponses(c *catalog.Catalog) time.Duration {
	if c.LLM.KeepResponses == 0 {
		return -1
	}
	return c.LLM.KeepResponses
}
