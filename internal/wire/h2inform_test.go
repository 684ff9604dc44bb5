package wire

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestAResetDuringAnInterimAnswer: x/net may still read the fields of an interim answer when the caller has reset the stream and
// the call goes on. What it reads must not be written to: the race detector sees it, and without it the process ends.
func TestAResetDuringAnInterimAnswer(t *testing.T) {
	var many Header
	for i := range 100 {
		many.AddString(fmt.Sprintf("X-Hint-%d", i), "v")
	}
	h := doorKinds[3].open(t, opened(func(ex Exchange) {
		for range 20 {
			_ = ex.Inform(103, &many)
		}
		reply(ex, 200, "whole")
	}))
	for range 4 {
		c := dialH2(t, h.addr, nil)
		for i := range 16 {
			s := c.ask(true, "GET", "/")
			if i%3 > 0 {
				time.Sleep(time.Duration(i%8) * 100 * time.Microsecond)
				s.cancel(http2.ErrCodeCancel)
				continue
			}
			c.until("an answer", func() bool { return s.over })
		}
		_ = c.nc.Close()
	}
}

// TestFieldsOfAnInterimAnswerAreCopied: the same, by the rule that makes x/net copy them.
func TestFieldsOfAnInterimAnswerAreCopied(t *testing.T) {
	w := &interimWriter{header: http.Header{}}
	x := &h2Exchange{w: w, ctx: context.Background()}
	var h Header
	h.AddString("Link", "</a.css>")
	if err := x.Inform(103, &h); err != nil {
		t.Fatal(err)
	}
	if _, there := w.sent["Content-Length"]; !there || w.sent.Get("Link") != "</a.css>" {
		t.Errorf("sent %v", w.sent)
	}
	if len(w.header) != 0 {
		t.Errorf("left behind: %v", w.header)
	}
}

// interimWriter is x/net's side of a call.
type interimWriter struct {
	h2Writer
	header, sent http.Header
}

func (w *interimWriter) Header() http.Header { return w.header }
func (w *interimWriter) WriteHeader(int)     { w.sent = w.header.Clone() }
