package faulty

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

const bigUpload = 8 << 20

func uploadHead(extra string) string {
	return fmt.Sprintf("POST /x HTTP/1.1\r\nHost: orders.test\r\nContent-Length: %d\r\n%s\r\n", bigUpload, extra)
}

// send8 writes the upload in the background and says how much went out, and how that ended.
func send8(conn net.Conn) <-chan sent {
	done := make(chan sent, 1)
	go func() {
		n, err := conn.Write(make([]byte, bigUpload))
		done <- sent{n, err}
	}()
	return done
}

type sent struct {
	n   int
	err error
}

// uploadBlocks: an upload stops before its end for as long as one looks.
func uploadBlocks(least int) proof {
	return func(t *testing.T, u *Upstream) {
		conn := dial(t, u)
		if _, err := io.WriteString(conn, uploadHead("Expect: 100-continue\r\n")); err != nil {
			t.Fatal(err)
		}
		until(t, conn, "HTTP/1.1 100 Continue\r\n\r\n")
		_ = conn.SetWriteDeadline(time.Now().Add(2 * quiet))
		s := <-send8(conn)
		if !errors.Is(s.err, os.ErrDeadlineExceeded) || s.n >= bigUpload || s.n < least {
			t.Errorf("wrote %d of %d bytes, %v; want it to block", s.n, bigUpload, s.err)
		}
	}
}

// upload: while the body is on its way the answer begins with want and the connection ends.
func upload(want string, end ending) proof {
	return func(t *testing.T, u *Upstream) {
		conn := dial(t, u)
		if _, err := io.WriteString(conn, uploadHead("")); err != nil {
			t.Fatal(err)
		}
		done := send8(conn)
		got, e := drain(t, conn, patient)
		s := <-done
		if s.err != nil {
			// The kernel tells of a reset once, to the writer or to the reader, who then sees an end.
			e = endRST
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" || e != end {
			t.Errorf("got %q and %s after %d bytes (%v), want %q and %s", got, e, s.n, s.err, want, end)
		}
	}
}

func uploadTwice(t *testing.T, u *Upstream) {
	conn := dial(t, u)
	for range 2 {
		_ = conn.SetDeadline(time.Now().Add(patient))
		if _, err := io.WriteString(conn, uploadHead("")); err != nil {
			t.Fatal(err)
		}
		done := send8(conn)
		if got := until(t, conn, "too large\n"); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
			t.Fatalf("got %q", got)
		}
		if s := <-done; s.err != nil {
			t.Fatalf("wrote %d bytes, %v", s.n, s.err)
		}
	}
	if u.Connections() != 1 || u.Requests() != 2 {
		t.Errorf("%+v, want two requests on one connection", u.Counts())
	}
}

func refusesExpect(t *testing.T, u *Upstream) {
	if got := talk(t, u, uploadHead("Expect: 100-continue\r\n"), "", endFIN); !strings.HasPrefix(got, "HTTP/1.1 417 ") {
		t.Errorf("got %q", got)
	}
	answers(200, "ok\n")(t, u)
}

func upgrades(want string, end ending) proof {
	return func(t *testing.T, u *Upstream) {
		got := talk(t, u, upgradeX, want, end)
		if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

func echoes(t *testing.T, u *Upstream) {
	conn := ask(t, u, upgradeX+"early")
	got := until(t, conn, "early")
	if !strings.HasSuffix(got, "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nearly") {
		t.Fatalf("got %q", got)
	}
	if _, err := io.WriteString(conn, "\x00\xff late"); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	if got, end := drain(t, conn, patient); got != "\x00\xff late" || end != endFIN {
		t.Errorf("got %q and %s", got, end)
	}
}
