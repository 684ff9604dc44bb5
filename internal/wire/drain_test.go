package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// drainable is a door that a test shuts down itself.
type drainable struct {
	*Door
	addr   string
	served chan error
}

func newDrainable(t *testing.T, h Handler) *drainable {
	t.Helper()
	d, err := NewDoor(DoorOptions{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dd := &drainable{d, l.Addr().String(), make(chan error, 1)}
	go func() { dd.served <- d.Serve(l) }()
	return dd
}

// drain shuts the door down within a time and checks that Serve has ended.
func (d *drainable) drain(t *testing.T, limit time.Duration) (took time.Duration, err error) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err = d.Shutdown(ctx)
	took = time.Since(began)
	if e := soon(t, "Serve to return", d.served); e != nil {
		t.Errorf("serving ended with %v", e)
	}
	if n := d.Stats().Open; n != 0 {
		t.Errorf("%d connections are open behind Shutdown", n)
	}
	return took, err
}

func TestDrainClosesIdleConnectionsAtOnce(t *testing.T) {
	d := newDrainable(t, handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }})
	var callers []*caller
	for range 50 {
		c := dial(t, d.addr)
		c.send("%s", get("/"))
		c.want("GET", 200, "ok")
		callers = append(callers, c)
	}
	fresh := dial(t, d.addr) // it has never said anything
	for d.Stats().Accepted < 51 {
		time.Sleep(time.Millisecond)
	}
	took, err := d.drain(t, 5*time.Second)
	if err != nil || took > time.Second {
		t.Errorf("Shutdown took %v, %v", took, err)
	}
	for _, c := range append(callers, fresh) {
		c.wantEnd("FIN")
	}
	if c, err := net.Dial("tcp", d.addr); err == nil {
		c.Close()
		t.Error("the address still accepts connections")
	}
}

func TestDrainLetsCallsFinish(t *testing.T) {
	begun, finish := make(chan struct{}, 3), make(chan struct{})
	d := newDrainable(t, handler{serve: func(ex Exchange) {
		switch string(ex.Request().Path) {
		case "/begun":
			_ = ex.Start(200, "", &Header{}, 5, -1)
			_ = ex.Flush()
			begun <- struct{}{}
			<-finish
			_ = ex.Write([]byte("hello"))
			_ = ex.End(nil)
		case "/waiting":
			begun <- struct{}{}
			<-finish
			reply(ex, 200, "hello")
		case "/sending":
			begun <- struct{}{}
			body, _ := readAll(ex)
			reply(ex, 200, body)
		}
	}})
	one, two, three := dial(t, d.addr), dial(t, d.addr), dial(t, d.addr)
	one.send("%s", get("/begun"))
	two.send("%s", get("/waiting"))
	three.send("POST /sending HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
	for range 3 {
		soon(t, "the calls", begun)
	}
	result := make(chan error, 1)
	go func() {
		_, err := d.drain(t, 5*time.Second)
		result <- err
	}()
	for !d.isDraining() {
		time.Sleep(time.Millisecond)
	}
	three.send("llo")
	close(finish)
	// The head of the first had gone out before the drain began: nothing in it says that its
	// connection ends, and it ends.
	one.want("GET", 200, "hello")
	one.wantEnd("FIN")
	for _, c := range []*caller{two, three} {
		if res := c.want("GET", 200, "hello"); !res.Close {
			t.Error("the answer does not say that the connection ends")
		}
		c.wantEnd("FIN")
	}
	if err := soon(t, "Shutdown", result); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestDrainDoesNotWaitForConnectionsThatTurnIdle: a call whose answer was begun before the drain
// ends during it; its connection must not then wait for another.
func TestDrainDoesNotWaitForConnectionsThatTurnIdle(t *testing.T) {
	for range 30 {
		begun, finish := make(chan struct{}), make(chan struct{})
		d := newDrainable(t, handler{serve: func(ex Exchange) {
			_ = ex.Start(200, "", &Header{}, 5, -1)
			close(begun)
			<-finish
			_ = ex.Write([]byte("hello"))
			_ = ex.End(nil)
		}})
		c := dial(t, d.addr)
		c.send("%s", get("/"))
		soon(t, "the call", begun)
		go func() {
			for !d.isDraining() {
				time.Sleep(50 * time.Microsecond)
			}
			close(finish)
		}()
		var body, end string
		var wg sync.WaitGroup
		wg.Go(func() {
			_, body, _ = c.try("GET")
			end = c.ended()
			c.Close()
		})
		took, err := d.drain(t, 5*time.Second)
		wg.Wait()
		if err != nil || took > 2*time.Second || body != "hello" || end != "FIN" {
			t.Fatalf("Shutdown took %v, %v; the caller got %q, then %s", took, err, body, end)
		}
	}
}

func TestDrainCutsWhatDoesNotFinish(t *testing.T) {
	begun, why := make(chan struct{}), make(chan Reason, 1)
	d := newDrainable(t, handler{serve: func(ex Exchange) {
		_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
		_ = ex.Write([]byte("hello"))
		_ = ex.Flush()
		w := cancelFunc(func(r Reason) { why <- r })
		ex.Watch(w)
		close(begun)

		r := <-why
		ex.Unwatch()
		why <- r
	}})
	c := dial(t, d.addr)
	c.send("%s", get("/"))
	soon(t, "the call", begun)
	took, err := d.drain(t, 100*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || took > 2*time.Second {
		t.Errorf("Shutdown took %v, %v", took, err)
	}
	if r := <-why; r != ReasonDrain {
		t.Errorf("cancelled for %v", r)
	}
	if _, body, err := c.try("GET"); err == nil || body != "hello" {
		t.Errorf("got %q, %v; want a cut", body, err)
	}
}

type cancelFunc func(Reason)

func (f cancelFunc) Cancel(r Reason) { f(r) }

// TestARequestAtTheMomentOfDrainIsServedOrNotBegun, over and over at a moment that moves.
func TestARequestAtTheMomentOfDrainIsServedOrNotBegun(t *testing.T) {
	var mu sync.Mutex
	outcomes := map[string]int{}
	for i := range 150 {
		served := make(chan struct{}, 1)
		d := newDrainable(t, handler{serve: func(ex Exchange) {
			if string(ex.Request().Path) == "/second" {
				served <- struct{}{}
			}
			reply(ex, 200, "ok")
		}})
		c := dial(t, d.addr)
		c.send("%s", get("/first"))
		c.want("GET", 200, "ok")
		var wg sync.WaitGroup
		wg.Go(func() {
			time.Sleep(time.Duration(i%10) * 20 * time.Microsecond)
			_, _ = io.WriteString(c, get("/second"))
			defer c.Close()
			got := "served"
			if _, err := c.br.Peek(1); err != nil {
				if got = ending(err); got != "FIN" || len(served) > 0 {
					t.Errorf("the caller got %s instead of an answer, the handler was called %d times", got, len(served))
				}
			} else if res, body, err := c.try("GET"); err != nil || res.StatusCode != 200 || body != "ok" {
				t.Errorf("a broken answer: %v %q %v", res, body, err)
			}
			mu.Lock()
			outcomes[got]++
			mu.Unlock()
		})
		if took, err := d.drain(t, 5*time.Second); err != nil || took > time.Second {
			t.Fatalf("Shutdown took %v, %v", took, err)
		}
		wg.Wait()
	}
	t.Log(outcomes)
}

func TestServeAfterShutdownRefuses(t *testing.T) {
	d, err := NewDoor(DoorOptions{Handler: handler{serve: func(Exchange) {}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve returned %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is not closed: %v", err)
	}
}

func TestAPanicOfAHandlerIsNotSwallowedByTheDoor(t *testing.T) {
	// The gateway recovers panics itself and says what happened; here it is enough that a handler
	// which returns without an answer cuts the connection and nothing else.
	addr := serve(t, func(ex Exchange) {
		if string(ex.Request().Path) == "/none" {
			return
		}
		reply(ex, 200, "ok")
	})
	c := dial(t, addr)
	c.send("%s", get("/none"))
	if _, _, err := c.try("GET"); err == nil {
		t.Error("a call without an answer got one")
	}
	res, err := http.Get("http://" + addr + "/")
	if err != nil || res.StatusCode != 200 {
		t.Errorf("the next call: %v, %v", res, err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}
