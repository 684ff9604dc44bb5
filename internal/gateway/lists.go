package gateway

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
	"causeway/internal/owner"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// A provider lists everybody's files and batches. The caller gets its own: pages are asked for until as many of them
// have come as one page may have, or there are no more.

// listing is a list on its way.
type listing struct {
	ids         map[string]bool // the caller's own
	limit       int             // of a page, 0 when the caller does not say
	pages       int
	query       url.Values
	data        []byte // the elements, with commas
	n           int
	first, last string
	more        bool
}

const (
	// mostPages bounds how many pages of a provider one call may ask for.
	mostPages = 50
	// widePage is how many elements are asked for at once where the vendor takes that many, since most may be
	// others'.
	widePage = 100
)

// beginList gets ready for a list.
func (c *call) beginList() bool {
	raw := c.rq.Query
	if c.query != nil {
		raw = c.query
	}
	l := &listing{}
	l.query, _ = url.ParseQuery(string(raw))
	if text := l.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10000 {
			text := "limit must be a whole number from 1 to 10000."
			return c.fail(failure{kind: fault.BadRequest, detail: text, safe: text, param: "limit"})
		}
		if l.limit = n; n < widePage {
			switch c.model.Targets[0].Provider.Kind {
			case "openai", "azure-openai":
				l.query.Set("limit", strconv.Itoa(widePage))
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), ownedWithin)
	defer cancel()
	var err error
	if l.ids, err = c.g.owner.IDs(ctx, c.tenant(), c.model.Targets[0].Provider.Name, c.owned.kind); err != nil {
		return c.notOwned("", "", err)
	}
	if after := l.query.Get("after"); after != "" && !l.ids[after] {
		return c.notOwned("after", after, owner.ErrNotFound)
	}
	c.query = []byte(l.query.Encode())
	c.owned.list = l
	return true
}

// emptyList answers for who has nothing there, without a word to the provider. It returns false when there is
// something.
func (c *call) emptyList() bool {
	if len(c.owned.list.ids) > 0 {
		return false
	}
	c.page(http.StatusOK, typeJSON, c.owned.list.body())
	return true
}

// take keeps what is the caller's of one page. It returns the id behind which the next page begins, "" when there
// is none or enough has come.
func (l *listing) take(root jsontree.Node, own func(id string, raw []byte)) (next string) {
	l.pages++
	l.more = false
	last := ""
	root.Get("data").Each(func(_ int, e jsontree.Node) {
		id := e.Get("id").Str()
		last = id
		if !l.ids[id] {
			return
		}
		if l.limit > 0 && l.n == l.limit {
			l.more = true
			return
		}
		if l.n++; l.n > 1 {
			l.data = append(l.data, ',')
		}
		raw := e.Raw()
		l.data = append(l.data, raw...)
		if l.last = string([]byte(id)); l.first == "" {
			l.first = l.last
		}
		own(l.last, raw)
	})
	goesOn, _ := root.Get("has_more").Bool()
	if !goesOn || l.more || last == "" || l.n == len(l.ids) {
		return ""
	}
	if l.limit > 0 && l.n == l.limit || l.limit == 0 && l.n > 0 || l.pages == mostPages {
		l.more = true // there may be: not all that the caller has were seen
		return ""
	}
	return string([]byte(last))
}

// body is the list as the caller gets it.
func (l *listing) body() []byte {
	dst := append([]byte(`{"object":"list","data":[`), l.data...)
	dst = append(dst, `],"first_id":`...)
	dst = appendID(dst, l.first)
	dst = append(dst, `,"last_id":`...)
	dst = appendID(dst, l.last)
	dst = append(dst, `,"has_more":`...)
	return append(strconv.AppendBool(dst, l.more), '}')
}

func appendID(dst []byte, id string) []byte {
	if id == "" {
		return append(dst, "null"...)
	}
	return jsonscan.Quote(dst, id)
}

// passList takes one page of a list, and asks for the next or hands on what has come. It returns false when it asks.
func (c *call) passList(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, root jsontree.Node) bool {
	l := c.owned.list
	if !root.Get("data").IsArray() {
		c.releaseAnswer()
		return c.modelFailed(a, fault.IncompatibleResponse, `a list without "data"`, nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), ownedWithin)
	defer cancel()
	next := l.take(root, func(id string, raw []byte) {
		if c.owned.kind == owner.Batch {
			c.seeListed(ctx, id, raw)
		}
	})
	if next != "" {
		l.query.Set("after", next)
		c.query = []byte(l.query.Encode())
		a.Again = "the next page of the list"
		c.releaseAnswer()
		c.pick.moved = true
		return false
	}
	body := l.body()
	c.answerHead(u)
	for _, id := range [...]wire.ID{wire.ContentLength, wire.ContentEncoding} {
		c.answer.Del(id)
	}
	c.answer.DelName([]byte("etag"))
	return c.sendHeld(t, u, a, body)
}
