package app

import (
	"runtime"
	"testing"

	"causeway/internal/journey"
)

func TestMemoryIsGivenBackInQuietMoments(t *testing.T) {
	freed := make(chan struct{}, 100)
	th := &thrift{free: func() { freed <- struct{}{} }}
	second := func(own, mib int64) {
		th.resident.Store(mib << 20)
		th.second(&journey.Host{Own: own})
		for th.busy.Load() { // until it is given back
			runtime.Gosched()
		}
	}
	times := func(want int, after string) {
		t.Helper()
		for range want {
			<-freed
		}
		if len(freed) != 0 {
			t.Fatalf("%s: given back %d times more than wanted", after, len(freed))
		}
	}
	second(0, 30)
	times(0, "one quiet second")
	second(0, 30)
	times(1, "the start")
	for range 20 {
		second(1, 28)
	}
	times(0, "nothing has grown")
	for range 20 {
		second(60, 90)
	}
	times(0, "under load")
	second(0, 90)
	second(2, 91)
	times(1, "the load has gone")
	for range 20 {
		second(0, 70)
	}
	times(0, "what is left is needed")
	for range 20 {
		second(0, 40) // callers have gone
	}
	second(0, 45)
	second(0, 45)
	times(1, "it had become less, and grew")
}
