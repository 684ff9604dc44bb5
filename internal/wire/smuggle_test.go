package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"causeway/internal/wire/smuggle"
)

// TestTheCorpusThroughARelayToAGoServer sends every stream of the corpus through a door and a pool
// to a net/http server, and counts on both sides: every request that the server saw whole must
// have been a call to the gateway too, its answer going to whoever sent it.
func TestTheCorpusThroughARelayToAGoServer(t *testing.T) {
	back := newEchoServer(t)
	addr := startDeafRelay(t, back.URL)
	probe := &http.Client{Transport: &http.Transport{}}
	defer probe.CloseIdleConnections()
	for i, c := range smuggle.Cases() {
		before := back.count()
		answers := exchangeBytes(t, addr, c.Bytes)
		seen := back.since(before)

		var targets []string
		for _, e := range seen {
			targets = append(targets, e.target)
		}
		if err := c.Check(targets); err != nil {
			t.Error(err)
		}
		n := 0
		for _, a := range answers {
			if a.id == "" {
				continue // the gateway's own
			}
			if n == len(seen) || seen[n].line() != a.line || strconv.Itoa(seen[n].id) != a.id {
				t.Errorf("%s: answer %d is %+v, the server saw %+v", c.Name, n, a, seen)
				break
			}
			n++
		}
		if n != len(seen) {
			t.Errorf("%s: the server saw %d requests and the caller got %d of its answers", c.Name, len(seen), n)
		}
		if c.Verdict == smuggle.MustRefuse && len(answers) > len(c.Sees) {
			if last := answers[len(answers)-1]; last.id != "" || last.status < 400 {
				t.Errorf("%s: what must be refused is answered %+v", c.Name, last)
			}
		}
		// The connections that the pool has kept are in step.
		path := "/probe-" + strconv.Itoa(i)
		res, err := probe.Get("http://" + addr + path)
		if err != nil {
			t.Fatalf("after %s: %v", c.Name, err)
		}
		line, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if want := (echoed{method: "GET", target: path}).line(); string(line) != want {
			t.Fatalf("after %s: another call got %q, want %q", c.Name, line, want)
		}
	}
	if back.count() < 200 {
		t.Errorf("the server saw only %d requests", back.count())
	}
}

// echoed is one request that a server read to its end.
type echoed struct {
	id             int
	method, target string
	length         int
	sum            uint32
}

func (e echoed) line() string {
	if e.method == http.MethodHead {
		return ""
	}
	return fmt.Sprintf("%s %s %d %08x", e.method, e.target, e.length, e.sum)
}

// echoServer is a net/http server that answers with what it understood.
type echoServer struct {
	*httptest.Server
	mu   sync.Mutex
	seen []echoed
}

func newEchoServer(t testing.TB) *echoServer {
	s := &echoServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		e := echoed{method: r.Method, target: r.RequestURI, length: len(body), sum: crc32.ChecksumIEEE(body)}
		s.mu.Lock()
		e.id = len(s.seen) + 1
		s.seen = append(s.seen, e)
		s.mu.Unlock()
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Seen", strconv.Itoa(e.id))
		_, _ = io.WriteString(w, e.line())
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *echoServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *echoServer) since(n int) []echoed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[n:len(s.seen):len(s.seen)]
}

// deafExchange is an exchange whose caller cannot cancel the call: a test can then send everything,
// close its side, and read what comes until the end.
type deafExchange struct{ Exchange }

func (deafExchange) Watch(Canceller) {}
func (deafExchange) Unwatch()        {}

// deafRelay is the relay for such exchanges. It refuses CONNECT, as the gateway does.
type deafRelay struct{ *relay }

func (r deafRelay) Serve(ex Exchange) {
	if string(ex.Request().Method) == http.MethodConnect {
		_ = ex.Start(405, "", &Header{}, 0, -1)
		_ = ex.End(nil)
		return
	}
	r.relay.Serve(deafExchange{ex})
}

func startDeafRelay(t testing.TB, url string) (addr string) {
	t.Helper()
	r, err := newRelay(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.origin.Close)
	addr, _ = startDoor(t, DoorOptions{Handler: deafRelay{r}, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
	return addr
}

// startDoor opens a door on a loopback port, to be shut down when the test ends.
func startDoor(t testing.TB, o DoorOptions) (addr string, d *Door) {
	t.Helper()
	d, err := NewDoor(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := d.Shutdown(ctx); err != nil {
			t.Errorf("shutting the door down: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return l.Addr().String(), d
}

// answered is one answer as a caller read it.
type answered struct {
	status   int
	id, line string
}

// exchangeBytes sends bytes on a connection of their own, closes that side, and reads all answers.
func exchangeBytes(t *testing.T, addr, text string) (answers []answered) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c, text) // the gateway may have heard enough before the end
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	all, err := io.ReadAll(c)
	<-sent
	if isTimeout(err) {
		t.Fatalf("the gateway neither answers nor closes after %.200q: got %q", text, all)
	}
	for len(all) > 0 {
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(all)), nil)
		if err != nil {
			t.Fatalf("an answer is malformed: %q: %v", all, err)
		}
		src := bytes.NewReader(all)
		br := bufio.NewReaderSize(src, len(all)+16)
		res, err = http.ReadResponse(br, &http.Request{Method: res.Header.Get("X-Method")})
		if err != nil {
			t.Fatal(err)
		}
		line, err := io.ReadAll(res.Body)
		if err != nil {
			return answers // cut: it counts for nobody
		}
		if res.StatusCode >= 200 {
			answers = append(answers, answered{res.StatusCode, res.Header.Get("X-Seen"), string(line)})
		}
		all = all[len(all)-src.Len()-br.Buffered():]
	}
	return answers
}
