package app

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"causeway/internal/gateway"
	"causeway/internal/meter"
	"causeway/internal/wire"
)

// someone is whose long work it is.
type someone string

func (s someone) Works() string { return string(s) }

func TestABurstIsToldOnce(t *testing.T) {
	var b burst
	now := time.Now()
	for i := 1; i <= 50; i++ {
		if b.reaches(10, now.Add(time.Duration(i)*time.Millisecond)) != (i == 10) {
			t.Errorf("the %d. time", i)
		}
	}
	for i := 1; i <= 30; i++ { // never so many at a time
		if b.reaches(10, now.Add(time.Duration(i)*2*time.Second)) {
			t.Errorf("told of ten times in %d s", i*2)
		}
	}
}

// What fails no call is counted each time, and logged once for each reason in a while.
func TestWhatFailsNoCallIsToldSeldom(t *testing.T) {
	var log strings.Builder
	a := &App{log: slog.New(slog.NewTextHandler(&log, nil)), lane: wire.NewLane()}
	for range 1000 {
		a.onLongWork(wire.WorkChunks, someone("192.0.2.1:99"), 7*time.Millisecond)
		a.onUnread(gateway.Unread{Of: "answer", Provider: "mock", Reason: "ratio", Peer: "http://192.0.2.2", Why: "much"})
		a.onUnread(gateway.Unread{Of: "request", Reason: "size", Peer: "192.0.2.1:99", Why: "much"})
	}
	for _, want := range []string{
		`level=INFO msg="long work waits its turn, so that short calls come first" work=tiny_chunks of=192.0.2.1:99 waited_ms=7`,
		`of=answer reason=ratio from=http://192.0.2.2 detail=much provider=mock`, `of=request reason=size from=192.0.2.1:99`,
	} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("%q is not said once: %s", want, log.String())
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines: %s", n, log.String())
	}
	l := a.longFigures()
	if n := l.Unread[meter.Unread{Of: "answer", Provider: "mock", Reason: "ratio"}]; n != 1000 {
		t.Errorf("%d answers were counted: %v", n, l.Unread)
	}
	if _, ok := l.Work["tiny_chunks"]; !ok {
		t.Errorf("the work is %v", l.Work)
	}
}
