package wire

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recordCounter stands below TLS and notes the size of each record that comes.
type recordCounter struct {
	net.Conn
	pending []byte
	sizes   []int
}

func (c *recordCounter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.pending = append(c.pending, p[:n]...)
	for len(c.pending) >= 5 {
		size := int(binary.BigEndian.Uint16(c.pending[3:5]))
		if len(c.pending) < 5+size {
			break
		}
		c.sizes = append(c.sizes, size)
		c.pending = c.pending[5+size:]
	}
	return n, err
}

// TestAnAnswerTakesFewRecords: a record has its price for both sides, so that what is small goes out in
// one, and what is large in full ones, head included. How they grow at a connection's begin is
// crypto/tls's affair: the first fits into one packet.
func TestAnAnswerTakesFewRecords(t *testing.T) {
	server, client := testTLS(t)
	addr, _ := startDoor(t, DoorOptions{TLS: server, ReadHeaderTimeout: 10 * time.Second, Handler: handler{serve: func(ex Exchange) {
		size, _ := strconv.Atoi(strings.Trim(string(ex.Request().Path), "/"))
		_ = ex.Start(200, "", header("Content-Type: text/plain"), int64(size), -1)
		body := bytes.Repeat([]byte("x"), size)
		for len(body) > 0 { // as pieces come from an upstream
			n := min(len(body), largeBuffer)
			_ = ex.Write(body[:n])
			body = body[n:]
		}
		_ = ex.End(nil)
	}}})
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	count := &recordCounter{Conn: raw}
	c := tls.Client(count, trusting(client))
	br := bufio.NewReader(c)
	ask := func(size int) []int {
		t.Helper()
		before := len(count.sizes)
		if _, err := fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n", size); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, res.Body); err != nil || n != int64(size) {
			t.Fatalf("%d bytes, %v", n, err)
		}
		return count.sizes[before:]
	}
	ask(1 << 20) // until records have grown
	for _, c := range []struct{ size, records int }{
		{0, 1}, {1 << 10, 1}, {15 << 10, 1}, {20 << 10, 2}, {31 << 10, 2}, {64 << 10, 5}, {256 << 10, 17},
	} {
		if sizes := ask(c.size); len(sizes) > c.records {
			t.Errorf("an answer of %d bytes takes %d records: %v", c.size, len(sizes), sizes)
		}
	}
}
