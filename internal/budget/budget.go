// Package budget keeps callers within what they may use in a window of time: tokens a minute, dollars a
// month. A call reserves what it may use before it goes out and settles what it did use when it is over, so
// that calls that run at the same time cannot spend the same dollar twice.
//
// A reservation is of two numbers: what the call is likely to use, and what it uses at least by what it says itself (its
// prompt, and the most that it lets the model answer). It is granted while what is used, what others have reserved and
// what is likely fit together. Where nobody else has a reservation the lesser number must fit alone: the rest is a
// guess, and so a limit is passed by at most what one call used more than it had said. Where not even that fits the call
// is refused at once. While only others' reservations stand in the way a call waits for them to be settled.
package budget

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Unit is what a limit counts.
type Unit uint8

// The units. Dollars are counted in billionths.
const (
	Tokens Unit = iota
	Nanodollars
)

// Period is the window of a limit. Windows are the same for everybody and begin at whole multiples of the
// period since 1970, months, weeks (on Mondays) and days at midnight, all in UTC.
type Period struct {
	Every    time.Duration // of a window of fixed length
	Calendar string        // "day", "week" or "month"; "" for Every
}

// Window is the window at a time: its begin and its end.
func (p Period) Window(now time.Time) (from, to time.Time) {
	now = now.UTC()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	switch p.Calendar {
	case "day":
		return day, day.AddDate(0, 0, 1)
	case "week":
		from = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		return from, from.AddDate(0, 0, 7)
	case "month":
		from = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(0, 1, 0)
	}
	from = now.Truncate(p.Every)
	return from, from.Add(p.Every)
}

func (p Period) String() string {
	if p.Calendar != "" {
		return p.Calendar
	}
	return p.Every.String()
}

// Limit is how much may be used in a window.
type Limit struct {
	Name   string // who it is for and what it counts, such as "application/web/tokens": the same on every node
	Unit   Unit
	Max    int64
	Period Period
}

// Window is the counter of the limit's window at a time, and when that ends.
func (l *Limit) Window(now time.Time) (key string, ends time.Time) {
	from, to := l.Period.Window(now)
	return l.Name + "/" + strconv.FormatInt(from.Unix(), 10), to
}

// Verdict is what became of a reservation.
type Verdict uint8

// The verdicts.
const (
	Granted Verdict = iota
	Busy            // what others have reserved leaves no room yet
	Spent           // the limit is used up
	Short           // something is left, and less than what the call itself asks for
)

// State is what a limit's window holds.
type State struct{ Used, Reserved int64 }

// Amount is what a call wants of one limit, in its unit.
type Amount struct {
	Likely int64 // reserved
	Least  int64 // of it, what the call says itself: with less left it is refused
	// Counted is the part of Least that was counted and not said. It alone keeps nobody out of a window that nobody has
	// used, since who bills may count otherwise.
	Counted int64
}

// Ask is what a call wants of limits, by their unit: tokens, and billionths of dollars.
type Ask struct{ Tokens, Nano Amount }

// Counters keep the windows of limits. They are safe for concurrent use. Amounts are in the limit's unit,
// key names one window of one limit.
type Counters interface {
	// Reserve sets what is likely aside under id, which no other reservation of the key has. The window is forgotten
	// after ends, and a reservation that is never settled after an hour.
	Reserve(ctx context.Context, key, id string, amount Amount, limit int64, ends time.Time) (Verdict, State, error)
	// Settle gives a reservation back and counts what was used.
	Settle(ctx context.Context, key, id string, used int64, ends time.Time) error
	// Look tells what a window holds.
	Look(ctx context.Context, key string) (State, error)
	// Changed is closed when something of the key may have been settled. A caller waits for it no longer
	// than a moment, since another node's settling is not always told.
	Changed(key string) <-chan struct{}
}

// Refusal says which limit keeps a call out.
type Refusal struct {
	Limit   Limit
	State   State
	Asked   Amount
	Verdict Verdict // Spent, Short, or Busy when the wait was over
	Resets  time.Time
}

// Lease is what a call has reserved. It must be settled exactly once; a nil Lease reserves nothing.
type Lease struct {
	counters Counters
	id       string
	parts    []part
}

type part struct {
	key  string
	unit Unit
	ends time.Time
}

// ErrGone is the error of Take when the caller left while it waited.
var ErrGone = errors.New("the caller left")

// moment is how long a waiting call goes without looking again.
const moment = 100 * time.Millisecond

// Take reserves of every limit what a call may use, for the call named id. It waits up to wait for others' reservations.
// The error tells that the counters can't be reached, or ErrGone.
func Take(ctx context.Context, c Counters, limits []Limit, id string, ask Ask, wait time.Duration) (*Lease, *Refusal, error) {
	lease := &Lease{counters: c, id: id}
	deadline := time.Now().Add(wait)
	for i := range limits {
		l := &limits[i]
		amount := ask.Tokens
		if l.Unit == Nanodollars {
			amount = ask.Nano
		}
		amount.Least = max(amount.Least-min(max(amount.Least-l.Max, 0), amount.Counted), 0)
		amount.Likely = max(amount.Likely, amount.Least)
		var changed <-chan struct{}
		for {
			key, to := l.Window(time.Now())
			verdict, state, err := c.Reserve(ctx, key, id, amount, l.Max, to)
			if err != nil {
				lease.Settle(0, 0)
				return nil, nil, err
			}
			if verdict == Granted {
				lease.parts = append(lease.parts, part{key, l.Unit, to})
				break
			}
			left := time.Until(deadline)
			if verdict != Busy || left <= 0 {
				lease.Settle(0, 0)
				return nil, &Refusal{Limit: *l, State: state, Asked: amount, Verdict: verdict, Resets: to}, nil
			}
			if changed == nil { // look once more: it may have changed before we listened
				changed = c.Changed(key)
				continue
			}
			t := time.NewTimer(min(left, moment))
			select {
			case <-changed:
				changed = nil
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				lease.Settle(0, 0)
				return nil, nil, ErrGone
			}
			t.Stop()
		}
	}
	return lease, nil, nil
}

// settleWithin bounds the time that counters outside may take.
const settleWithin = 2 * time.Second

// Settle counts what the call used and gives the rest back. The error is of the limits that could not be
// reached; their reservations end by themselves.
func (l *Lease) Settle(tokens, nano int64) (err error) {
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleWithin)
	defer cancel()
	for _, p := range l.parts {
		used := tokens
		if p.unit == Nanodollars {
			used = nano
		}
		err = errors.Join(err, l.counters.Settle(ctx, p.key, l.id, max(used, 0), p.ends))
	}
	l.parts = nil
	return err
}
