package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/journey"
)

// within is how soon the upstream call of a caller who leaves must be cancelled.
const within = 100 * time.Millisecond

// bestOf runs try until it takes no longer than within: a machine with other work to do may be late
// once, a gateway that waits for a limit is late every time.
func bestOf(t *testing.T, try func(t *testing.T) time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 4 {
		d := try(t)
		if d <= within {
			return
		}
		took = append(took, d)
	}
	t.Errorf("the upstream call was cancelled after %v, want %v", took, within)
}

// TestACallerWhoLeavesCancelsTheUpstreamCall in each phase of the call, by closing and by resetting.
func TestACallerWhoLeavesCancelsTheUpstreamCall(t *testing.T) {
	const half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"
	for name, c := range map[string]struct {
		request string
		reply   string // what the upstream says before it waits
		until   string // what the caller reads before it leaves
	}{
		"waiting for the first byte":   {get("/"), "", ""},
		"waiting for the head":         {get("/"), "HTTP/1.1 200 OK\r\nX-A", ""},
		"behind an interim answer":     {get("/"), "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"},
		"reading the body":             {get("/"), half, "hello"},
		"reading chunks":               {get("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "5\r\nhello\r\n"},
		"reading until the end":        {get("/"), "HTTP/1.1 200 OK\r\n\r\nhello", "5\r\nhello\r\n"},
		"sending a declared body":      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhello", "", ""},
		"sending chunks":               {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "", ""},
		"sending, with half an answer": {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhello", half, "hello"},
	} {
		for _, how := range []string{"closes", "resets"} {
			t.Run(name+" "+how, func(t *testing.T) {
				asked, gone := make(chan struct{}, 10), make(chan time.Time, 10)
				url, _ := rawServer(t, false, func(conn net.Conn) {
					if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
						return
					}
					_, _ = io.WriteString(conn, c.reply)
					asked <- struct{}{}
					_, _ = io.Copy(io.Discard, conn)
					gone <- time.Now()
				})
				addr, r := relayTo(t, OriginOptions{URL: url}, nil)
				bestOf(t, func(t *testing.T) time.Duration {
					conn := dial(t, addr)
					conn.send("%s", c.request)
					soon(t, "the request", asked)
					for got := ""; !strings.HasSuffix(got, c.until); {
						got += conn.raw(1)
					}
					left := time.Now()
					if how == "resets" {
						reset(conn.Conn)
					} else {
						conn.Close()
					}
					return soon(t, "the upstream call's end", gone).Sub(left)
				})
				if s := r.origin.Stats(); s.Idle != 0 {
					t.Errorf("a cancelled connection is kept: %+v", s)
				}
			})
		}
	}
}

// TestACallerWhoTakesNothingLeaves: the gateway is blocked in a write to the caller.
func TestACallerWhoTakesNothingLeaves(t *testing.T) {
	gone := make(chan time.Time, 10)
	stalled := make(chan struct{}, 10)
	url, _ := rawServer(t, false, func(conn net.Conn) {
		skipRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
		block := make([]byte, 64<<10)
		for {
			_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := conn.Write(block); isTimeout(err) {
				break
			} else if err != nil {
				return
			}
		}
		stalled <- struct{}{}
		_ = conn.SetWriteDeadline(time.Time{})
		for {
			if _, err := conn.Write(block); err != nil {
				gone <- time.Now()
				return
			}
		}
	})
	addr, _ := relayTo(t, OriginOptions{URL: url}, nil)
	bestOf(t, func(t *testing.T) time.Duration {
		c := dial(t, addr)
		c.send("%s", get("/"))
		soon(t, "the upstream to be held back", stalled)
		left := time.Now()
		c.Close()
		return soon(t, "the upstream call's end", gone).Sub(left)
	})
}

// TestACallerWhoTakesNothingReachesTheWriteLimit, and the upstream's connection is given up.
func TestACallerWhoTakesNothingReachesTheWriteLimit(t *testing.T) {
	ended := make(chan error, 1)
	addr := serve(t, func(ex Exchange) {
		ex.WriteLimit(80 * time.Millisecond)
		_ = ex.Start(200, "", &Header{}, 1<<30, -1)
		block := make([]byte, 64<<10)
		for {
			if err := ex.Write(block); err != nil {
				ended <- err
				return
			}
		}
	})
	c := dial(t, addr)
	c.send("%s", get("/"))
	if err := soon(t, "the limit", ended); err != errTimeout {
		t.Errorf("writing ended with %v", err)
	}
	res, err := readResponse(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the caller takes the answer for whole")
	}
}

// factsRelay is a relay that keeps the facts of its attempts.
type factsRelay struct {
	origin *Origin
	limits AttemptLimits
	facts  chan journey.Attempt
	bodies chan *BodyError
}

func (r *factsRelay) Serve(ex Exchange) {
	rq := ex.Request()
	head := fmt.Sprintf("%s / HTTP/1.1\r\nHost: a\r\n", rq.Method)
	if rq.Chunked() {
		head += "Transfer-Encoding: chunked\r\n"
	} else if rq.Length > 0 {
		head += fmt.Sprintf("Content-Length: %d\r\n", rq.Length)
	}
	call := &Call{Head: []byte(head + "\r\n"), Stream: ex, Length: rq.Length, Limits: r.limits}
	if rq.Length == 0 {
		call.Stream = nil
	}
	var a journey.Attempt
	u := r.origin.Try(call, &a, ex)
	if u == nil {
		r.facts <- a
		r.bodies <- ex.BodyError()
		reply(ex, 502, string(a.End.String()))
		return
	}
	text := ""
	for {
		p, err := u.Next()
		if err != nil {
			break
		}
		text += string(p)
	}
	u.Release()
	r.facts <- a
	r.bodies <- ex.BodyError()
	reply(ex, u.Response.Status, text)
}

func (r *factsRelay) Refuse(ex Exchange, why *Refusal) { handler{}.Refuse(ex, why) }

func startFactsRelay(t *testing.T, o OriginOptions, limits AttemptLimits) (string, *factsRelay) {
	r := &factsRelay{newOrigin(t, o), limits, make(chan journey.Attempt, 10), make(chan *BodyError, 10)}
	addr, _ := startDoor(t, DoorOptions{Handler: r, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
	return addr, r
}

// TestAnUploadThatTheCallerBreaksIsTheCallersDoing, whatever the upstream does meanwhile.
func TestAnUploadThatTheCallerBreaksIsTheCallersDoing(t *testing.T) {
	const chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
	const declared = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello"
	limits := patient
	limits.Idle = 100 * time.Millisecond
	for name, c := range map[string]struct {
		request string
		then    func(*caller)
		reason  string
	}{
		"closes":                   {declared, func(c *caller) { c.Close() }, "aborted"},
		"closes among chunks":      {chunks, func(c *caller) { c.Close() }, "aborted"},
		"resets":                   {declared, func(c *caller) { reset(c.Conn) }, "aborted"},
		"closes its side":          {declared, func(c *caller) { _ = c.Conn.(*net.TCPConn).CloseWrite() }, "aborted"},
		"sends a chunk of no size": {chunks, func(c *caller) { c.send("x\r\n") }, "malformed"},
		"sends a broken trailer":   {chunks, func(c *caller) { c.send("0\r\nx\r\n\r\n") }, "malformed"},
		"falls silent":             {declared, func(*caller) {}, "timeout"},
		"falls silent in a chunk":  {chunks + "5\r\nhe", func(*caller) {}, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := make(chan struct{}, 1)
			url, _ := rawServer(t, false, func(conn net.Conn) {
				rq, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				b := make([]byte, 5)
				_, _ = io.ReadFull(rq.Body, b)
				begun <- struct{}{}
				_, _ = io.Copy(io.Discard, conn)
			})
			addr, r := startFactsRelay(t, OriginOptions{URL: url}, limits)
			conn := dial(t, addr)
			conn.send("%s", c.request)
			soon(t, "the upload's beginning", begun)
			c.then(conn)
			a := soon(t, "the attempt's end", r.facts)
			if a.End != journey.EndCaller || a.Phase != journey.PhaseSend || a.SendComplete || a.BodyOut < 5 {
				t.Errorf("phase %s, end %s, sent %v, %d of the body", a.Phase, a.End, a.SendComplete, a.BodyOut)
			}
			// A caller who leaves is seen by the watcher too, perhaps before its body's end is read.
			if be := soon(t, "the body's end", r.bodies); be == nil || be.Reason != c.reason || be.Got < 5 {
				t.Errorf("the body broke by %+v, want %s", be, c.reason)
			}
		})
	}
}

// TestAnUploadThatTheUpstreamBreaksIsTheUpstreamsDoing: the same facts the other way round, many
// times over, since the kernel tells of a reset once, to whoever asks first.
func TestAnUploadThatTheUpstreamBreaksIsTheUpstreamsDoing(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(net.Conn)
		want journey.End
	}{
		"resets": {func(c net.Conn) { reset(c) }, journey.EndReset},
		// Closing with bytes unread is a reset as well.
		"closes with bytes unread": {func(c net.Conn) {
			awaitUnread(c)
			if s, ok := c.(*secureConn); ok {
				c = s.below.Conn
			}
			_ = c.Close()
		}, journey.EndReset},
	} {
		for _, secure := range []bool{false, true} {
			title := name
			if secure {
				title += " over TLS"
			}
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				url, client := rawServer(t, secure, func(conn net.Conn) {
					rq, err := http.ReadRequest(bufio.NewReader(conn))
					if err != nil {
						return
					}
					_, _ = io.CopyN(io.Discard, rq.Body, 200_000)
					c.end(conn)
				})
				g := newOrigin(t, OriginOptions{URL: url, TLS: client})
				for i := range 60 {
					o := attempt(g, uploadCall(8<<20))
					if o.Phase != journey.PhaseSend || o.End != c.want || o.SendComplete || o.Errno == 0 {
						t.Fatalf("attempt %d: %s", i, o.show())
					}
				}
			})
		}
	}
}

// TestAnEarlyAnswerReachesACallerWhoStillSends, whether it goes on sending or waits.
func TestAnEarlyAnswerReachesACallerWhoStillSends(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for name, keep := range map[string]bool{"and the upstream closes": false, "and the upstream reads on": true} {
			for _, sending := range []bool{true, false} {
				title := fmt.Sprintf("%s, sending %v, TLS %v", name, sending, secure)
				t.Run(title, func(t *testing.T) {
					t.Parallel()
					url, client := rawServer(t, secure, func(conn net.Conn) {
						rq, err := http.ReadRequest(bufio.NewReader(conn))
						if err != nil {
							return
						}
						_, _ = io.CopyN(io.Discard, rq.Body, 10_000)
						_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large")
						if keep {
							_, _ = io.Copy(io.Discard, conn)
						}
					})
					addr, r := startFactsRelay(t, OriginOptions{URL: url, TLS: client}, patient)
					c := dial(t, addr)
					c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n%10000s", "")
					var wg sync.WaitGroup
					if sending {
						wg.Go(func() {
							block := make([]byte, 64<<10)
							for {
								if _, err := c.Write(block); err != nil {
									return
								}
							}
						})
					}
					began := time.Now()
					c.want("POST", 413, "too large")
					if took := time.Since(began); took > 2*time.Second {
						t.Errorf("the answer took %v", took)
					}
					c.Close()
					wg.Wait()
					a := soon(t, "the attempt's end", r.facts)
					if a.Status != 413 || a.End != journey.EndComplete || a.SendComplete {
						t.Errorf("status %d, end %s, sent %v", a.Status, a.End, a.SendComplete)
					}
					if s := r.origin.Stats(); s.Idle != 0 {
						t.Errorf("a connection with half a request on it is kept: %+v", s)
					}
				})
			}
		}
	}
}

// TestAFailedAttemptLeavesAnUnreadBodyToTheNext: nothing of the body was read when the first
// upstream broke, so the second gets all of it.
func TestAFailedAttemptLeavesAnUnreadBodyToTheNext(t *testing.T) {
	bad, _ := rawServer(t, false, func(conn net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(conn))
	})
	good := newEchoServer(t)
	first, second := newOrigin(t, OriginOptions{URL: bad}), newOrigin(t, OriginOptions{URL: good.URL})
	failed := make(chan struct{})
	addr := serve(t, func(ex Exchange) {
		if ex.Request().Length == 0 {
			reply(ex, 200, "the connection goes on")
			return
		}
		head := fmt.Sprintf("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", ex.Request().Length)
		call := &Call{Head: []byte(head), Stream: ex, Length: ex.Request().Length, Limits: patient}
		var a, b journey.Attempt
		if u := first.Try(call, &a, ex); u != nil {
			t.Error("the first attempt got an answer")
			u.Release()
		}
		if a.End == journey.EndCaller || ex.BytesIn() != 0 || ex.BodyError() != nil {
			t.Errorf("the first attempt ended by %s, %d bytes read, %v", a.End, ex.BytesIn(), ex.BodyError())
		}
		close(failed)
		u := second.Try(call, &b, ex)
		if u == nil {
			t.Errorf("the second attempt ended by %s: %v", b.End, ex.BodyError())
			return
		}
		p, _ := u.Next()
		text := string(p)
		u.Release()
		reply(ex, 200, text)
	})
	c := dial(t, addr)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	soon(t, "the first attempt's end", failed)
	c.want("POST", 100, "")
	c.send("hello")
	c.want("POST", 200, "POST /x 5 3610a686")
	c.send("%s", get("/"))
	c.want("GET", 200, "the connection goes on")
}
