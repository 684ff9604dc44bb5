package choose

import (
	"testing"
	"time"

	"causeway/internal/fault"
)

// clock is a time that a test moves.
type clock int64

func (c *clock) now() int64           { return int64(*c) }
func (c *clock) pass(d time.Duration) { *c += clock(d) }

func dead(t *testing.T, c *clock) *Target {
	t.Helper()
	target := &Target{}
	for n := range DeadAfter {
		if died := target.Failed(c.now(), fault.ConnectionRefused, false); died != (n == DeadAfter-1) {
			t.Fatalf("died is %v after %d failures", died, n+1)
		}
	}
	return target
}

func TestATargetIsLeftAloneAfterFailuresInARow(t *testing.T) {
	c := clock(time.Hour)
	target := &Target{}
	for range 10 {
		target.Failed(c.now(), fault.ProviderError, false)
		target.Failed(c.now(), fault.ProviderError, false)
		target.Good(c.now())
	}
	if !target.Usable(c.now()) {
		t.Fatal("failures that are not in a row count")
	}
	target = dead(t, &c)
	if target.Usable(c.now()) {
		t.Error("a dead target gets calls")
	}
	c.pass(3 * time.Second)
	back, down := target.Good(c.now()) // of a call that had begun before
	if !back || down != 3*time.Second || !target.Usable(c.now()) {
		t.Errorf("back %v, down %s", back, down)
	}
	if back, _ := target.Good(c.now()); back {
		t.Error("it comes back twice")
	}
}

// TestAnOutageCostsFewCallsAndEndsSoon makes a call every four seconds, of which those in the first minute
// fail: once with nobody to probe, or with probes that pass although calls fail, and once with probes that fail.
func TestAnOutageCostsFewCallsAndEndsSoon(t *testing.T) {
	for name, probes := range map[string]bool{"by trials": false, "by probes": true} {
		t.Run(name, func(t *testing.T) {
			c := clock(time.Hour)
			begin, target := c, &Target{}
			wasted, back, probe := 0, time.Duration(0), int64(0)
			for back == 0 && c < begin+clock(100*time.Second) {
				down := c < begin+clock(time.Minute)
				if after, dead := target.Probe(); probes && dead && probe == 0 {
					probe = c.now() + int64(after)
				} else if probes && dead && c.now() >= probe {
					target.Probed(c.now(), !down)
					probe = 0
				}
				if time.Duration(c-begin)%(4*time.Second) == 0 && target.Usable(c.now()) {
					if trial, ok := target.Claim(c.now()); ok && down {
						wasted++
						target.Failed(c.now(), fault.Overloaded, trial)
					} else if ok {
						target.Good(c.now())
						back = time.Duration(c - begin - clock(time.Minute))
					}
				}
				c.pass(time.Second)
			}
			if wasted < DeadAfter || wasted > 8 || probes && wasted > DeadAfter {
				t.Errorf("%d calls were wasted on it", wasted)
			}
			if back <= 0 || back > 10*time.Second {
				t.Errorf("it had calls again %s after its recovery", back)
			}
			t.Logf("%d calls wasted, back after %s", wasted, back)
		})
	}
}

func TestOneCallIsTheTrial(t *testing.T) {
	c := clock(time.Hour)
	target := dead(t, &c)
	c.pass(firstTrial)
	if trial, ok := target.Claim(c.now()); !trial || !ok {
		t.Fatal("no trial after the pause")
	}
	if _, ok := target.Claim(c.now()); ok || target.Usable(c.now()) {
		t.Fatal("a second call is let through while the first tries")
	}
	target.Failed(c.now(), fault.ProviderError, false) // one from before, which says nothing new
	target.Failed(c.now(), fault.ProviderError, true)
	c.pass(firstTrial)
	if target.Usable(c.now()) {
		t.Fatal("the pause has not grown")
	}
	c.pass(firstTrial)
	if trial, ok := target.Claim(c.now()); !trial || !ok {
		t.Fatal("no second trial")
	}
	c.pass(lease) // the call has ended without a word
	if trial, ok := target.Claim(c.now()); !trial || !ok {
		t.Fatal("a trial without an end keeps every other from being made")
	}
}

func TestAProbeSavesTrialsAndFindsTheRecovery(t *testing.T) {
	c := clock(time.Hour)
	target := dead(t, &c)
	var pauses []time.Duration
	for range 8 {
		after, ok := target.Probe()
		if !ok {
			t.Fatal("a dead target is not probed")
		}
		pauses = append(pauses, after)
		c.pass(after)
		if target.Usable(c.now()) && len(pauses) > 1 {
			t.Errorf("a call is spent although probes fail (after %v)", pauses)
		}
		target.Probed(c.now(), false)
	}
	if pauses[0] != time.Second || pauses[2] != 4*time.Second || pauses[7] != mostProbe {
		t.Errorf("the pauses are %v", pauses)
	}
	target.Probed(c.now(), true)
	if trial, ok := target.Claim(c.now()); !trial || !ok {
		t.Fatal("no trial at once when a probe passes")
	}
	if back, _ := target.Good(c.now()); !back {
		t.Error("it has not come back")
	}
	if _, ok := target.Probe(); ok {
		t.Error("a target that is well is probed")
	}
}

// TestAProbeThatAlwaysPassesIsNoTrial: a provider may answer its list of models and fail every call.
func TestAProbeThatAlwaysPassesIsNoTrial(t *testing.T) {
	c := clock(time.Hour)
	target := dead(t, &c)
	c.pass(time.Second)
	target.Probed(c.now(), true)
	if target.Usable(c.now()) {
		t.Error("a probe that passes, with none before that failed, is taken for a recovery")
	}
}

func TestAWaitThatWasAskedForEnds(t *testing.T) {
	c := clock(time.Hour)
	target := &Target{}
	target.Wait(c.now(), 7*time.Second)
	target.Wait(c.now(), time.Second)
	c.pass(6 * time.Second)
	if target.Usable(c.now()) {
		t.Error("a shorter wait has replaced a longer one")
	}
	c.pass(time.Second)
	if trial, ok := target.Claim(c.now()); trial || !ok {
		t.Error("after the wait a call is no trial: the target is not dead")
	}
	if !target.Usable(c.now()) {
		t.Error("the next call is kept away")
	}
}

func TestLatencyFollowsAndFades(t *testing.T) {
	c := clock(time.Hour)
	target := &Target{}
	if target.Latency(c.now(), true) != 0 {
		t.Error("nothing is known, and it has a latency")
	}
	for range 50 {
		target.Took(c.now(), 100*time.Millisecond, true)
		c.pass(100 * time.Millisecond)
	}
	if d := target.Latency(c.now(), true); d < 90*time.Millisecond || d > 110*time.Millisecond {
		t.Errorf("the latency is %s", d)
	}
	if target.Latency(c.now(), false) != 0 {
		t.Error("a stream's counts for whole answers")
	}
	c.pass(2 * halving)
	if d := target.Latency(c.now(), true); d > 30*time.Millisecond {
		t.Errorf("an old measure has not faded: %s", d)
	}
	target.Took(c.now(), time.Second, true)
	if d := target.Latency(c.now(), true); d < 900*time.Millisecond {
		t.Errorf("an old measure outweighs a new one: %s", d)
	}
}

func TestStateTellsHowATargetIs(t *testing.T) {
	c := clock(time.Hour)
	target := dead(t, &c)
	target.Begin()
	c.pass(2 * time.Second)
	s := target.State(c.now())
	if !s.Dead || s.Kind != fault.ConnectionRefused || s.Down != 2*time.Second || s.Next != firstTrial-2*time.Second || s.Busy != 1 || s.Failures != DeadAfter {
		t.Errorf("%+v", s)
	}
	target.End()
}
