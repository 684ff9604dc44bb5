package responses_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"causeway/internal/responses"
)

// slow is a store whose writes wait until they are let go, and may fail.
type slow struct {
	responses.Store
	mu     sync.Mutex
	gate   chan struct{}
	fail   error
	writes int
}

func (s *slow) PutResponses(ctx context.Context, list []responses.Record) error {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.fail != nil {
		return s.fail
	}
	return s.Store.PutResponses(ctx, list)
}

func put(t *testing.T, k *responses.Keeper, tenant, id, previous string) {
	t.Helper()
	r := responses.Record{Tenant: tenant, ID: id, Previous: previous, Input: []byte(`["` + id + `"]`), Response: []byte(`{}`)}
	if err := k.Put(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func ids(list []responses.Record) (all []string) {
	for _, r := range list {
		all = append(all, r.ID)
	}
	return all
}

// TestKeeper goes through a conversation's life twice: while it waits for the store, and when it is in it.
func TestKeeper(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprint("stored ", stored), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				k := responses.New(responses.NewMemory(1<<20), responses.Options{Keep: time.Hour})
				if stored {
					go k.Run(ctx)
				}
				put(t, k, "web", "1", "")
				put(t, k, "web", "2", "1")
				put(t, k, "web", "3", "2")
				put(t, k, "app", "1", "")
				synctest.Wait()

				if list, err := k.Conversation(ctx, "web", "3"); err != nil || !slices.Equal(ids(list), []string{"1", "2", "3"}) {
					t.Errorf("the conversation is %v, %v", ids(list), err)
				}
				for _, other := range []string{"app", ""} {
					if _, err := k.Get(ctx, other, "2"); !errors.Is(err, responses.ErrNotFound) {
						t.Errorf("%q reads web's: %v", other, err)
					}
					if _, err := k.Conversation(ctx, other, "3"); !errors.Is(err, responses.ErrNotFound) {
						t.Errorf("%q goes on from web's: %v", other, err)
					}
					if err := k.Delete(ctx, other, "3"); !errors.Is(err, responses.ErrNotFound) {
						t.Errorf("%q deletes web's: %v", other, err)
					}
				}
				if err := k.Delete(ctx, "web", "1"); err != nil {
					t.Error(err)
				}
				if _, err := k.Get(ctx, "web", "1"); !errors.Is(err, responses.ErrNotFound) {
					t.Errorf("deleted, it is there: %v", err)
				}
				if err := k.Delete(ctx, "web", "1"); !errors.Is(err, responses.ErrNotFound) {
					t.Errorf("deleted twice: %v", err)
				}
				if _, err := k.Conversation(ctx, "web", "3"); !errors.Is(err, responses.ErrBroken) {
					t.Errorf("without its beginning: %v", err)
				}
				if list, err := k.Conversation(ctx, "app", "1"); err != nil || len(list) != 1 {
					t.Errorf("another tenant's of the same id: %v, %v", ids(list), err)
				}
				cancel()
			})
		})
	}
}

func TestConversationsLastFromTheirLastTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		k := responses.New(responses.NewMemory(1<<20), responses.Options{Keep: time.Hour})
		go k.Run(ctx)
		put(t, k, "web", "1", "")
		put(t, k, "web", "alone", "")
		time.Sleep(50 * time.Minute)
		put(t, k, "web", "2", "1")
		time.Sleep(50 * time.Minute)
		if list, err := k.Conversation(ctx, "web", "2"); err != nil || len(list) != 2 {
			t.Errorf("before its end: %v, %v", ids(list), err)
		}
		if _, err := k.Get(ctx, "web", "alone"); !errors.Is(err, responses.ErrNotFound) {
			t.Errorf("after its end: %v", err)
		}
		time.Sleep(20 * time.Minute)
		if _, err := k.Conversation(ctx, "web", "2"); !errors.Is(err, responses.ErrNotFound) {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestWhatIsDeletedWhileItIsWrittenIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		store := &slow{Store: responses.NewMemory(1 << 20), gate: make(chan struct{})}
		k := responses.New(store, responses.Options{})
		go k.Run(ctx)
		put(t, k, "web", "1", "")
		synctest.Wait() // it is being written
		if err := k.Delete(ctx, "web", "1"); err != nil {
			t.Error(err)
		}
		close(store.gate)
		synctest.Wait()
		if _, err := store.Response(ctx, "web", "1", time.Now()); !errors.Is(err, responses.ErrNotFound) {
			t.Errorf("it is in the store: %v", err)
		}
		cancel()
	})
}

func TestAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		store := &slow{Store: responses.NewMemory(1 << 20), fail: errors.New("disk")}
		lost := 0
		k := responses.New(store, responses.Options{Failed: func(n int, err error) { lost += n }})
		go k.Run(ctx)
		put(t, k, "web", "1", "")
		time.Sleep(time.Minute)
		synctest.Wait()
		if lost != 1 || store.writes < 2 {
			t.Errorf("%d lost after %d tries", lost, store.writes)
		}
		store.mu.Lock()
		store.fail = nil
		store.mu.Unlock()
		put(t, k, "web", "2", "")
		cancel() // what waits is written before the end
		synctest.Wait()
		if _, err := store.Response(context.Background(), "web", "2", time.Now()); err != nil {
			t.Error(err)
		}
	})
}

func TestBounds(t *testing.T) {
	ctx := context.Background()
	k := responses.New(responses.NewMemory(1<<20), responses.Options{MaxSize: 1000})
	if err := k.Put(ctx, responses.Record{ID: "big", Response: make([]byte, 1001)}); !errors.Is(err, responses.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	k.Configure(-1, 0)
	if err := k.Put(ctx, responses.Record{ID: "1"}); !errors.Is(err, responses.ErrNotFound) || k.Keeps() {
		t.Errorf("keeping nothing: %v", err)
	}
	k.Configure(0, 0)
	busy := 0
	for i := range 10 { // nobody writes them to the store
		if err := k.Put(ctx, responses.Record{ID: fmt.Sprint(i), Response: make([]byte, 30<<20)}); errors.Is(err, responses.ErrBusy) {
			busy++
		}
	}
	if busy != 6 {
		t.Errorf("%d of 10 were refused", busy)
	}
	m := responses.NewMemory(1000)
	for i := range 20 {
		if err := m.PutResponses(ctx, []responses.Record{{ID: fmt.Sprint(i), Root: fmt.Sprint(i), Expires: time.Now().Add(time.Hour), Response: make([]byte, 100)}}); err != nil {
			t.Fatal(err)
		}
	}
	there := 0
	for i := range 20 {
		if _, err := m.Response(ctx, "", fmt.Sprint(i), time.Now()); err == nil {
			if there++; i < 16 {
				t.Errorf("record %d is kept and a later one is not", i)
			}
		}
	}
	if there != 4 {
		t.Errorf("%d of 20 records fit", there)
	}
	var none *responses.Keeper
	if none.Keeps() {
		t.Error("no Keeper keeps")
	}
}
