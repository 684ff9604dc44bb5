package e2e

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// refuser is an HTTP/2 server that refuses the first stream of all (REFUSED_STREAM) once its request is
// whole, and answers the others with an empty message.
func refuser(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	t.Cleanup(func() {
		lis.Close()
		done.Wait()
	})
	refused := false
	var mu sync.Mutex
	done.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			done.Go(func() {
				serveFrames(conn, func(f *http2.Framer, stream uint32) error {
					mu.Lock()
					first := !refused
					refused = true
					mu.Unlock()
					if first {
						return f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
					}
					return answerEmpty(f, stream)
				})
			})
		}
	})
	return "http://" + lis.Addr().String()
}

// serveFrames calls whole for every stream whose request has ended, until the connection does.
func serveFrames(conn net.Conn, whole func(f *http2.Framer, stream uint32) error) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	f := http2.NewFramer(conn, conn)
	if f.WriteSettings() != nil {
		return
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			err = f.WritePing(true, frame.Data)
		case *http2.HeadersFrame:
			if frame.StreamEnded() {
				err = whole(f, frame.StreamID)
			}
		case *http2.DataFrame:
			if frame.StreamEnded() {
				err = whole(f, frame.StreamID)
			}
		}
		if err != nil {
			return
		}
	}
}

// answerEmpty writes a good answer with an empty message.
func answerEmpty(f *http2.Framer, stream uint32) error {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	_ = e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = e.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		return err
	}
	if err := f.WriteData(stream, false, []byte{0, 0, 0, 0, 0}); err != nil {
		return err
	}
	block.Reset()
	_ = e.WriteField(hpack.HeaderField{Name: "grpc-status", Value: "0"})
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
}

// TestGRPCRefusedStreamIsRepeated: a unary call comes as a stream of unknown length, and is sent again
// where no server has worked on it.
func TestGRPCRefusedStreamIsRepeated(t *testing.T) {
	t.Parallel()
	g := serve(t, "version: 1\nservices:\n"+rpcService("refuses", "/refuses.*", refuser(t), "protocol: h2c"))
	s := rpc(t, "-addr", g.Addr, "-method", "/refuses.Service/Do")[0]
	want(t, "code", s.Code.String(), "OK")
	want(t, "attempts", s.meta("causeway-attempts"), "2")
	c := g.record(t, s.meta("causeway-call-id"))
	want(t, "bytes of the request", c.BytesIn, 109)
	if len(c.Attempts) != 2 || !strings.HasPrefix(c.Attempts[0].Again, "retried: ") {
		t.Errorf("attempts %+v", c.Attempts)
	}
}

// TestGRPCUnavailableIsRepeatedWhereItIsSafe: the answer came from a server, so that only a caller who
// says that the call may be done twice has it repeated, and only if the server does not mind.
func TestGRPCUnavailableIsRepeatedWhereItIsSafe(t *testing.T) {
	t.Parallel()
	var calls sync.Map
	upstream := h2cUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what is not whole yet cannot be sent again
		w.Header().Set("Content-Type", "application/grpc")
		if _, again := calls.LoadOrStore(r.URL.Path, true); again {
			_, _ = w.Write([]byte{0, 0, 0, 0, 0})
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			return
		}
		w.Header().Set("Grpc-Status", "14")
		if strings.HasSuffix(r.URL.Path, "/Unwilling") {
			w.Header().Set("Grpc-Retry-Pushback-Ms", "-1")
		}
	}))
	g := serve(t, "version: 1\nservices:\n"+rpcService("again", "/again.*", upstream, "protocol: h2c"))
	for _, test := range []struct {
		method, code, attempts string
		key                    bool
	}{
		{"/again.Service/Keyed", "OK", "2", true},
		{"/again.Service/Plain", "UNAVAILABLE", "1", false},
		{"/again.Service/Unwilling", "UNAVAILABLE", "1", true},
	} {
		args := []string{"-addr", g.Addr, "-method", test.method}
		if test.key {
			args = append(args, "-meta", "idempotency-key=1")
		}
		s := rpc(t, args...)[0]
		want(t, test.method, s.Code.String(), test.code)
		want(t, test.method, s.meta("causeway-attempts"), test.attempts)
	}
}

// TestGRPCStreamsMayBeSlow: the least rate at which callers must send is not for messages that come when
// there is something to tell, and neither is the longest silence.
func TestGRPCStreamsMayBeSlow(t *testing.T) {
	t.Parallel()
	slow := "protocol: h2c, timeouts: {idle: 500ms, first_byte: 500ms}"
	g := serve(t, "version: 1\nserver: {min_rate: 1MiB, min_rate_after: 100ms}\nservices:\n"+rpcService("slow", "/grpc.testing.*", "http://"+grpcServer(t), slow))
	s := rpc(t, "-addr", g.Addr, "-kind", "upload", "-responses", "4", "-pause", "700ms", "-size", "10")[0]
	want(t, "code", s.Code.String(), "OK")
	want(t, "bytes that the server got", s.Bytes, 40)
}
