package app

import (
	"context"

	"causeway/internal/owner"
	"causeway/internal/store"
)

// ownedStore keeps whose the files and batches are that providers keep. The two packages do not know each other.
type ownedStore struct{ db *store.DB }

var _ owner.Store = ownedStore{}

// PutOwned implements owner.Store.
func (s ownedStore) PutOwned(ctx context.Context, r owner.Record, replace bool) error {
	return s.db.PutOwned(ctx, store.Owned{Provider: r.Provider, ID: r.ID, Tenant: r.Tenant, Kind: r.Kind, Created: r.Created, Models: r.Models}, replace)
}

// Owned implements owner.Store.
func (s ownedStore) Owned(ctx context.Context, id string) ([]owner.Record, error) {
	list, err := s.db.OwnedByID(ctx, id)
	records := make([]owner.Record, len(list))
	for i, o := range list {
		records[i] = owner.Record{Tenant: o.Tenant, Provider: o.Provider, ID: o.ID, Kind: o.Kind, Created: o.Created, Models: o.Models}
	}
	return records, err
}

// OwnedBy implements owner.Store.
func (s ownedStore) OwnedBy(ctx context.Context, tenant, provider, kind string) ([]string, error) {
	return s.db.OwnedIDs(ctx, tenant, provider, kind)
}

// DropOwned implements owner.Store.
func (s ownedStore) DropOwned(ctx context.Context, provider, id string) error {
	return s.db.DropOwned(ctx, provider, id)
}

// BillOwned implements owner.Store.
func (s ownedStore) BillOwned(ctx context.Context, provider, id string) (first bool, err error) {
	return s.db.BillOwned(ctx, provider, id)
}
