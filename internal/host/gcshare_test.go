package host

import "testing"

func TestCollectionAtLeisureIsNoTrouble(t *testing.T) {
	l := lifetime{gcWas: 1, gc: 1.07}
	if got := l.gcShare(0.1); got != 0 {
		t.Errorf("70 ms of collection in a process that used 100 ms of CPU count as a share of %v, want none", got)
	}
	l.gc = 1.7
	if got := l.gcShare(1); got < 0.69 || got > 0.71 {
		t.Errorf("700 ms of collection in a process that used 1 s of CPU count as a share of %v, want 0.7", got)
	}
}
