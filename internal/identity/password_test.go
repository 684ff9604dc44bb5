package identity

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/alexedwards/argon2id"
)

// Only so many passwords are checked at once, so many more wait, and the rest is turned away.
func TestTooManySignInsAtOnceAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const atOnce = 2
		h := newHasher(argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}, atOnce)
		for range atOnce {
			if err := h.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, leave := context.WithCancel(t.Context())
		results := make(chan error)
		for range atOnce * waiters {
			go func() {
				_, err := h.matches(ctx, "guess", "")
				results <- err
			}()
		}
		synctest.Wait()
		if _, err := h.matches(t.Context(), "guess", ""); !errors.Is(err, ErrBusy) {
			t.Errorf("one more than may wait: %v", err)
		}
		h.leave()
		for range atOnce * waiters / 2 {
			if err := <-results; err != nil {
				t.Errorf("one who waited for a turn: %v", err)
			}
		}
		h.turn <- struct{}{} // no more turns: the others wait until they leave
		leave()
		for range atOnce * waiters / 2 {
			<-results
		}
		<-h.turn
		h.leave()
		if len(h.queue) != 0 || len(h.turn) != 0 {
			t.Errorf("%d places and %d turns are still taken", len(h.queue), len(h.turn))
		}
	})
}
