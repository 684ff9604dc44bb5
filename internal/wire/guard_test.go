package wire

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// guarded opens a door with limits, and tells of its refusals.
func guarded(t *testing.T, o DoorOptions) (addr string, refused <-chan Refusal) {
	t.Helper()
	ch := make(chan Refusal, 10)
	inner := handler{serve: func(ex Exchange) {
		body, err := readAll(ex)
		if err != nil {
			reply(ex, 400, err.Error())
			return
		}
		reply(ex, 200, body)
	}}
	o.Handler = handler{inner.serve, func(ex Exchange, why *Refusal) {
		select {
		case ch <- *why:
		default: // nobody looks at so many
		}
		handler{}.Refuse(ex, why)
	}}
	if o.ReadHeaderTimeout == 0 {
		o.ReadHeaderTimeout = 5 * time.Second
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 5 * time.Second
	}
	addr, _ = startDoor(t, o)
	return addr, ch
}

func TestSlowHeadsAreRefused(t *testing.T) {
	addr, refused := guarded(t, DoorOptions{ReadHeaderTimeout: 80 * time.Millisecond})
	for name, first := range map[string]string{
		"one byte":      "G",
		"half a line":   "GET / HT",
		"half a head":   "GET / HTTP/1.1\r\nHost: a\r\nX-A: ",
		"the last LF":   "GET / HTTP/1.1\r\nHost: a\r\n\r",
		"a second call": get("/") + "GET /sec",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, addr)
			c.send("%s", first)
			if name == "a second call" {
				c.want("GET", 200, "")
			}
			if res := c.want("GET", 408, "server.read_header_timeout"); !res.Close {
				t.Error("the answer does not say that the connection ends")
			}
			c.wantEnd("FIN")
			why := soon(t, "the refusal", refused)
			if why.Reason != RefuseHeadTimeout || why.Value != "80ms" || why.After < 80*time.Millisecond || why.Head != nil {
				t.Errorf("refused for %+v", why)
			}
		})
	}
}

func TestASlowHeadIsTimedAsAWhole(t *testing.T) {
	addr, refused := guarded(t, DoorOptions{ReadHeaderTimeout: 150 * time.Millisecond})
	c := dial(t, addr)
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// A byte every few milliseconds is never idle and never done.
		for _, b := range []byte("GET / HTTP/1.1\r\nX-Slow: " + strings.Repeat("x", 1000)) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	c.want("GET", 408, "server.read_header_timeout")
	if took := time.Since(began); took > 4*time.Second { // all of it would take 5 s
		t.Errorf("refused after %v", took)
	}
	soon(t, "the refusal", refused)
	c.Close()
	<-done
}

func TestSilentConnectionsAreClosedWithoutAnAnswer(t *testing.T) {
	silent := make(chan string, 1)
	addr, refused := guarded(t, DoorOptions{ReadHeaderTimeout: 60 * time.Millisecond, OnSilent: tellSilent(silent)})
	c := dial(t, addr)
	c.wantEnd("FIN")
	if got, want := soon(t, "OnSilent", silent), c.LocalAddr().String()+" called: false"; got != want {
		t.Errorf("told of %s, want %s", got, want)
	}
	if len(refused) > 0 {
		t.Errorf("refused for %+v", <-refused)
	}
}

// Who holds a connection for long without a byte is silent as well; who leaves at once has only looked.
func TestCallersWhoLeaveWithoutAByteAreSilent(t *testing.T) {
	silent := make(chan string, 10)
	addr, _ := guarded(t, DoorOptions{ReadHeaderTimeout: time.Minute, OnSilent: tellSilent(silent)})
	dial(t, addr).Close()
	c := dial(t, addr)
	time.Sleep(silentFrom + 50*time.Millisecond)
	c.Close()
	if got, want := soon(t, "OnSilent", silent), c.LocalAddr().String()+" called: false"; got != want {
		t.Errorf("told of %s, want %s", got, want)
	}
	if len(silent) > 0 {
		t.Errorf("told of %s as well", <-silent)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	silent := make(chan string, 1)
	addr, _ := guarded(t, DoorOptions{IdleTimeout: 60 * time.Millisecond, OnSilent: tellSilent(silent)})
	c := dial(t, addr)
	for range 3 {
		c.send("%s", get("/"))
		c.want("GET", 200, "")
	}
	c.wantEnd("FIN")
	if got, want := soon(t, "OnSilent", silent), c.LocalAddr().String()+" called: true"; got != want {
		t.Errorf("told of %s, want %s", got, want)
	}
}

// tellSilent puts what OnSilent is told into words.
func tellSilent(to chan<- string) func(netip.AddrPort, bool) {
	return func(caller netip.AddrPort, called bool) {
		select {
		case to <- fmt.Sprintf("%v called: %v", caller, called):
		default:
		}
	}
}

func TestHeadsThatAreTooLargeAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, head    string
		limit, reason string
	}{
		{"one long field", "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", "server.max_header", "8KiB"},
		{"a long target", "GET /" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", "server.max_header", "8KiB"},
		{"no end", "GET / HTTP/1.1\r\nX-A: " + strings.Repeat("x", 20<<10), "server.max_header", "8KiB"},
		{"one byte too many", "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("x", 8<<10-len("GET / HTTP/1.1\r\nHost: a\r\nX-A: \r\n\r\n")+1) + "\r\n\r\n", "server.max_header", "8KiB"},
		{"many fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-A: b\r\n", 50) + "\r\n", "header fields", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, refused := guarded(t, DoorOptions{Limits: Limits{Head: 8 << 10, Fields: 20}})
			conn := dial(t, addr)
			conn.send("%s", c.head)
			conn.want("GET", 431, c.limit)
			conn.wantEnd("FIN")
			if why := soon(t, "the refusal", refused); why.Reason != RefuseHeadTooBig || why.Limit != c.limit || why.Value != c.reason {
				t.Errorf("refused for %+v", why)
			}
		})
	}
}

func TestHeadsUpToTheLimitAreServed(t *testing.T) {
	const frame = len("GET / HTTP/1.1\r\nHost: a\r\nX-A: \r\n\r\n")
	for _, limit := range []int{100, 4 << 10, 4<<10 + 1, 8 << 10, 16 << 10, 64 << 10, 100_000} {
		addr, refused := guarded(t, DoorOptions{Limits: Limits{Head: limit}})
		c := dial(t, addr)
		head := "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("x", limit-frame) + "\r\n\r\n"
		// The second one begins in the middle of the buffer of the first.
		c.send("%s%s%s", get("/"), head, head)
		for range 3 {
			if res, _ := c.answer("GET"); res.StatusCode != 200 {
				t.Fatalf("limit %d: %s, %+v", limit, res.Status, <-refused)
			}
		}
	}
}

func TestAHeadInSingleBytesIsServed(t *testing.T) {
	addr, _ := guarded(t, DoorOptions{})
	c := dial(t, addr)
	for _, b := range []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-A: b\r\n\r\n" + get("/")) {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	c.want("POST", 200, "hello")
	c.want("GET", 200, "")
}

func TestSlowBodiesTimeOut(t *testing.T) {
	errs := make(chan *BodyError, 1)
	addr := serve(t, func(ex Exchange) {
		var err error
		p := make([]byte, 100)
		for n := 0; err == nil; _, err = ex.ReadBody(p[n:], 60*time.Millisecond) {
			n = int(ex.BytesIn())
		}
		errs <- ex.BodyError()
		reply(ex, 408, "slow")
	})
	for name, c := range map[string]struct {
		request string
		want    BodyError
	}{
		"declared, nothing of it": {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", BodyError{Reason: "timeout", Got: 0, Want: 10}},
		"declared, a part":        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", BodyError{Reason: "timeout", Got: 5, Want: 10}},
		"chunked, in a size":      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5", BodyError{Reason: "timeout", Got: 5, Want: -1}},
		"chunked, in the data":    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", BodyError{Reason: "timeout", Got: 5, Want: -1}},
		"chunked, in the trailer": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: ", BodyError{Reason: "timeout", Got: 5, Want: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, addr)
			conn.send("%s", c.request)
			c.want.Limit = 60 * time.Millisecond
			if got := soon(t, "the body's end", errs); *got != c.want {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
			if res := conn.want("POST", 408, "slow"); !res.Close {
				t.Error("the answer does not say that the connection ends")
			}
			conn.wantEnd("FIN")
		})
	}
}

func TestBrokenBodiesAreTold(t *testing.T) {
	errs := make(chan *BodyError, 1)
	addr := serve(t, func(ex Exchange) {
		_, err := readAll(ex)
		errs <- ex.BodyError()
		if err != error(ex.BodyError()) {
			t.Errorf("ReadBody says %v", err)
		}
		if _, again := ex.ReadBody(make([]byte, 1), time.Second); again == nil {
			t.Error("a broken body can be read on")
		}
		reply(ex, 400, "broken")
	})
	const chunkHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
	for name, c := range map[string]struct {
		request, reason, detail string
		got                     int64
	}{
		"a size that is none":     {chunkHead + "zz\r\n", "malformed", errChunkSize.Error(), 5},
		"a chunk without its end": {chunkHead + "5\r\nworldX\r\n", "malformed", errChunkEnd.Error(), 10},
		"a trailer that is none":  {chunkHead + "0\r\nX\r\n\r\n", "malformed", errTrailer.Error(), 5},
		"cut in a chunk":          {chunkHead + "5\r\nwor", "aborted", "", 8},
		"cut behind a chunk":      {chunkHead, "aborted", "", 5},
		"cut":                     {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", "aborted", "", 5},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, addr)
			conn.send("%s", c.request)
			if c.reason == "aborted" {
				_ = conn.Conn.(*net.TCPConn).CloseWrite()
			}
			got := soon(t, "the body's end", errs)
			if got.Reason != c.reason || got.Detail != c.detail || got.Got != c.got {
				t.Errorf("got %+v", *got)
			}
			conn.want("POST", 400, "broken")
			conn.wantEnd("FIN")
		})
	}
}

func TestConnectionsAboveTheLimitAreToldSo(t *testing.T) {
	addr, refused := guarded(t, DoorOptions{MaxConnections: 2})
	var in []*caller
	for range 2 {
		c := dial(t, addr)
		c.send("%s", get("/"))
		c.want("GET", 200, "")
		in = append(in, c)
	}
	third := dial(t, addr)
	third.send("%s", get("/"))
	third.want("GET", 503, "server.max_connections")
	third.wantEnd("FIN")
	if why := soon(t, "the refusal", refused); why.Reason != RefuseConnections || why.Value != "2" || why.Seen != "3" {
		t.Errorf("refused for %+v", why)
	}
	in[0].Close()
	for range 200 {
		again := dial(t, addr)
		again.send("%s", get("/"))
		if res, _ := again.answer("GET"); res.StatusCode == 200 {
			return
		}
		again.Close()
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("the place of a connection that has gone is never given to another")
}

func TestATLSHelloOnAPlainAddressIsAnsweredAtOnce(t *testing.T) {
	addr, refused := guarded(t, DoorOptions{})
	c := dial(t, addr)
	c.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	c.want("GET", 400, "")
	if why := soon(t, "the refusal", refused); why.Head == nil || !strings.Contains(why.Head.Reason, "TLS") {
		t.Errorf("refused for %+v", why)
	}
}

func TestRefusedCallsAreAnsweredEvenWhileTheySend(t *testing.T) {
	addr, _ := guarded(t, DoorOptions{})
	c := dial(t, addr)
	// What stands unread in the socket must not reset the connection before the answer is read.
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n%s", strings.Repeat("x", 200_000))
	c.want("POST", 400, "")
	c.wantEnd("FIN")
}

func TestEveryRefusalHasItsReason(t *testing.T) {
	addr, refused := guarded(t, DoorOptions{})
	for request, want := range map[string]RefusalReason{
		"BROKEN\r\n\r\n":                          RefuseMalformed,
		"GET / HTTP/2.0\r\nHost: a\r\n\r\n":       RefuseVersion,
		get("/", "Expect: x"):                     RefuseExpectation,
		get("/", "Transfer-Encoding: gzip"):       RefuseCoding,
		get("/", "Transfer-Encoding: \x00"):       RefuseMalformed,
		get("/", "Host: b"):                       RefuseMalformed,
		"GET / HTTP/1.1\r\n\r\n":                  RefuseMalformed,
		get("/", "Content-Length: 1, 1"):          RefuseMalformed,
		"GET / HTTP/1.1\nHost: a\n\n":             RefuseMalformed,
		"GET http://u@a/ HTTP/1.1\r\n\r\n":        RefuseMalformed,
		"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n": RefuseMalformed,
	} {
		c := dial(t, addr)
		c.send("%s", request)
		if res, _ := c.answer("GET"); res.StatusCode < 400 || !res.Close {
			t.Errorf("%q: %s", request, res.Status)
		}
		c.wantEnd("FIN")
		if why := soon(t, "the refusal", refused); why.Reason != want || why.Head == nil {
			t.Errorf("%q: refused for %+v", request, why)
		}
	}
}

// TestASlowReaderHoldsTheUpstreamBack: a caller that takes nothing makes the upstream wait, and
// what the gateway keeps meanwhile is bounded.
func TestASlowReaderHoldsTheUpstreamBack(t *testing.T) {
	const size = 64 << 20
	const kept = 24 << 20 // four socket buffers that have grown to Linux's default limits, and ours
	stalled := make(chan int, 1)
	url, _ := rawServer(t, false, func(c net.Conn) {
		skipRequest(c)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		block := make([]byte, 64<<10)
		for sent := 0; sent < size; {
			_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			n, err := c.Write(block)
			if sent += n; err != nil {
				if !isTimeout(err) {
					return
				}
				select {
				case stalled <- sent:
				default:
				}
			}
		}
	})
	addr, _ := relayTo(t, OriginOptions{URL: url}, nil)
	c := dial(t, addr)
	before := heap()
	c.send("%s", get("/"))
	if sent := soon(t, "the upstream to be held back", stalled); sent > kept {
		t.Errorf("the upstream could send %d bytes to a caller who reads nothing", sent)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	res, err := readResponse(c)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
		t.Errorf("%d bytes in the end, %v", n, err)
	}
}

// TestASlowUpstreamHoldsTheCallerBack is the same for an upload.
func TestASlowUpstreamHoldsTheCallerBack(t *testing.T) {
	const size = 64 << 20
	const kept = 24 << 20
	read := make(chan struct{})
	url, _ := rawServer(t, false, func(c net.Conn) {
		<-read
		skipRequest(c)
		_, _ = io.WriteString(c, fixed("done"))
	})
	addr, _ := relayTo(t, OriginOptions{URL: url}, nil)
	c := dial(t, addr)
	before := heap()
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	block := make([]byte, 64<<10)
	sent := 0
	for sent < size {
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.Write(block[:min(len(block), size-sent)])
		if sent += n; err != nil {
			break
		}
	}
	if sent > kept {
		t.Errorf("the caller could send %d bytes to an upstream that reads nothing", sent)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	close(read)
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	for sent < size {
		n, err := c.Write(block[:min(len(block), size-sent)])
		if sent += n; err != nil {
			t.Fatal(err)
		}
	}
	c.want("POST", 200, "done")
}

// TestALongChunkedUploadMakesNoGarbage: its bytes pass through buffers that are used again.
func TestALongChunkedUploadMakesNoGarbage(t *testing.T) {
	const size = 64 << 20
	addr := serve(t, func(ex Exchange) {
		buf := make([]byte, 32<<10)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, err := 0, error(nil)
		for err == nil {
			var k int
			k, err = ex.ReadBody(buf, 5*time.Second)
			n += k
		}
		runtime.ReadMemStats(&after)
		if made := after.TotalAlloc - before.TotalAlloc; n != size || err != io.EOF || made > 8<<20 {
			t.Errorf("%d bytes, %v, %d bytes allocated", n, err, made)
		}
		reply(ex, 200, "ok")
	})
	c := dial(t, addr)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	piece := fmt.Appendf(nil, "%x\r\n%s\r\n", 64<<10, make([]byte, 64<<10))
	for range size / (64 << 10) {
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	c.send("0\r\n\r\n")
	c.want("POST", 200, "ok")
}

// However fast those come and go who are one too many, none of them takes a place that is not there.
func TestTheLimitOnConnectionsHoldsWhileManyAreTurnedAway(t *testing.T) {
	addr, _ := guarded(t, DoorOptions{MaxConnections: 1})
	first := dial(t, addr)
	first.send("%s", get("/"))
	first.want("GET", 200, "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				_, _ = c.Write([]byte(get("/")))
				status := make([]byte, 12)
				if _, err := io.ReadFull(c, status); err != nil || string(status) != "HTTP/1.1 503" {
					t.Errorf("one too many got %q, %v", status, err)
				}
				_ = c.Close()
			}
		})
	}
	wg.Wait()
}
