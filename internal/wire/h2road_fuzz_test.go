package wire

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"causeway/internal/journey"
)

// TestRequestsAsFieldBlocks: what is encoded without a table decodes to what was meant.
func TestRequestsAsFieldBlocks(t *testing.T) {
	long := strings.Repeat("v", 300)
	for head, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                            ":method=GET :scheme=http :path=/ :authority=a",
		"POST /a?b=c%20d HTTP/1.1\r\nHost: a:1\r\nX-A: 1\r\n\r\n":      ":method=POST :scheme=http :path=/a?b=c%20d :authority=a:1 x-a=1",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n":                        ":method=OPTIONS :scheme=http :path=* :authority=a",
		"GET /x y HTTP/1.1\r\nHost: a\r\n\r\n":                         ":method=GET :scheme=http :path=/x y :authority=a",
		"GET / HTTP/1.1\r\nHost:\r\nCookie: a=b\r\nCookie: c\r\n\r\n":  ":method=GET :scheme=http :path=/ :authority= cookie=a=b! cookie=c!",
		"GET / HTTP/1.1\r\nHost: a\r\nAUTHORIZATION: Bearer x\r\n\r\n": ":method=GET :scheme=http :path=/ :authority=a authorization=Bearer x!",
		"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n":       ":method=PUT :scheme=http :path=/ :authority=a content-length=5",
		"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: x\r\nKeep-Alive: 1\r\nUpgrade: h2c\r\nProxy-Connection: y\r\n\r\n": ":method=PUT :scheme=http :path=/ :authority=a",
		"GET / HTTP/1.1\r\nHost: a\r\nTE: gzip, trailers\r\nTE: trailers\r\n\r\n":                                                                  ":method=GET :scheme=http :path=/ :authority=a te=trailers",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Empty:\r\nX-Space:  a b\t \r\n\r\n":                                                             ":method=GET :scheme=http :path=/ :authority=a x-empty= x-space=a b",
		"GET / HTTP/1.1\r\nHost: a\r\nX-" + long + ": " + long + "\r\n\r\n":                                                                        ":method=GET :scheme=http :path=/ :authority=a x-" + long + "=" + long,
	} {
		var got []string
		dec := hpack.NewDecoder(0, func(f hpack.HeaderField) {
			s := f.Name + "=" + f.Value
			if f.Sensitive {
				s += "!"
			}
			got = append(got, s)
		})
		block := append([]byte{h2NoTable}, appendH2Request(nil, []byte(head), false)...)
		if _, err := dec.Write(block); err != nil {
			t.Errorf("%q: %v", head, err)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q\ngives %s\nwant  %s", head, s, want)
		}
	}
}

// FuzzHTTP2Answer gives the same frames to the road and to net/http's client: what the road takes for
// a whole answer the other one takes for the same. The road may be the stricter one.
func FuzzHTTP2Answer(f *testing.F) {
	var w bytes.Buffer
	fr := http2.NewFramer(&w, nil)
	fr.AllowIllegalWrites = true
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	add := func(write func()) {
		w.Reset()
		write()
		f.Add(bytes.Clone(w.Bytes()))
	}
	head := func(end bool, fields ...string) {
		block.Reset()
		for i := 0; i < len(fields); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: true})
		}
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	}
	add(func() { head(true, ":status", "204") })
	add(func() {
		head(false, ":status", "200", "content-length", "5")
		_ = fr.WriteData(1, true, []byte("hello"))
	})
	add(func() {
		head(false, ":status", "200")
		_ = fr.WriteData(1, false, []byte("he"))
		_ = fr.WriteDataPadded(1, true, []byte("llo"), make([]byte, 9))
	})
	add(func() {
		head(false, ":status", "103")
		head(false, ":status", "200")
		_ = fr.WriteData(1, false, nil)
		head(true, "x-sum", "1")
	})
	add(func() { head(false, ":status", "200", "connection", "x"); _ = fr.WriteData(1, true, []byte("hello")) })
	add(func() {
		_ = fr.WriteWindowUpdate(0, 10)
		_ = fr.WritePing(false, [8]byte{})
		head(true, ":status", "200")
	})
	add(func() { _ = fr.WriteGoAway(1, 0, []byte("x")); head(true, ":status", "200", "x", "y") })
	add(func() { _ = fr.WriteRSTStream(1, 8) })
	add(func() {
		_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
		head(true, ":status", "200")
	})
	f.Fuzz(func(t *testing.T, frames []byte) {
		if len(frames) > 64<<10 {
			return
		}
		ours, ok := roadReads(t, frames)
		if !ok {
			return
		}
		theirs, err := netHTTPReads(frames)
		if err != nil || theirs != ours {
			t.Errorf("%q\nours   %q\ntheirs %q, %v", frames, ours, theirs, err)
		}
	})
}

// plays serves one HTTP/2 connection: SETTINGS, the frames once a call has come, and the end.
func plays(c *net.UnixConn, frames []byte) {
	defer c.Close()
	_, _ = c.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
	br := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c, br); err != nil {
		return
	}
	fr := http2.NewFramer(io.Discard, c)
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		if f.Header().Type == http2.FrameHeaders {
			break
		}
	}
	go func() {
		_, _ = c.Write(frames)
		_ = c.CloseWrite()
	}()
	_, _ = io.Copy(io.Discard, c)
}

// twoEnds are the two ends of one connection.
func twoEnds() (ours net.Conn, peer *net.UnixConn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		if ends[i], err = net.FileConn(f); err != nil {
			return nil, nil, err
		}
		_ = f.Close()
	}
	return ends[0], ends[1].(*net.UnixConn), nil
}

func roadReads(t *testing.T, frames []byte) (string, bool) {
	g, err := NewOrigin(OriginOptions{URL: "http://127.0.0.1:1", Protocol: ProtocolH2C})
	if err != nil {
		t.Fatal(err)
	}
	ours, peer, err := twoEnds()
	if err != nil {
		t.Fatal(err)
	}
	go plays(peer, frames)
	c := g.h2.newH2(ours, "", identity{})
	<-c.ready
	g.h2.conns = append(g.h2.conns, c)
	call := getCall()
	call.Limits = AttemptLimits{FirstByte: time.Second, Idle: time.Second}
	var a journey.Attempt
	defer func() {
		g.Close()
		c.done.Wait()
	}()
	// Not try: a connection that is gone is not dialled again.
	if c = g.h2.pick(false); c == nil {
		return "", false
	}
	u := &Upcall{origin: g, h2: &h2call{news: make(chan struct{}, 1), began: clock()}, watch: nobody{}}
	a.HTTP2 = &u.h2.facts
	u.begin(call, &a)
	if ok, _ := u.onStream(c, call, &a); !ok {
		u.letGo(false)
		return "", false
	}
	defer u.Release()
	read := string(rune('0'+u.Response.Status/100)) + string(rune('0'+u.Response.Status/10%10)) + string(rune('0'+u.Response.Status%10)) + " "
	for {
		p, err := u.Next()
		read += string(p)
		if err != nil {
			return read, err == io.EOF
		}
	}
}

func netHTTPReads(frames []byte) (string, error) {
	tr := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols), DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, peer, err := twoEnds()
		if err == nil {
			go plays(peer, frames)
		}
		return ours, err
	}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	rq, err := http.NewRequestWithContext(ctx, "GET", "http://orders.test/x", nil)
	if err != nil {
		return "", err
	}
	res, err := tr.RoundTrip(rq)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.Status[:3] + " " + string(body), err
}
