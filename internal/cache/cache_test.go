package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// everyStore runs a test with each kind of store; two shares it like two gateways.
func everyStore(t *testing.T, run func(t *testing.T, one, two Store)) {
	t.Run("memory", func(t *testing.T) {
		m := NewMemory(1<<20, 0, nil)
		run(t, m, m)
	})
	t.Run("redis", func(t *testing.T) {
		open := startRedis(t)
		run(t, open(), open())
	})
}

// startRedis runs a server of its own on a socket in a temporary folder.
func startRedis(t *testing.T) (open func() *Redis) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed: scripts/need.sh redis-server")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "redis.sock")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	open = func() *Redis {
		r, err := Dial("unix://"+socket, "causeway/cache/", 1<<20, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	c := open()
	for end := time.Now().Add(10 * time.Second); c.Delete(context.Background(), Key{}) != nil; {
		if time.Now().After(end) {
			t.Fatal("redis-server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return open
}

func TestWhatIsSetIsFoundByEveryGateway(t *testing.T) {
	everyStore(t, func(t *testing.T, one, two Store) {
		ctx, key := context.Background(), KeyOf([]byte("a"))
		if v, _, err := two.Get(ctx, key); v != nil || err != nil {
			t.Fatalf("%q, %v before it was set", v, err)
		}
		if err := one.Set(ctx, key, []byte("value"), time.Hour); err != nil {
			t.Fatal(err)
		}
		v, age, err := two.Get(ctx, key)
		if string(v) != "value" || age < 0 || age > time.Minute || err != nil {
			t.Fatalf("%q, %s, %v", v, age, err)
		}
		if kept, err := two.Add(ctx, key, []byte("other"), time.Hour); string(kept) != "value" || err != nil {
			t.Errorf("added %q, %v", kept, err)
		}
		if err := two.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		if kept, err := one.Add(ctx, key, []byte("other"), time.Hour); string(kept) != "other" || err != nil {
			t.Errorf("added %q, %v where nothing was", kept, err)
		}
		if err := one.Set(ctx, key, make([]byte, 2<<20), time.Hour); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a value that is too large: %v", err)
		}
	})
}

func TestWhatIsOldIsNotFound(t *testing.T) {
	everyStore(t, func(t *testing.T, one, _ Store) {
		ctx, key := context.Background(), KeyOf([]byte("a"))
		if err := one.Set(ctx, key, []byte("value"), 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if v, _, _ := one.Get(ctx, key); v == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal("it is still there")
			}
		}
	})
}

func TestMemoryMakesRoomAndStaysWithinItsBytes(t *testing.T) {
	now := time.Now()
	m := NewMemory(10*(1000+overhead), 0, func() time.Time { return now })
	ctx := context.Background()
	key := func(i int) Key { return KeyOf(fmt.Append(nil, i)) }
	for i := range 10 {
		if err := m.Set(ctx, key(i), make([]byte, 1000), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	_, _, _ = m.Get(ctx, key(0)) // used last
	_ = m.Set(ctx, key(10), make([]byte, 1000), time.Hour)
	if v, _, _ := m.Get(ctx, key(0)); v == nil {
		t.Error("what was used last had to make room")
	}
	if v, _, _ := m.Get(ctx, key(1)); v != nil {
		t.Error("what was used first is still there")
	}
	if n, bytes, evicted := m.Size(); n != 10 || bytes != 10*(1000+overhead) || evicted != 1 {
		t.Errorf("%d values, %d bytes, %d evicted", n, bytes, evicted)
	}
	now = now.Add(time.Minute)
	if _, age, _ := m.Get(ctx, key(0)); age != time.Minute {
		t.Errorf("it is %s old", age)
	}
	m.Resize(3 * (1000 + overhead))
	if n, bytes, _ := m.Size(); n != 3 || bytes > 3*(1000+overhead) {
		t.Errorf("%d values, %d bytes in less room", n, bytes)
	}
	now = now.Add(time.Hour)
	_ = m.Set(ctx, key(20), nil, time.Hour)
	if n, _, _ := m.Size(); n != 1 {
		t.Errorf("%d values are left of those that are too old", n-1)
	}
}

func TestMemoryUnderConcurrentUse(t *testing.T) {
	m := NewMemory(50_000, 0, nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				key := KeyOf(fmt.Append(nil, (i*7+g)%100))
				want := bytes.Repeat([]byte{byte((i*7 + g) % 100)}, 500)
				if v, _, _ := m.Get(t.Context(), key); v != nil && !bytes.Equal(v, want) {
					t.Error("another key's value")
				}
				_ = m.Set(t.Context(), key, want, time.Hour)
			}
		})
	}
	wg.Wait()
	if _, size, _ := m.Size(); size > 50_000 {
		t.Errorf("%d bytes", size)
	}
}

func TestADroppedEpochHidesWhatWasBelow(t *testing.T) {
	everyStore(t, func(t *testing.T, one, two Store) {
		a, b, at := New(one, Options{Within: 5 * time.Second}), New(two, Options{Within: 5 * time.Second}), KeyOf([]byte("uri"))
		first := a.Epoch(at)
		if first == nil || !bytes.Equal(first, b.Epoch(at)) {
			t.Fatal("two gateways have different epochs")
		}
		b.Delete(at)
		if second := a.Epoch(at); second == nil || bytes.Equal(first, second) {
			t.Error("the epoch is the same after it was dropped")
		}
	})
}

func TestAServerThatHangsIsAMissWithinTheTimeAndLeftAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server, err := Dial("redis://"+l.Addr().String(), "", 1<<20, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var told atomic.Int64
	c := New(server, Options{Within: 50 * time.Millisecond, Rest: time.Hour, Trouble: func(error) { told.Add(1) }})
	began := time.Now()
	if v, _ := c.Get(KeyOf()); v != nil {
		t.Fatal("it has found something")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the call waited %s", took)
	}
	if c.Set(KeyOf(), []byte("x"), time.Minute) || c.Epoch(KeyOf()) != nil {
		t.Error("something was kept")
	}
	if f := c.Figures(); f.Errors != 1 || !f.Away || told.Load() != 1 {
		t.Errorf("%+v, told %d times: it was not left alone", f, told.Load())
	}
}

// flaky fails while down is set.
type flaky struct {
	Store
	down atomic.Bool
}

func (f *flaky) Delete(ctx context.Context, key Key) error {
	if f.down.Load() {
		return errors.New("down")
	}
	return f.Store.Delete(ctx, key)
}

func TestADeletionThatFailedIsMadeUpFor(t *testing.T) {
	f := &flaky{Store: NewMemory(1<<20, 0, nil)}
	c := New(f, Options{Rest: time.Nanosecond})
	at := KeyOf([]byte("uri"))
	before := c.Epoch(at)
	f.down.Store(true)
	c.Delete(at)
	if c.Epoch(at) != nil {
		t.Error("what could not be deleted is used")
	}
	f.down.Store(false)
	if after := c.Epoch(at); after == nil || bytes.Equal(before, after) {
		t.Errorf("%x, then %x", before, after)
	}
}

func TestAnswersAreReadAsTheyWereWritten(t *testing.T) {
	a := &Answer{
		Status: 200, Fields: []Field{{[]byte("Content-Type"), []byte("text/plain")}, {[]byte("ETag"), nil}}, Body: []byte("hello"),
		Lifetime: time.Minute, StaleFor: time.Hour, Age: 3 * time.Second,
		Model: Model{Stream: true, Usage: [5]int64{1, 2, -1, 0, 4}, Provider: "p", TargetModel: "m", Call: "01J"},
	}
	b := ReadAnswer(a.Append(nil))
	if b == nil || fmt.Sprint(a) != fmt.Sprint(b) || b.FreshFor(90*time.Second) != -30*time.Second || b.AgeNow(time.Second) != 4*time.Second {
		t.Errorf("%+v", b)
	}
	v := ReadAnswer((&Answer{Vary: []string{"accept", "origin"}}).Append(nil))
	if v == nil || fmt.Sprint(v.Vary) != "[accept origin]" {
		t.Errorf("%+v", v)
	}
	whole := a.Append(nil)
	for n := range whole {
		if ReadAnswer(whole[:n]) != nil {
			t.Fatalf("%d of %d bytes are an answer", n, len(whole))
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add((&Answer{Status: 200, Vary: []string{"a"}, Fields: []Field{{[]byte("a"), []byte("b")}}, Body: []byte("x")}).Append(nil))
	f.Add([]byte{answerVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		if a := ReadAnswer(b); a != nil {
			if again := ReadAnswer(a.Append(nil)); fmt.Sprint(again) != fmt.Sprint(a) {
				t.Errorf("%+v became %+v", a, again)
			}
		}
	})
}

func TestAnAddressThatIsNoneDoesNotShowItsPassword(t *testing.T) {
	if _, err := Dial("redis://:hunter2@[::1", "", 1, time.Second); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestKeysOfDifferentPartsDiffer(t *testing.T) {
	if KeyOf([]byte("ab"), []byte("c")) == KeyOf([]byte("a"), []byte("bc")) {
		t.Error("parts run into each other")
	}
}
