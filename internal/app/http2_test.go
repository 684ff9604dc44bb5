package app

import (
	"fmt"
	"testing"
	"time"
)

func TestTheDoorsLogSaysEachReasonSeldom(t *testing.T) {
	var l doorLog
	now := time.Now()
	if _, ok := l.allow("rapid_reset", now); !ok {
		t.Error("the first one is not said")
	}
	for range 5 {
		if _, ok := l.allow("rapid_reset", now.Add(time.Second)); ok {
			t.Error("it is said again after a second")
		}
	}
	if _, ok := l.allow("control_flood", now.Add(time.Second)); !ok {
		t.Error("another reason is not said")
	}
	if leftOut, ok := l.allow("rapid_reset", now.Add(doorLinePause)); !ok || leftOut != 5 {
		t.Errorf("said: %v, left out: %d", ok, leftOut)
	}
	said := 0
	for i := range 1000 {
		if _, ok := l.allow(fmt.Sprint(i), now); ok {
			said++
		}
	}
	if said > 200 {
		t.Errorf("%d reasons were said", said)
	}
}
