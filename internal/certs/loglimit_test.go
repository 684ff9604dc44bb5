package certs

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

// A flood of one fault does not hide another: the first of each kind in a second is logged.
func TestAFloodOfFailedHandshakesHidesNoOther(t *testing.T) {
	log := &buffer{}
	at := &clock{}
	at.set(time.Unix(1_000_000, 0))
	s := New(Options{Log: textLog(log), Now: at.now})
	for range 100 {
		s.Failed("192.0.2.1:5", "a.test", tls.RecordHeaderError{RecordHeader: [5]byte{'G', 'E', 'T', ' ', '/'}})
	}
	for range 100 {
		s.Failed("192.0.2.2:5", "", tls.RecordHeaderError{RecordHeader: [5]byte{1, 2, 3, 4, 5}})
	}
	if n := strings.Count(log.String(), "kind=caller_tls_not_tls"); n != 1 {
		t.Errorf("%d lines tell of the other fault:\n%s", n, log)
	}
	if n := strings.Count(log.String(), "\n"); n != mostLines+1 {
		t.Errorf("%d lines", n)
	}
}
