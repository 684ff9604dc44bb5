package responses

import (
	"context"
	"errors"
	"time"
)

// The errors of this package.
var (
	// ErrNotFound says that the tenant has no such response, or not any more.
	ErrNotFound = errors.New("no such response")
	// ErrBroken says that a conversation's beginning is not kept any more.
	ErrBroken = errors.New("the beginning of the conversation is not kept any more")
	// ErrTooLarge says that a response is larger than may be kept.
	ErrTooLarge = errors.New("the response is too large to be kept")
	// ErrBusy says that the store does not keep up with what is to be kept.
	ErrBusy = errors.New("too much is waiting to be kept")
)

// Record is one response.
type Record struct {
	Tenant   string // the application's name, "" where callers need no key
	ID       string
	Previous string // the response that it went on from, "" when it began
	// Root is the conversation's first response. Put sets it.
	Root string
	// Provider is who keeps the response, by its name in the configuration; then Input and Response are
	// empty. "" for one that is kept here.
	Provider string
	Model    string // as the caller named it
	Created  time.Time
	Expires  time.Time // set by Put
	Input    []byte    // JSON array: the items that the call added, in Responses' own form
	Response []byte    // the response object
}

// Size is what a record counts for.
func (r *Record) Size() int64 {
	return int64(len(r.Input)+len(r.Response)+len(r.ID)+len(r.Previous)+len(r.Tenant)+len(r.Model)) + 128
}

// Store keeps records for longer than the process lives. Its methods may be called concurrently.
type Store interface {
	// PutResponses keeps records, replacing those of the same tenant and id. The other records of their
	// conversations then expire when these do.
	PutResponses(ctx context.Context, records []Record) error
	// Response is one record that has not expired at now; ErrNotFound.
	Response(ctx context.Context, tenant, id string, now time.Time) (Record, error)
	// DeleteResponse removes one record; ErrNotFound.
	DeleteResponse(ctx context.Context, tenant, id string) error
	// SweepResponses removes what has expired at now, and then the oldest until all is at most maxSize bytes.
	SweepResponses(ctx context.Context, now time.Time, maxSize int64) (removed int64, err error)
}
