package ledger

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"causeway/internal/journey"
)

// Query says which calls to find. A field that is zero does not filter.
type Query struct {
	// From and To bound when a call began, From inclusive and To exclusive, to the millisecond.
	From, To time.Time

	Service, Route, Application, Provider, Kind, Method string
	Model                                               string // as the caller named it, or as asked of the provider
	PathPrefix                                          string
	StatusFrom, StatusTo                                int // both inclusive
	MinDuration, MaxDuration                            time.Duration
	FailedOnly                                          bool // only calls with a finding
	GoodOnly                                            bool // only calls without one

	Limit  int    // default 50, at most 500
	Cursor string // the Next of the page before, with the same fields
}

const (
	defaultLimit = 50
	mostLimit    = 500
)

// Page is a part of a search's result.
type Page struct {
	Calls []journey.Journey // newest first, by id; without kept bodies, which Get has
	Next  string            // the Cursor of the next page, "" when this is the last
}

// Search finds calls, newest first. Calls that begin while somebody pages come before the first
// page and move nothing. ErrCursor for a cursor that is none.
func (r *Reader) Search(ctx context.Context, q Query) (Page, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	top := newest{want: min(q.Limit, mostLimit) + 1} // one more tells whether there is a next page
	page := journey.ChunkPage{Below: maxID, Limit: pageChunks}
	if !q.From.IsZero() {
		page.From = journey.MinID(q.From)
	}
	if !q.To.IsZero() {
		page.Below = journey.MinID(q.To)
	}
	if q.Cursor != "" {
		cursor, ok := journey.ParseID(q.Cursor)
		if !ok {
			return Page{}, ErrCursor
		}
		if bytes.Compare(cursor[:], page.Below[:]) < 0 {
			page.Below = cursor
		}
	}
	var sum journey.Summary
	look := func(record []byte) bool {
		if journey.ReadSummary(record, &sum) == nil && above(sum.ID, page.From) && !above(sum.ID, page.Below) && q.match(&sum) {
			top.add(sum.ID, record)
		}
		return true
	}
	r.pending(look) // first: what leaves the spool in between is in the store then
	err := r.each(ctx, page, func(c *journey.Chunk, open func(func([]byte) bool) error) (bool, error) {
		if lowest, full := top.lowest(); full && above(lowest, c.Last) {
			return false, nil // no chunk from here on has a newer call
		}
		if !q.mayMatch(c) {
			return true, nil
		}
		err := open(look)
		runtime.Gosched() // a long search must not keep calls waiting
		return true, err
	})
	if err != nil {
		return Page{}, fmt.Errorf("searching calls: %w", err)
	}
	return top.page()
}

// above tells whether id is at or above low.
func above(id, low journey.ID) bool { return bytes.Compare(id[:], low[:]) >= 0 }

// mayMatch tells whether a chunk may hold a call that is looked for.
func (q *Query) mayMatch(c *journey.Chunk) bool {
	if q.FailedOnly && c.Failed == 0 {
		return false
	}
	z, err := readZone(c.Zone)
	if err != nil {
		return true
	}
	return (q.StatusFrom == 0 || z.maxStatus >= q.StatusFrom) &&
		(q.StatusTo == 0 || z.minStatus <= q.StatusTo) &&
		(q.MinDuration == 0 || z.maxTotal >= q.MinDuration) &&
		(q.MaxDuration == 0 || z.minTotal <= q.MaxDuration) &&
		z.names[zoneService].mayHold(q.Service) &&
		z.names[zoneRoute].mayHold(q.Route) &&
		z.names[zoneApplication].mayHold(q.Application) &&
		z.names[zoneProvider].mayHold(q.Provider) &&
		z.names[zoneModel].mayHold(q.Model) &&
		z.names[zoneKind].mayHold(q.Kind) &&
		z.names[zoneMethod].mayHold(q.Method)
}

// match tells whether a call is one that is looked for, its time apart.
func (q *Query) match(s *journey.Summary) bool {
	is := func(want string, got []byte) bool { return want == "" || want == string(got) }
	return (!q.FailedOnly || s.Failed) && (!q.GoodOnly || !s.Failed) &&
		(q.StatusFrom == 0 || s.Status >= q.StatusFrom) &&
		(q.StatusTo == 0 || s.Status <= q.StatusTo) &&
		(q.MinDuration == 0 || s.Total >= q.MinDuration) &&
		(q.MaxDuration == 0 || s.Total <= q.MaxDuration) &&
		is(q.Service, s.Service) && is(q.Route, s.Route) && is(q.Application, s.Application) &&
		is(q.Provider, s.Provider) && is(q.Kind, s.Kind) && is(q.Method, s.Method) &&
		(is(q.Model, s.Model) || is(q.Model, s.TargetModel)) &&
		(q.PathPrefix == "" || strings.HasPrefix(string(s.Path), q.PathPrefix))
}

// newest collects the calls with the largest ids.
type newest struct {
	want  int
	found []foundCall // sorted up to sorted
	clean bool
}

type foundCall struct {
	id     journey.ID
	record []byte
}

// bodiesFrom is the size of a record from which it is worth leaving its bodies out at once.
const bodiesFrom = 4 << 10

func (n *newest) add(id journey.ID, record []byte) {
	if len(n.found) >= 2*n.want+64 {
		n.settle()
	}
	if n.clean && len(n.found) == n.want && !above(id, n.found[n.want-1].id) {
		return
	}
	if len(record) > bodiesFrom {
		if j, err := journey.DecodeRecord(record); err == nil {
			j.RequestBody, j.ResponseBody = nil, nil
			record = j.AppendRecord(nil)
		}
	}
	n.found = append(n.found, foundCall{id, bytes.Clone(record)})
	n.clean = false
}

// settle sorts, leaves out what was found twice (in the spool and in the store), and cuts.
func (n *newest) settle() {
	if n.clean {
		return
	}
	slices.SortFunc(n.found, func(a, b foundCall) int { return bytes.Compare(b.id[:], a.id[:]) })
	n.found = slices.CompactFunc(n.found, func(a, b foundCall) bool { return a.id == b.id })
	if len(n.found) > n.want {
		clear(n.found[n.want:])
		n.found = n.found[:n.want]
	}
	n.clean = true
}

// lowest is the smallest id that still counts; full is false while there are too few.
func (n *newest) lowest() (id journey.ID, full bool) {
	if len(n.found) < n.want {
		return id, false
	}
	if n.settle(); len(n.found) < n.want {
		return id, false
	}
	return n.found[n.want-1].id, true
}

func (n *newest) page() (Page, error) {
	n.settle()
	var p Page
	if len(n.found) == n.want {
		n.found = n.found[:n.want-1]
		p.Next = n.found[len(n.found)-1].id.String()
	}
	p.Calls = make([]journey.Journey, len(n.found))
	for i, f := range n.found {
		j, err := journey.DecodeRecord(f.record)
		if err != nil {
			return Page{}, fmt.Errorf("reading the call %s: %w", f.id, err)
		}
		j.RequestBody, j.ResponseBody = nil, nil
		p.Calls[i] = j
	}
	return p, nil
}
