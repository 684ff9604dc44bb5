package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/internal/journey"
)

func testAttempt() *journey.Attempt { return &journey.Attempt{} }

func TestRelayPassesEveryMethodAndBody(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Len", fmt.Sprint(len(b)))
		_, _ = w.Write(b)
	}))
	defer up.Close()
	addr, d, err := startRelay(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Shutdown(context.Background())
	client := &http.Client{}
	defer client.CloseIdleConnections()
	for _, n := range []int{0, 10, 5000, 100_000, 3_000_000} {
		for _, chunked := range []bool{false, true} {
			body := make([]byte, n)
			_, _ = rand.Read(body)
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				var rd io.Reader = bytes.NewReader(body)
				if chunked {
					rd = io.MultiReader(rd)
				}
				rq, _ := http.NewRequest(method, "http://"+addr+"/x", rd)
				res, err := client.Do(rq)
				if err != nil {
					t.Fatalf("%s %d: %v", method, n, err)
				}
				got, err := io.ReadAll(res.Body)
				if err != nil || !bytes.Equal(got, body) || res.Header.Get("X-Method") != method {
					t.Fatalf("%s %d chunked=%v: %d bytes back, %v", method, n, chunked, len(got), err)
				}
			}
		}
	}
}

func TestPipelinedCallsAreAnsweredInOrder(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s:%s", r.URL.Path, b)
	}))
	defer up.Close()
	addr, d, err := startRelay(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Shutdown(context.Background())
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all strings.Builder
	for i := range 20 {
		fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nbod%02d", i, i)
	}
	go io.WriteString(c, all.String())
	rd := bufio.NewReader(c)
	for i := range 20 {
		res, err := http.ReadResponse(rd, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		if want := fmt.Sprintf("/%d:bod%02d", i, i); string(b) != want {
			t.Fatalf("answer %d is %q, want %q", i, b, want)
		}
	}
}

func TestCallerWhoLeavesCancelsTheUpstreamCall(t *testing.T) {
	left := make(chan time.Time, 1)
	in := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(in)
		<-r.Context().Done()
		left <- time.Now()
	}))
	defer up.Close()
	addr, d, err := startRelay(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Shutdown(context.Background())
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-in
	at := time.Now()
	c.Close()
	select {
	case t1 := <-left:
		if t1.Sub(at) > 2*time.Second { // on a busy machine; how soon it is on a calm one, bestOf tells
			t.Errorf("the upstream noticed after %v", t1.Sub(at))
		}
	case <-time.After(3 * time.Second):
		t.Fatal("the upstream call was not cancelled")
	}
}
