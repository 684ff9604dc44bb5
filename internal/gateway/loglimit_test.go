package gateway

import (
	"testing"
	"time"

	"causeway/internal/fault"
)

func TestAFloodOfOneFailureHidesNoOther(t *testing.T) {
	l := newLogLimit()
	now := time.Unix(1000, 0)
	lines := map[fault.Kind]int{}
	for range 5000 {
		if ok, _ := l.allow(fault.MalformedRequest, now); ok {
			lines[fault.MalformedRequest]++
		}
	}
	for range 100 {
		if ok, _ := l.allow(fault.ConnectionRefused, now); ok {
			lines[fault.ConnectionRefused]++
		}
	}
	if lines[fault.MalformedRequest] != 20 || lines[fault.ConnectionRefused] != 1 {
		t.Errorf("lines: %v, want 20 of the flood and the first of the other", lines)
	}
	if ok, skipped := l.allow(fault.ConnectionRefused, now.Add(time.Second)); !ok || skipped != 5000-20+100-1 {
		t.Errorf("a second later: %v, %d left out", ok, skipped)
	}
	if ok, _ := l.allow("no_kind_of_ours", now); !ok {
		t.Error("a kind that is not in the table has no place")
	}
}
