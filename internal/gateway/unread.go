package gateway

import (
	"errors"

	"causeway/internal/coding"
)

// Unread tells of a text in a content coding that was not read to its end, because it unfolds to too much.
type Unread struct {
	Of       string // whose it is: "request" or "answer"
	Provider string // whom it was for, or came from
	Reason   string // "ratio": it folds as only bombs do; "size": it is too long
	Peer     string // the caller's address, or the target
	Why      string // the same with numbers
}

// tellUnread tells of a text whose reading ended with err, if that was for its size. Other errors are those of its bytes.
func (c *call) tellUnread(of string, err error) {
	if !errors.Is(err, coding.ErrBound) || c.g.onUnread == nil {
		return
	}
	u := Unread{Of: of, Provider: c.j.Provider, Reason: "size", Peer: c.Works(), Why: err.Error()}
	if errors.Is(err, coding.ErrRatio) {
		u.Reason = "ratio"
	}
	c.g.onUnread(u)
}

// Works implements wire.Worker: it names whose text is unfolded, the caller's until there has been an attempt.
func (c *call) Works() string {
	if n := len(c.j.Attempts); n > 0 {
		return c.j.Attempts[n-1].Target
	}
	if from := c.ex.Remote(); from.IsValid() {
		return from.String()
	}
	return "a Unix socket"
}
