package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
)

// attackedUpstreams is the order that makes the process serve what the attacks are about: large, slow and
// hostile answers.
const attackedUpstreams = "upstreams"

func serveAttackedUpstreams() int {
	raiseFiles()
	good, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	odd, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	go hostileAnswers(odd)
	fmt.Printf("upstreams http://%s http://%s\n", good.Addr(), odd.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(good, largeAnswers(gzipBomb(256, 0), gzipBomb(64, 16))))
	return 2
}

func largeAnswers(bomb, folded []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, rq *http.Request) {
		switch {
		case strings.HasPrefix(rq.URL.Path, "/bomb/"), strings.HasPrefix(rq.URL.Path, "/folded/"):
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			if strings.HasPrefix(rq.URL.Path, "/bomb/") {
				_, _ = w.Write(bomb)
			} else {
				_, _ = w.Write(folded)
			}
		case rq.URL.Path == "/endless":
			piece := make([]byte, 64<<10)
			for {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		default:
			_, _ = io.Copy(io.Discard, rq.Body)
		}
	})
}

// hostileAnswers answers without end: interim answers, trailers, heads.
func hostileAnswers(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			head := make([]byte, 64<<10)
			n, err := conn.Read(head)
			if err != nil {
				return
			}
			large := strings.Repeat("x", 16<<10)
			first, piece := "HTTP/1.1 200 OK\r\nX-Large: ", large
			switch {
			case bytes.HasPrefix(head[:n], []byte("GET /interim")):
				first, piece = "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
			case bytes.HasPrefix(head[:n], []byte("GET /trailers")):
				first = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Large: "
			}
			_, err = io.WriteString(conn, first)
			for i := 0; err == nil && i < 10_000; i++ {
				_, err = io.WriteString(conn, piece)
			}
		}()
	}
}

// gzipBomb is some MiB of nothing in a thousandth of it, but for some letters in every 4 KiB that don't fold.
func gzipBomb(size, letters int) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, `{"choices":[{"message":{"content":"`)
	rnd := rand.New(rand.NewPCG(1, 2))
	piece := bytes.Repeat([]byte("a"), 4<<10)
	for range size << 20 / len(piece) {
		for i := range letters {
			piece[i] = byte('A' + rnd.IntN(26))
		}
		_, _ = z.Write(piece) // into memory
	}
	_ = z.Close()
	return b.Bytes()
}
