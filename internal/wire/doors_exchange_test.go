package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// The exchange suite: what a room may rely on, whatever the protocol of the call.

// standing is a Canceller that tells when it was cancelled.
type standing chan Reason

func (s standing) Cancel(why Reason) { s <- why }

func opened(serve func(Exchange)) DoorOptions {
	return DoorOptions{Handler: handler{serve: serve}, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second}
}

func (h *house) wantWhole(a asked, status int, body string) {
	h.t.Helper()
	st, _, ok := a.head()
	if !ok || st != status {
		h.t.Fatalf("got status %d, %v; want %d", st, ok, status)
	}
	if b, _, whole := a.rest(); b != body || !whole {
		h.t.Fatalf("got the body %.200q, whole: %v; want %.200q", b, whole, body)
	}
}

func TestDoorsACallerWhoLeavesWhileWeWait(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		for _, how := range []string{"gives the call up", "half-closes its connection"} {
			t.Run(how, func(t *testing.T) {
				waiting, cancelled := make(chan struct{}, 9), make(chan time.Time, 9)
				h := k.open(t, opened(func(ex Exchange) {
					w := make(standing, 1)
					ex.Watch(w)
					waiting <- struct{}{}
					why := <-w
					at := time.Now()
					ex.Unwatch()
					if why != ReasonCallerGone || !ex.Gone() {
						t.Errorf("cancelled for %v, gone: %v", why, ex.Gone())
					}
					ex.Abort()
					cancelled <- at
				}))
				bestOf(t, func(t *testing.T) time.Duration {
					a := h.ask("GET", "/", false)
					soon(t, "the call", waiting)
					left := time.Now()
					if how == "gives the call up" {
						a.leave()
					} else {
						a.halfClose()
						h.conn = nil
					}
					return soon(t, "the call's end", cancelled).Sub(left)
				})
			})
		}
	})
}

func TestDoorsACallerWhoLeftBeforeIsNoticedByWatch(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		in, out := make(chan struct{}), make(chan Reason, 1)
		h := k.open(t, opened(func(ex Exchange) {
			in <- struct{}{}
			for !ex.Gone() {
				time.Sleep(time.Millisecond)
			}
			w := make(standing, 1)
			ex.Watch(w)
			out <- <-w
			ex.Unwatch()
		}))
		a := h.ask("GET", "/", false)
		soon(t, "the call", in)
		a.leave()
		if why := soon(t, "the cancellation", out); why != ReasonCallerGone {
			t.Errorf("cancelled for %v", why)
		}
	})
}

func TestDoorsNothingIsCancelledBehindUnwatch(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		w := make(standing, 9)
		h := k.open(t, opened(func(ex Exchange) {
			ex.Watch(w)
			ex.Unwatch()
			reply(ex, 200, "ok")
		}))
		for range 20 {
			a := h.ask("GET", "/", false)
			h.wantWhole(a, 200, "ok")
			if !k.h2 {
				a.leave()
			}
		}
		if len(w) > 0 {
			t.Errorf("cancelled for %v after its call had ended", <-w)
		}
	})
}

func TestDoorsACallerWhoLeavesWhileItsBodyIsRead(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		for _, first := range []string{"", "hello"} {
			t.Run(fmt.Sprintf("after %q", first), func(t *testing.T) {
				reading, failed := make(chan struct{}), make(chan error, 1)
				h := k.open(t, opened(func(ex Exchange) {
					p := make([]byte, 100)
					if first != "" {
						if n, err := ex.ReadBody(p, 0); string(p[:n]) != first || err != nil {
							t.Errorf("read %q, %v", p[:n], err)
						}
					}
					close(reading)
					_, err := ex.ReadBody(p, 0)
					failed <- err
				}))
				a := h.ask("POST", "/", true)
				if first != "" {
					a.send(first)
				}
				soon(t, "the call", reading)
				a.leave()
				var be *BodyError
				if err := soon(t, "the read's end", failed); !errors.As(err, &be) || be.Reason != "aborted" || be.Got != int64(len(first)) || be.Want != -1 {
					t.Errorf("reading ended with %+v (%v)", be, err)
				}
			})
		}
	})
}

func TestDoorsACallerWhoLeavesWhileWeWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		failed := make(chan error, 1)
		h := k.open(t, opened(func(ex Exchange) {
			_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
			block := make([]byte, 10_000)
			for {
				err := ex.Write(block)
				if err == nil {
					err = ex.Flush()
				}
				if err != nil {
					failed <- err
					if ex.Write(block) == nil || ex.End(nil) == nil {
						t.Error("an answer that has failed takes more")
					}
					return
				}
			}
		}))
		a := h.ask("GET", "/", false)
		if st, _, ok := a.head(); st != 200 || !ok {
			t.Fatal(st, ok)
		}
		a.body(1000)
		a.leave()
		soon(t, "a write to fail", failed)
	})
}

func TestDoorsACallerWhoTakesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		failed := make(chan error, 1)
		h := k.open(t, opened(func(ex Exchange) {
			if string(ex.Request().Path) == "/other" {
				reply(ex, 200, strings.Repeat("x", 100_000))
				return
			}
			ex.WriteLimit(150 * time.Millisecond)
			_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
			block := make([]byte, 100_000)
			for {
				if err := ex.Write(block); err != nil {
					failed <- err
					return
				}
			}
		}))
		a := h.ask("GET", "/", false)
		a.hold()
		if err := soon(t, "a write to fail", failed); err != errTimeout {
			t.Errorf("writing failed with %v", err)
		}
		if k.h2 {
			// The windows of the others are their own.
			if _, _, whole := a.rest(); whole {
				t.Error("the stalled answer looks whole")
			}
			h.wantWhole(h.ask("GET", "/other", false), 200, strings.Repeat("x", 100_000))
		}
	})
}

func TestDoorsInterimAnswers(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			hints := &Header{}
			hints.AddString("Link", "</a.css>")
			hints.AddString("Link", "</b.css>")
			_ = ex.Inform(103, hints)
			_ = ex.Inform(102, &Header{})
			reply(ex, 200, "ok")
			_ = ex.Inform(103, hints) // nothing goes before what has gone
		}))
		for range 2 {
			a := h.ask("GET", "/", false)
			if st, f, _ := a.head(); st != 103 || strings.Join(f["Link"], " ") != "</a.css> </b.css>" {
				t.Fatalf("got %d %v", st, f)
			}
			if st, f, _ := a.head(); st != 102 || f.Get("Link") != "" {
				t.Fatalf("got %d %v", st, f)
			}
			h.wantWhole(a, 200, "ok")
		}
	})
}

func TestDoorsContinueIsSentWithTheFirstRead(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			if string(ex.Request().Path) == "/refused" {
				reply(ex, 401, "no")
				return
			}
			_ = ex.Inform(102, &Header{}) // it shows when
			if string(ex.Request().Path) == "/told" {
				_ = ex.Continue()
			}
			body, err := readAll(ex)
			reply(ex, 200, fmt.Sprint(body, err))
		}))
		for _, path := range []string{"/read", "/told"} {
			a := h.ask("POST", path, true, "Expect", "100-continue")
			for _, want := range []int{102, 100} {
				if st, _, _ := a.head(); st != want {
					t.Fatalf("%s: got %d, want %d", path, st, want)
				}
			}
			a.send("hel")
			a.send("lo")
			a.end()
			h.wantWhole(a, 200, "hello<nil>")
		}
		h.wantWhole(h.ask("POST", "/refused", true, "Expect", "100-continue"), 401, "no")
	})
}

func TestDoorsTrailers(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			if v := string(ex.Request().Header.Get(TE)); v != "trailers" {
				t.Errorf("TE: %q", v)
			}
			if len(ex.Trailer().Fields) > 0 {
				t.Errorf("a trailer before the body's end: %v", ex.Trailer())
			}
			body, err := readAll(ex)
			in := ex.Trailer()
			_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
			_ = ex.Write([]byte(fmt.Sprint(body, err)))
			out := &Header{}
			out.AddString("X-Out", string(in.Lookup("x-in"))+string(in.Lookup("x-api-key")))
			out.AddString("X-Out", "again")
			out.AddString("Content-Length", "5")
			_ = ex.End(out)
		}))
		announced := []string{"TE", "trailers", "Trailer", "X-In, X-API-Key"}
		for i, pieces := range [][]string{{"hello"}, {"he", "llo"}, {}, {"hello"}, {}} {
			if i > 2 {
				announced = announced[:2] // it need not be (RFC 9110 section 6.6.2)
			}
			a := h.ask("POST", "/", true, announced...)
			for _, p := range pieces {
				a.send(p)
			}
			a.end("X-In", "here", "X-API-Key", "no")
			st, _, _ := a.head()
			body, trailer, whole := a.rest()
			if st != 200 || body != strings.Join(pieces, "")+"<nil>" || !whole {
				t.Fatalf("got %d %q %v", st, body, whole)
			}
			if strings.Join(trailer["X-Out"], ",") != "here,again" || len(trailer) != 1 {
				t.Errorf("trailer %v", trailer)
			}
		}
	})
}

func TestDoorsATrailerWithoutABody(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
			out := &Header{}
			out.AddString("grpc-status", "0")
			_ = ex.End(out)
		}))
		a := h.ask("GET", "/", false)
		if st, _, _ := a.head(); st != 200 {
			t.Fatal(st)
		}
		if body, trailer, whole := a.rest(); body != "" || !whole || trailer.Get("Grpc-Status") != "0" {
			t.Errorf("got %q, %v, %v", body, trailer, whole)
		}
	})
}

func TestDoorsAnEarlyAnswer(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		for _, read := range []bool{false, true} {
			t.Run(fmt.Sprintf("some of the body was read: %v", read), func(t *testing.T) {
				h := k.open(t, opened(func(ex Exchange) {
					if read {
						p := make([]byte, 10)
						_, _ = ex.ReadBody(p, 0)
					}
					reply(ex, 413, "enough")
				}))
				a := h.ask("POST", "/", true)
				a.send("hello")
				h.wantWhole(a, 413, "enough")
				if k.h2 {
					h.wantWhole(h.ask("GET", "/", false), 413, "enough") // on the same connection
				}
			})
		}
	})
}

func TestDoorsBothDirectionsAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
			_ = ex.Flush()
			p := make([]byte, 100)
			for {
				n, err := ex.ReadBody(p, 0)
				if err == io.EOF {
					_ = ex.End(nil)
					return
				}
				if err != nil {
					return
				}
				_ = ex.Write(p[:n])
				_ = ex.Flush()
			}
		}))
		a := h.ask("POST", "/", true)
		if st, _, _ := a.head(); st != 200 {
			t.Fatal(st)
		}
		for i := range 20 {
			word := fmt.Sprintf("word %02d", i)
			a.send(word)
			if got := a.body(len(word)); got != word {
				t.Fatalf("got %q back, sent %q", got, word)
			}
		}
		a.end()
		if rest, _, whole := a.rest(); rest != "" || !whole {
			t.Errorf("%q followed, whole: %v", rest, whole)
		}
	})
}

func TestDoorsLargeBodies(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		want := strings.Repeat("0123456789abcdef", 20_000)
		h := k.open(t, opened(func(ex Exchange) {
			body, err := readAll(ex)
			if body != want || err != nil {
				t.Errorf("read %d bytes, %v", len(body), err)
			}
			if n := ex.BytesIn(); n != int64(len(want)) {
				t.Errorf("BytesIn is %d", n)
			}
			_ = ex.Start(200, "", &Header{}, int64(len(want)), -1)
			for p := body; len(p) > 0; p = p[min(len(p), 7777):] {
				if err := ex.Write([]byte(p[:min(len(p), 7777)])); err != nil {
					t.Error(err)
				}
			}
			if n := ex.BytesOut(); n != int64(len(want)) {
				t.Errorf("BytesOut is %d", n)
			}
			_ = ex.End(nil)
		}))
		a := h.ask("POST", "/", true)
		for p := want; len(p) > 0; p = p[min(len(p), 10_000):] {
			a.send(p[:min(len(p), 10_000)])
		}
		a.end()
		h.wantWhole(a, 200, want)
	})
}

func TestDoorsABrokenAnswerIsNotWhole(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			length := int64(LengthChunked)
			if string(ex.Request().Path) == "/declared" {
				length = 100
			}
			_ = ex.Start(200, "", &Header{}, length, -1)
			_ = ex.Write([]byte("half"))
			switch string(ex.Request().Path) {
			case "/left":
			case "/flushed":
				_ = ex.Flush()
				ex.Abort()
			default:
				ex.Abort()
			}
			if ex.Withdraw() {
				t.Error("a broken answer is taken back")
			}
		}))
		for _, path := range []string{"/declared", "/flushed", "/aborted"} {
			a := h.ask("GET", path, false)
			if st, _, ok := a.head(); st != 200 || !ok {
				t.Fatalf("%s: %d %v", path, st, ok)
			}
			if body, _, whole := a.rest(); body != "half" || whole {
				t.Errorf("%s: %q, whole: %v", path, body, whole)
			}
		}
	})
}

func TestDoorsWithdraw(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			first := &Header{}
			first.AddString("X-First", "yes")
			_ = ex.Start(200, "", first, 100, -1)
			_ = ex.Write([]byte("of a hundred bytes"))
			if !ex.Withdraw() || ex.Started() || ex.BytesOut() != 0 {
				t.Errorf("withdrawn, but started %v with %d bytes", ex.Started(), ex.BytesOut())
			}
			reply(ex, 502, "sorry")
		}))
		a := h.ask("GET", "/", false)
		st, fields, _ := a.head()
		if st != 502 || fields.Get("X-First") != "" || fields.Get("Content-Length") != "5" {
			t.Errorf("got %d %v", st, fields)
		}
		if body, _, whole := a.rest(); body != "sorry" || !whole {
			t.Errorf("got %q, %v", body, whole)
		}
	})
}

func TestDoorsAnswersAreHeldToTheirLength(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		errs := make(chan error, 4)
		h := k.open(t, opened(func(ex Exchange) {
			_ = ex.Start(200, "", &Header{}, 5, -1)
			errs <- ex.Write([]byte("too long"))
			errs <- ex.Write([]byte("four"))
			errs <- ex.End(nil)
		}))
		a := h.ask("GET", "/", false)
		a.head()
		if body, _, whole := a.rest(); body != "four" && body != "" || whole {
			t.Errorf("got %q, whole: %v", body, whole)
		}
		for _, want := range []error{errTooMuchBody, nil, errTooLittle} {
			if got := soon(t, "the writes", errs); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	})
}

func TestDoorsAnswersWithoutABody(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			status := map[string]int{"/204": 204, "/304": 304}[string(ex.Request().Path)]
			if status == 0 {
				status = 200
			}
			fields := &Header{}
			fields.AddString("ETag", `"a"`)
			_ = ex.Start(status, "", fields, 1000, 1000)
			_ = ex.Write([]byte("nothing of this goes out"))
			_ = ex.Flush()
			if err := ex.End(nil); err != nil {
				t.Error(err)
			}
		}))
		for _, c := range []struct{ method, path, length string }{{"HEAD", "/", "1000"}, {"GET", "/304", "1000"}, {"GET", "/204", ""}, {"HEAD", "/204", ""}} {
			a := h.ask(c.method, c.path, false)
			_, fields, _ := a.head()
			if fields.Get("Content-Length") != c.length || fields.Get("ETag") != `"a"` || fields.Get("Content-Type") != "" {
				t.Errorf("%s %s: %v", c.method, c.path, fields)
			}
			if body, _, whole := a.rest(); body != "" || !whole {
				t.Errorf("%s %s: %q, whole: %v", c.method, c.path, body, whole)
			}
		}
	})
}

func TestDoorsFieldsOfAConnectionStayOnIt(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			fields := &Header{}
			for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "TE"} {
				fields.AddString(name, "x-mine")
			}
			fields.AddString("Transfer-Encoding", "chunked")
			fields.AddString("X-Kept", "one")
			fields.AddString("x-kept", "two")
			_ = ex.Start(200, "", fields, 2, -1)
			_ = ex.Write([]byte("ok"))
			_ = ex.End(nil)
		}))
		a := h.ask("GET", "/", false)
		_, fields, _ := a.head()
		for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Te", "Transfer-Encoding", "Content-Type"} {
			if v := fields.Get(name); v != "" {
				t.Errorf("%s: %s", name, v)
			}
		}
		if got := strings.Join(fields["X-Kept"], ","); got != "one,two" {
			t.Errorf("X-Kept: %s", got)
		}
		if body, _, whole := a.rest(); body != "ok" || !whole {
			t.Errorf("%q, %v", body, whole)
		}
	})
}

func TestDoorsStopReading(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		for _, read := range []bool{false, true} {
			t.Run(fmt.Sprintf("some of the body was read: %v", read), func(t *testing.T) {
				reading := make(chan struct{}, 1)
				h := k.open(t, opened(func(ex Exchange) {
					p := make([]byte, 100)
					if read {
						if n, err := ex.ReadBody(p, 0); string(p[:n]) != "first" || err != nil {
							t.Errorf("read %q, %v", p[:n], err)
						}
					}
					done := make(chan error)
					go func() {
						reading <- struct{}{}
						_, err := ex.ReadBody(p, 0)
						done <- err
					}()
					time.Sleep(20 * time.Millisecond) // or it stops the next read: both are allowed
					ex.StopReading()
					var be *BodyError
					if err := <-done; !errors.As(err, &be) || be.Reason != "stopped" {
						t.Errorf("stopped by %v", err)
					}
					if read {
						if _, err := ex.ReadBody(p, 0); err == nil || err == io.EOF {
							t.Errorf("a body that was lost can be read on: %v", err)
						}
						reply(ex, 502, "lost")
						return
					}
					if err := ex.BodyError(); err != nil && err.Reason != "stopped" {
						t.Errorf("a body that was not begun has failed: %v", err)
					}
					reading <- struct{}{}
					body, err := readAll(ex)
					reply(ex, 200, fmt.Sprint(body, err))
				}))
				a := h.ask("POST", "/", true)
				if read {
					a.send("first")
				}
				soon(t, "a read", reading)
				if read {
					h.wantWhole(a, 502, "lost")
					return
				}
				soon(t, "another read", reading)
				a.send("all of it")
				a.end()
				h.wantWhole(a, 200, "all of it<nil>")
			})
		}
	})
}

func TestDoorsASilentBody(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		for _, first := range []string{"", "hello"} {
			t.Run(fmt.Sprintf("after %q", first), func(t *testing.T) {
				h := k.open(t, opened(func(ex Exchange) {
					p := make([]byte, 100)
					if first != "" {
						_, _ = ex.ReadBody(p, time.Second)
					}
					_, err := ex.ReadBody(p, 60*time.Millisecond)
					var be *BodyError
					if !errors.As(err, &be) || be.Reason != "timeout" || be.Limit != 60*time.Millisecond || be.Got != int64(len(first)) {
						t.Errorf("ended by %+v (%v)", be, err)
					}
					if ex.BodyError() == nil {
						t.Error("BodyError knows of nothing")
					}
					reply(ex, 408, "too slow")
				}))
				a := h.ask("POST", "/", true)
				if first != "" {
					a.send(first)
				}
				h.wantWhole(a, 408, "too slow")
			})
		}
	})
}

func TestDoorsProtocolAndAddresses(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		h := k.open(t, opened(func(ex Exchange) {
			rq := ex.Request()
			if (ex.TLS() != nil) != k.secure {
				t.Errorf("TLS: %v", ex.TLS())
			}
			if ex.RemoteIP() != "127.0.0.1" || !ex.Remote().IsValid() || !ex.Local().IsValid() || time.Since(ex.Began()) > 5*time.Second {
				t.Errorf("%s %v %v %v", ex.RemoteIP(), ex.Remote(), ex.Local(), ex.Began())
			}
			reply(ex, 200, fmt.Sprintf("%s %s %s %s %s %q", ex.Protocol(), rq.Method, rq.Path, rq.Query, rq.Authority, rq.Header.Get(Host)))
		}))
		want := "HTTP/1.1"
		if k.h2 {
			want = "HTTP/2"
		}
		h.wantWhole(h.ask("PATCH", "/a%2Fb?c=d", false), 200, want+` PATCH /a%2Fb c=d gateway.test "gateway.test"`)
	})
}

func TestDoorsDrainLetsCallsFinish(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		begun, finish := make(chan struct{}, 9), make(chan struct{})
		h := k.open(t, opened(func(ex Exchange) {
			if string(ex.Request().Path) == "/streaming" {
				_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
				_ = ex.Flush()
			}
			begun <- struct{}{}
			<-finish
			if !ex.Started() {
				_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
			}
			body, err := readAll(ex)
			_ = ex.Write([]byte(fmt.Sprint(body, err)))
			_ = ex.End(nil)
		}))
		calls := []asked{h.ask("GET", "/streaming", false), h.ask("GET", "/waiting", false), h.ask("POST", "/sending", true)}
		for range calls {
			soon(t, "the calls", begun)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		drained := make(chan error, 1)
		go func() { drained <- h.door.Shutdown(ctx) }()
		for !h.door.isDraining() {
			time.Sleep(time.Millisecond)
		}
		calls[2].send("hello")
		calls[2].end()
		if k.h2 {
			h.conn.until("GOAWAY", func() bool { return h.conn.goAway != nil })
		}
		close(finish)
		h.wantWhole(calls[0], 200, "<nil>")
		h.wantWhole(calls[1], 200, "<nil>")
		h.wantWhole(calls[2], 200, "hello<nil>")
		if err := soon(t, "the drain", drained); err != nil {
			t.Errorf("draining: %v", err)
		}
		if n := h.door.Stats().Open; n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
}

func TestDoorsDrainCutsWhatLastsTooLong(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		begun, why := make(chan struct{}, 1), make(chan Reason, 1)
		h := k.open(t, opened(func(ex Exchange) {
			w := make(standing, 1)
			ex.Watch(w)
			begun <- struct{}{}
			why <- <-w
			ex.Unwatch()
			reply(ex, 503, "stopping")
		}))
		a := h.ask("GET", "/", false)
		soon(t, "the call", begun)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		drained := make(chan error, 1)
		go func() { drained <- h.door.Shutdown(ctx) }()
		if r := soon(t, "the cut", why); r != ReasonDrain {
			t.Errorf("cut for %v", r)
		}
		h.wantWhole(a, 503, "stopping") // there is time for a last word
		if err := soon(t, "the drain", drained); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("draining: %v", err)
		}
	})
}

func TestDoorsDrainEndsAStuckCall(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		begun := make(chan struct{}, 1)
		h := k.open(t, opened(func(ex Exchange) {
			begun <- struct{}{}
			_, _ = readAll(ex) // it watches nothing
		}))
		a := h.ask("POST", "/", true)
		soon(t, "the call", begun)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		began := time.Now()
		if err := h.door.Shutdown(ctx); err == nil || time.Since(began) > 4*time.Second {
			t.Errorf("Shutdown took %v, %v", time.Since(began), err)
		}
		if _, _, ok := a.head(); ok {
			t.Error("a call that was cut has an answer")
		}
	})
}

func TestDoorsHeadsThatAreTooLarge(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		for _, c := range []struct {
			name   string
			fields []string
		}{
			{"one long field", []string{"X-A", strings.Repeat("x", 9<<10)}},
			{"many fields", strings.Split(strings.Repeat("X-A,b,", 30)+"X-A,b", ",")},
		} {
			t.Run(c.name, func(t *testing.T) {
				o := opened(func(ex Exchange) { reply(ex, 200, "ok") })
				o.Limits = Limits{Head: 8 << 10, Fields: 20}
				h := k.open(t, o)
				a := h.ask("GET", "/", false, c.fields...)
				if st, _, ok := a.head(); st != 431 || !ok {
					t.Errorf("got %d, %v", st, ok)
				}
				if body, _, whole := a.rest(); !strings.Contains("server.max_header header fields", body) || body == "" || !whole {
					t.Errorf("got %q, %v", body, whole)
				}
			})
		}
	})
}

func TestDoorsABodyThatTrickles(t *testing.T) {
	everywhere(t, func(t *testing.T, k doorKind) {
		ended := make(chan error, 1)
		o := opened(func(ex Exchange) {
			_, err := readAll(ex)
			ended <- err
			reply(ex, 408, "too slow")
		})
		o.MinRate, o.MinRateAfter = 1000, 200*time.Millisecond
		h := k.open(t, o)
		a := h.ask("POST", "/", true)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range 100 {
				a.send("x")
				select {
				case err := <-ended:
					var be *BodyError
					if !errors.As(err, &be) || be.Reason != "slow" || be.Rate != 1000 || be.Waited < 200*time.Millisecond {
						t.Errorf("ended by %+v (%v)", be, err)
					}
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
			t.Error("it was read on and on")
		}()
		h.wantWhole(a, 408, "too slow")
		<-sent
	})
}
