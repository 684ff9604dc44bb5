package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The attackers of TestAttacks. They run in a process of their own with the lowest priority, so that what
// they cost stands in nobody's way and only what they do to the gateway is seen.

// attackOrder is what the attackers' process is told.
type attackOrder struct {
	Name  string
	Addr  string
	Conns int
	For   time.Duration
	Key   string // of an application that may call the model
}

// attackReport is what it says at the end.
type attackReport struct {
	Dialled, Failed int64 // connections
	Turns           int64 // what each attack counts: requests, bytes, pieces
	Statuses        map[string]int64
}

const attackVariable = "CAUSEWAY_E2E_ATTACK"

// attackFromEnv is the attackers' process.
func attackFromEnv(order string) int {
	if order == attackedUpstreams {
		return serveAttackedUpstreams()
	}
	raiseFiles()
	a := &assault{until: time.Now(), report: attackReport{Statuses: map[string]int64{}}}
	if err := json.Unmarshal([]byte(order), &a.attackOrder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	a.until = time.Now().Add(a.For)
	fn := assaults[a.Name]
	if fn == nil {
		fn = assaultsH2[a.Name]
	}
	if fn == nil {
		fmt.Fprintln(os.Stderr, "no attack is called", a.Name)
		return 2
	}
	var wg sync.WaitGroup
	for i := range a.Conns {
		wg.Go(func() { a.keepOn(i, fn) })
	}
	wg.Wait()
	_ = json.NewEncoder(os.Stdout).Encode(a.report)
	return 0
}

// raiseFiles lets this process, and those that it starts, have as many descriptors as it may give itself.
func raiseFiles() {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return
	}
	for _, most := range []uint64{200_000, 100_000, 60_000, r.Max} {
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: max(most, r.Max)}) == nil {
			return
		}
	}
}

// assault is one attack under way.
type assault struct {
	attackOrder
	until time.Time

	mu     sync.Mutex
	report attackReport
	turns  atomic.Int64
}

// keepOn attacks with one connection after the other until the time is over.
func (a *assault) keepOn(i int, fn func(*assault, net.Conn)) {
	time.Sleep(time.Duration(i) * min(a.For/2, 2*time.Second) / time.Duration(a.Conns)) // not all in one moment
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%50))}}
	for time.Now().Before(a.until) {
		c, err := d.Dial("tcp", a.Addr)
		a.mu.Lock()
		if a.report.Dialled++; err != nil {
			a.report.Failed++
		}
		a.mu.Unlock()
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		_ = c.SetDeadline(a.until.Add(time.Second))
		fn(a, c)
		_ = c.(*net.TCPConn).SetLinger(0) // no TIME_WAIT: ports are few
		_ = c.Close()
		time.Sleep(10 * time.Millisecond)
	}
	a.mu.Lock()
	a.report.Turns = a.turns.Load()
	a.mu.Unlock()
}

// over tells whether the time is over.
func (a *assault) over() bool { return !time.Now().Before(a.until) }

// heard reads an answer's first line.
func (a *assault) heard(c net.Conn) {
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		line = "no answer"
	}
	a.mu.Lock()
	a.report.Statuses[strings.TrimSpace(line)]++
	a.mu.Unlock()
}

// drip sends a text and then a piece every so often, until the gateway has had enough.
func (a *assault) drip(c net.Conn, first, piece string, every time.Duration) {
	if _, err := io.WriteString(c, first); err != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		a.heard(c)
		close(gone)
	}()
	for !a.over() {
		select {
		case <-gone:
			return
		case <-time.After(every):
		}
		if _, err := io.WriteString(c, piece); err != nil {
			break
		}
		a.turns.Add(1)
	}
	_ = c.SetDeadline(time.Unix(1, 0))
	<-gone
}

// flood sends a request as fast as it goes and reads what comes of it.
func (a *assault) flood(c net.Conn, first, piece string, most int) {
	done := make(chan struct{})
	go func() {
		a.heard(c)
		close(done)
	}()
	_, err := io.WriteString(c, first)
	for i := 0; err == nil && i < most && !a.over(); i++ {
		_, err = io.WriteString(c, piece)
		a.turns.Add(1)
	}
	select {
	case <-done:
	case <-time.After(time.Until(a.until)):
		_ = c.SetDeadline(time.Unix(1, 0))
		<-done
	}
}

// hang holds a connection that reads nothing.
func (a *assault) hang(c net.Conn, request string) {
	_, _ = io.WriteString(c, request)
	a.turns.Add(1)
	gone := make([]byte, 1)
	if strings.HasPrefix(request, "GET") {
		time.Sleep(time.Until(a.until))
		return
	}
	_, _ = c.Read(gone) // until the gateway has had enough
}

// dripEvery is how often the slow ones send a little.
const dripEvery = 200 * time.Millisecond

// assaults are the attacks by name.
var assaults = map[string]func(*assault, net.Conn){
	"slow heads": func(a *assault, c net.Conn) {
		a.drip(c, "GET /small HTTP/1.1\r\nHost: a\r\nX-Slow: ", "x", dripEvery)
	},
	"slow bodies": func(a *assault, c net.Conn) {
		a.drip(c, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", "x", dripEvery)
	},
	"slow chunks": func(a *assault, c net.Conn) {
		a.drip(c, "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", dripEvery)
	},
	"slow model bodies": func(a *assault, c net.Conn) {
		a.drip(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+a.Key+"\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{", " ", dripEvery)
	},
	"slow readers": func(a *assault, c net.Conn) {
		_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		a.hang(c, "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
	},
	"idle connections": func(a *assault, c net.Conn) { a.hang(c, "") },
	"idle after a call": func(a *assault, c net.Conn) {
		_, _ = io.WriteString(c, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
		a.heard(c)
		a.hang(c, "")
	},
	"large heads": func(a *assault, c net.Conn) {
		a.flood(c, "GET /small HTTP/1.1\r\nHost: a\r\nX-Large: ", strings.Repeat("x", 16<<10), 100)
	},
	"many fields": func(a *assault, c net.Conn) {
		a.flood(c, "GET /small HTTP/1.1\r\nHost: a\r\n", strings.Repeat("A: b\r\n", 501)+"\r\n", 1)
	},
	"chunk extensions": func(a *assault, c net.Conn) {
		a.flood(c, "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("x", 16<<10), 10_000)
	},
	"tiny chunks": func(a *assault, c net.Conn) {
		a.flood(c, "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 500), 10_000)
	},
	"huge trailers": func(a *assault, c net.Conn) {
		a.flood(c, "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Large: ", strings.Repeat("x", 16<<10), 10_000)
	},
	"broken requests": func(a *assault, c net.Conn) { a.flood(c, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "", 0) },
	"endless interim answers": func(a *assault, c net.Conn) {
		a.flood(c, "GET /interim HTTP/1.1\r\nHost: a\r\n\r\n", "", 0)
	},
	"huge trailers of an upstream": func(a *assault, c net.Conn) {
		a.flood(c, "GET /trailers HTTP/1.1\r\nHost: a\r\n\r\n", "", 0)
		_, _ = io.Copy(io.Discard, c)
	},
	"huge heads of an upstream": func(a *assault, c net.Conn) {
		a.flood(c, "GET /heads HTTP/1.1\r\nHost: a\r\n\r\n", "", 0)
	},
	"compression bombs":           func(a *assault, c net.Conn) { a.unfolds(c, "bomb/m") },
	"answers that unfold to much": func(a *assault, c net.Conn) { a.unfolds(c, "folded/m") },
}

// unfolds asks for an answer of a model in gzip.
func (a *assault) unfolds(c net.Conn, model string) {
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}]}`, model)
	_, _ = fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", a.Key, len(body), body)
	a.turns.Add(1)
	a.heard(c)
	_, _ = io.Copy(io.Discard, c)
}
