package meter

import "time"

// Long is what was done to keep long work from holding up short calls.
type Long struct {
	Work   map[string]LongWork // by what work it is
	Unread map[Unread]int64    // texts in a content coding that were not read to their end
}

// LongWork counts turns of long work of one kind, and what they waited for in all.
type LongWork struct {
	Turns  int64
	Waited time.Duration
}

// Unread is what a text was that was not read to its end.
type Unread struct {
	Of       string // "request" | "answer"
	Provider string
	Reason   string // "ratio" | "size"
}

var (
	descLongTurns  = desc("long_work_turns_total", "Turns of half a millisecond or more of work that is long: request_body and answer (bodies that come as fast as they are read), tiny_chunks, coded_text (texts that unfold), refusal (heads that are no good), look_up (calls that are looked up for those who made them).", "work")
	descLongWaited = desc("long_work_waited_seconds_total", "How long those turns waited, so that short calls come first.", "work")
	descUnread     = desc("coded_texts_unread_total", "Texts in a content coding that were not read to their end, because they unfold to too much: far more than anything but a bomb (ratio), or more than is read (size). Such a request is refused; an answer passes unread, or fails where its text is needed.", "of", "provider", "reason")
)

func (l *Long) collect(e emitter) {
	for work, n := range l.Work {
		e.counter(descLongTurns, float64(n.Turns), work)
		e.counter(descLongWaited, n.Waited.Seconds(), work)
	}
	for u, n := range l.Unread {
		e.counter(descUnread, float64(n), u.Of, u.Provider, u.Reason)
	}
}
