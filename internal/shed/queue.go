package shed

import "time"

// standing is how long the queue must have had somebody in it to be a standing one.
const standing = 100 * time.Millisecond

// queue is the calls that wait. While it is now and then empty, what waits is a burst, and who came
// first is served first. Once it stands, more is coming than can be served: who came first has waited
// longest and is the next to give up, so that serving it helps least. Then who came last is served
// first, and the others' time runs out.
type queue struct {
	oldest, newest *waiter
	len            int
	since          time.Time // when it was last empty
}

type waiter struct {
	older, newer *waiter
	turn         chan struct{} // closed when it may go on
	admitted     bool
}

func (q *queue) push(w *waiter, now time.Time) {
	if q.len == 0 {
		q.since = now
		q.oldest = w
	} else {
		q.newest.newer, w.older = w, q.newest
	}
	q.newest = w
	q.len++
}

// pop takes out whose turn it is; there must be one.
func (q *queue) pop(now time.Time) *waiter {
	w := q.oldest
	if now.Sub(q.since) > standing {
		w = q.newest
	}
	q.remove(w)
	return w
}

func (q *queue) remove(w *waiter) {
	if w.older != nil {
		w.older.newer = w.newer
	} else {
		q.oldest = w.newer
	}
	if w.newer != nil {
		w.newer.older = w.older
	} else {
		q.newest = w.older
	}
	w.older, w.newer = nil, nil
	q.len--
}
