package e2e

import (
	"bytes"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"causeway/internal/fault"
)

// frameServer is an HTTP/2 server that answers each request, once it is whole, by what answer writes.
func frameServer(t *testing.T, answer func(f *http2.Framer, stream uint32) error) string {
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
	done.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			done.Go(func() { serveFrames(conn, answer) })
		}
	})
	return "http://" + lis.Addr().String()
}

// TestGRPCMessagesBeforeABreakArrive: a message that came whole is the client's, also when the stream is
// reset in the same breath; the reset is told behind it.
func TestGRPCMessagesBeforeABreakArrive(t *testing.T) {
	t.Parallel()
	upstream := frameServer(t, func(f *http2.Framer, stream uint32) error {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		_ = e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		_ = e.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
		_ = f.WriteData(stream, false, []byte{0, 0})
		_ = f.WriteData(stream, false, []byte{0, 0, 4, 0x0a, 2, 0x12, 0, 0, 0, 0, 0, 0})
		return f.WriteRSTStream(stream, http2.ErrCodeInternal)
	})
	g := serve(t, "version: 1\nservices:\n"+rpcService("breaks", "/grpc.testing.*", upstream, "protocol: h2c"))
	for range 10 {
		s := rpc(t, "-addr", g.Addr, "-kind", "stream")[0]
		want(t, "messages", s.Messages, 2)
		want(t, "code", s.Code, fault.CodeInternal)
		if !strings.Contains(s.Message, "(http2_internal_error, call ") {
			t.Errorf("message %q", s.Message)
		}
	}
}

// TestGRPCBreakerOpensForFailuresOfTheServer, and not for what its callers do wrong, which would cut all
// others off.
func TestGRPCBreakerOpensForFailuresOfTheServer(t *testing.T) {
	t.Parallel()
	upstream := h2cUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		code := path.Base(r.URL.Path)
		if code == "Wait" {
			<-r.Context().Done()
			return
		}
		if code == "0" {
			_, _ = w.Write([]byte{0, 0, 0, 0, 0})
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			return
		}
		w.Header().Set("Grpc-Status", code)
	}))
	opens := map[string]bool{
		"2": true, "13": true, "14": true, "15": true,
		"3": false, "5": false, "7": false, "8": false, "12": false, "16": false, "Wait": false, // Wait: with deadlines of 50 ms
	}
	config := "version: 1\nservices:\n"
	for name := range opens {
		config += rpcService("code"+strings.ToLower(name), "/code"+name+".Service/*", upstream, "protocol: h2c, breaker: {min_calls: 5, open_for: 1h}")
	}
	g := serve(t, config)
	for name, open := range opens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method := "/code" + name + ".Service/"
			args := []string{"-addr", g.Addr}
			if name == "Wait" {
				args = append(args, "-timeout", "50ms")
			}
			for range 12 {
				args = append(args, "-method", method+name)
			}
			rpc(t, args...)
			s := rpc(t, "-addr", g.Addr, "-method", method+"0")[0]
			if open {
				want(t, "code", s.Code.String(), "UNAVAILABLE")
				contains(t, "message", s.Message, "(breaker_open, call ")
			} else {
				want(t, "code", s.Code.String(), "OK")
			}
		})
	}
}
