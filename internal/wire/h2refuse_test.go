package wire

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// lawful are the pseudo-fields of a good request, with others behind.
func lawful(more ...string) []string {
	return append([]string{":method", "GET", ":scheme", "http", ":authority", "gateway.test", ":path", "/x"}, more...)
}

func without(name string, more ...string) (fields []string) {
	for i := 0; i < 8; i += 2 {
		if l := lawful(); l[i] != name {
			fields = append(fields, l[i], l[i+1])
		}
	}
	return append(fields, more...)
}

// secret is in every malformed head, and must be in nothing that is said about it.
const secret = "sk-malformed-secret"

// TestEveryBadHeadOfHTTP2IsRefusedByTheRooms: no answer is x/net's own, and a malformed request is answered
// and its stream then reset, whatever came before and comes behind on its connection.
func TestEveryBadHeadOfHTTP2IsRefusedByTheRooms(t *testing.T) {
	type row struct {
		fields []string
		reason RefusalReason
		status string
		part   string
	}
	rows := map[string]row{
		"Connection":                   {lawful("connection", "close"), RefuseMalformed, "400", "Connection"},
		"Keep-Alive":                   {lawful("keep-alive", "timeout=5"), RefuseMalformed, "400", "Keep-Alive"},
		"Proxy-Connection":             {lawful("proxy-connection", "close"), RefuseMalformed, "400", "Proxy-Connection"},
		"Transfer-Encoding":            {lawful("transfer-encoding", "chunked"), RefuseMalformed, "400", "Transfer-Encoding"},
		"Upgrade":                      {lawful("upgrade", "websocket"), RefuseMalformed, "400", "Upgrade"},
		"TE other than trailers":       {lawful("te", "gzip"), RefuseMalformed, "400", "TE"},
		"TE twice":                     {lawful("te", "trailers", "te", "trailers"), RefuseMalformed, "400", "TE"},
		"a capital in a name":          {lawful("X-A", secret), RefuseMalformed, "400", "field name"},
		"an empty name":                {lawful("", secret), RefuseMalformed, "400", "field name"},
		"a space in a name":            {lawful("x a", secret), RefuseMalformed, "400", "field name"},
		"a colon in a name":            {lawful("x:a", secret), RefuseMalformed, "400", "field name"},
		"CRLF in a value":              {lawful("x-a", secret+"\r\nb: c"), RefuseMalformed, "400", "field value"},
		"NUL in a value":               {lawful("x-a", secret+"\x00"), RefuseMalformed, "400", "field value"},
		"white space before a value":   {lawful("x-a", " "+secret), RefuseMalformed, "400", "field value"},
		"no method":                    {without(":method"), RefuseMalformed, "400", ":method"},
		"a method that is no token":    {without(":method", ":method", "GE T"), RefuseMalformed, "400", ":method"},
		"no path":                      {without(":path"), RefuseMalformed, "400", ":path"},
		"an empty path":                {without(":path", ":path", ""), RefuseMalformed, "400", ":path"},
		"a path without a slash":       {without(":path", ":path", secret), RefuseMalformed, "400", ":path"},
		"an absolute path":             {without(":path", ":path", "http://other.test/"), RefuseMalformed, "400", ":path"},
		"a space in the path":          {without(":path", ":path", "/"+secret+" b"), RefuseMalformed, "400", ":path"},
		"a broken escape":              {without(":path", ":path", "/%zz"), RefuseMalformed, "400", ":path"},
		"no scheme":                    {without(":scheme"), RefuseMalformed, "400", ":scheme"},
		"another scheme":               {without(":scheme", ":scheme", "ftp"), RefuseMalformed, "400", ":scheme"},
		"a pseudo-field twice":         {lawful(":path", "/y"), RefuseMalformed, "400", ":path"},
		"a pseudo-field behind others": {without(":path", "x-a", "b", ":path", "/"), RefuseMalformed, "400", ":path"},
		"an unknown pseudo-field":      {lawful(":evil", secret), RefuseMalformed, "400", "pseudo-field"},
		"an answer's pseudo-field":     {lawful(":status", "200"), RefuseMalformed, "400", "pseudo-field"},
		"no host":                      {without(":authority"), RefuseMalformed, "400", ":authority"},
		"a user in the authority":      {without(":authority", ":authority", secret+"@a.test"), RefuseMalformed, "400", ":authority"},
		"a path in the authority":      {without(":authority", ":authority", "a.test/b"), RefuseMalformed, "400", ":authority"},
		"Host that is another":         {lawful("host", "other.test"), RefuseMalformed, "400", "Host"},
		"Host twice":                   {lawful("host", "gateway.test", "host", "gateway.test"), RefuseMalformed, "400", "Host"},
		"Content-Length twice":         {lawful("content-length", "0", "content-length", "0"), RefuseMalformed, "400", "Content-Length"},
		"Content-Length of letters":    {lawful("content-length", "abc"), RefuseMalformed, "400", "Content-Length"},
		"Content-Length without body":  {lawful("content-length", "5"), RefuseMalformed, "400", "Content-Length"},
		"CONNECT with a path":          {without(":method", ":method", "CONNECT"), RefuseMalformed, "400", "pseudo-field"},
		"CONNECT to nowhere":           {[]string{":method", "CONNECT"}, RefuseMalformed, "400", ":authority"},
		"a protocol without CONNECT":   {lawful(":protocol", "websocket"), RefuseMalformed, "400", ":protocol"},
		"another protocol":             {without(":method", ":method", "CONNECT", ":protocol", "connect-udp"), RefuseCoding, "501", ":protocol"},
		"another expectation":          {lawful("expect", "200-ok"), RefuseExpectation, "417", "Expect"},
		"a head above the limit":       {lawful("x-a", secret+strings.Repeat("x", 5<<10)), RefuseHeadTooBig, "431", ""},
		"a head far above it":          {lawful("x-a", secret+strings.Repeat("x", 100<<10)), RefuseHeadTooBig, "431", ""},
		"too many fields":              {append(lawful(), strings.Split(strings.Repeat("a,b,", 24)+"a,b", ",")...), RefuseHeadTooBig, "431", "fields"},
		"too many, and far too many":   {append(lawful(), strings.Split(strings.Repeat("a,b,", 999)+"a,b", ",")...), RefuseHeadTooBig, "431", "fields"},
	}
	for _, k := range doorKinds[2:] {
		t.Run(k.name, func(t *testing.T) {
			refused := make(chan Refusal, 1)
			o := opened(func(ex Exchange) { reply(ex, 200, string(ex.Request().Header.Lookup("x-table"))) })
			plain := handler{serve: o.Handler.Serve}
			o.Handler = handler{serve: plain.serve, refuse: func(ex Exchange, why *Refusal) {
				if m, p := ex.Request().Method, ex.Request().Path; len(m) == 0 || len(p) == 0 {
					t.Errorf("the rooms see a method %q and a path %q", m, p)
				}
				refused <- *why
				if why.Head != nil {
					reply(ex, why.Head.Status, why.Head.Error())
					return
				}
				plain.Refuse(ex, why)
			}}
			o.Limits = Limits{Head: 4 << 10, Fields: 20}
			h := k.open(t, o)
			var c *h2Caller
			sent := 0
			for name, r := range rows {
				if sent%10 == 0 { // one that breaks many in a second is read more slowly
					c = dialH2(t, h.addr, h.client)
				}
				sent++
				s := c.open(true, r.fields...)
				status, body, _ := s.answer()
				if status != r.status || !s.over {
					t.Errorf("%s: got %s %q (over %v, reset %v)", name, status, body, s.over, s.reset)
					if status == "" {
						continue
					}
				}
				why := soon(t, "the refusal", refused)
				if why.Reason != r.reason || r.part != "" && (why.Head == nil || why.Head.Part != r.part) {
					t.Errorf("%s: refused with %+v %+v", name, why, why.Head)
				}
				if strings.Contains(body, secret) {
					t.Errorf("%s: the answer holds the caller's bytes: %s", name, body)
				}
				if r.reason == RefuseMalformed {
					c.until("RST_STREAM", func() bool { return s.reset != nil })
					if *s.reset != http2.ErrCodeProtocol {
						t.Errorf("%s: reset with %v", name, *s.reset)
					}
				} else if s.reset != nil {
					t.Errorf("%s: reset with %v", name, *s.reset)
				}
				// Both know the same table of fields still.
				s = c.ask(true, "GET", "/", "x-table", "is the same")
				s.want("200", "is the same")
			}
		})
	}
}

// TestAMalformedTrailerOfHTTP2IsAMalformedRequest: the call is told, and so is its caller.
func TestAMalformedTrailerOfHTTP2IsAMalformedRequest(t *testing.T) {
	for name, trailer := range map[string][]string{
		"a pseudo-field":     {":path", "/y"},
		"a capital":          {"X-Sum", "1"},
		"CRLF":               {"x-sum", "1\r\nb: c"},
		"above the limit":    {"x-sum", strings.Repeat("x", 5<<10)},
		"more than 100":      strings.Split(strings.Repeat("a,b,", 100)+"a,b", ","),
		"an empty name":      {"", "1"},
		"a pseudo-field too": {"x-sum", "1", ":status", "200"},
	} {
		for _, k := range doorKinds[2:] {
			t.Run(k.name+"/"+name, func(t *testing.T) {
				h := k.open(t, opened(func(ex Exchange) {
					if _, err := readAll(ex); err != nil {
						reply(ex, 400, err.Error())
						return
					}
					reply(ex, 200, "taken for whole")
				}))
				c := dialH2(t, h.addr, h.client)
				s := c.ask(false, "POST", "/")
				s.sendData("hello", false)
				s.trail(true, trailer...)
				status, body, _ := s.answer()
				if status != "400" || !strings.Contains(body, "malformed: its trailer is malformed") {
					t.Errorf("got %s %q, reset %v", status, body, s.reset)
				}
				c.until("RST_STREAM", func() bool { return s.reset != nil })
				if *s.reset != http2.ErrCodeProtocol {
					t.Errorf("reset with %v", *s.reset)
				}
				c.ask(false, "POST", "/").trailed("200", "taken for whole")
			})
		}
	}
}

// trail sends a field block on the stream.
func (s *h2Asked) trail(end bool, fields ...string) {
	s.c.t.Helper()
	s.c.write(func() error {
		return s.c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: s.c.block(fields...), EndStream: end, EndHeaders: true})
	})
}

func (s *h2Asked) trailed(status, body string) {
	s.c.t.Helper()
	s.trail(true, "x-sum", "1")
	s.want(status, body)
}

// TestBrokenHeaderFramesEndTheConnection as RFC 9113 sections 4.3, 6.2 and 6.10 have it.
func TestBrokenHeaderFramesEndTheConnection(t *testing.T) {
	block := hpackOf(lawful()...)
	raw := func(kind http2.FrameType, flags http2.Flags, id uint32, p []byte) func(c *h2Caller) error {
		return func(c *h2Caller) error { return c.fr.WriteRawFrame(kind, flags, id, p) }
	}
	const endHeaders, endStream, padded, priority = http2.FlagHeadersEndHeaders, http2.FlagHeadersEndStream, http2.FlagHeadersPadded, http2.FlagHeadersPriority
	begun := raw(http2.FrameHeaders, endStream, 1, block[:5])
	for name, c := range map[string]struct {
		frames []func(c *h2Caller) error
		code   http2.ErrCode
	}{
		"DATA in a field block":               {[]func(*h2Caller) error{begun, raw(http2.FrameData, 0, 1, []byte("x"))}, http2.ErrCodeProtocol},
		"PING in a field block":               {[]func(*h2Caller) error{begun, raw(http2.FramePing, 0, 0, make([]byte, 8))}, http2.ErrCodeProtocol},
		"another head in a field block":       {[]func(*h2Caller) error{begun, raw(http2.FrameHeaders, endHeaders|endStream, 3, block)}, http2.ErrCodeProtocol},
		"CONTINUATION of another stream":      {[]func(*h2Caller) error{begun, raw(http2.FrameContinuation, endHeaders, 3, block[5:])}, http2.ErrCodeProtocol},
		"CONTINUATION of nothing":             {[]func(*h2Caller) error{raw(http2.FrameContinuation, endHeaders, 1, block)}, http2.ErrCodeProtocol},
		"CONTINUATION behind END_HEADERS":     {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders, 1, block), raw(http2.FrameContinuation, endHeaders, 1, block)}, http2.ErrCodeProtocol},
		"HEADERS on stream 0":                 {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream, 0, block)}, http2.ErrCodeProtocol},
		"HEADERS on an even stream":           {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream, 2, block)}, http2.ErrCodeProtocol},
		"HEADERS on a lower stream":           {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders, 5, block), raw(http2.FrameHeaders, endHeaders|endStream, 3, block)}, http2.ErrCodeProtocol},
		"more padding than there is":          {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream|padded, 1, append([]byte{200}, block...))}, http2.ErrCodeProtocol},
		"padding without its length":          {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream|padded, 1, nil)}, http2.ErrCodeFrameSize},
		"half a priority":                     {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream|priority, 1, []byte{0, 0, 0})}, http2.ErrCodeFrameSize},
		"an index that is not there":          {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream, 1, append(bytes.Clone(block), 0xff, 0x20))}, http2.ErrCodeCompression},
		"half a field":                        {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream, 1, block[:len(block)-1])}, http2.ErrCodeCompression},
		"a table larger than was offered":     {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream, 1, append([]byte{0x3f, 0xff, 0xff, 0x03}, block...))}, http2.ErrCodeCompression},
		"a frame above what was offered":      {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream, 1, make([]byte, h2MostFrame+1))}, http2.ErrCodeFrameSize},
		"a field block that is far too large": {[]func(*h2Caller) error{raw(http2.FrameHeaders, endHeaders|endStream, 1, make([]byte, h2MostFrame))}, http2.ErrCodeEnhanceYourCalm},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := doorKinds[3].open(t, opened(func(ex Exchange) { _, _ = readAll(ex); reply(ex, 200, "served") }))
			caller := dialH2(t, h.addr, nil)
			for _, f := range c.frames {
				if caller.try(func() error { return f(caller) }) != nil {
					break // it has ended already
				}
			}
			caller.wantGoAway(c.code)
		})
	}
}

// TestHeadsInPieces: padded, with a priority, in frames of every size, byte by byte: they are one head.
func TestHeadsInPieces(t *testing.T) {
	h := doorKinds[3].open(t, opened(func(ex Exchange) {
		body, err := readAll(ex)
		var names []string
		for i := range ex.Request().Header.Fields {
			f := &ex.Request().Header.Fields[i]
			names = append(names, string(f.Name)+"="+string(f.Value))
		}
		for i := range ex.Trailer().Fields {
			f := &ex.Trailer().Fields[i]
			names = append(names, "trailer:"+string(f.Name)+"="+string(f.Value))
		}
		if err != nil {
			names = append(names, err.Error())
		}
		reply(ex, 200, strings.Join(names, " ")+" "+body)
	}))
	const want = "host=gateway.test x-z=1 cookie=a=1; b=2 x-a=2 x-z=3 trailer:x-sum=4 hello"
	fields := lawful("x-z", "1", "cookie", "a=1", "x-a", "2", "cookie", "b=2", "x-z", "3")
	fields[1] = "POST"
	block := hpackOf(fields...)
	trailer := hpackOf("x-sum", "4")
	for name, write := range map[string]func(fr *http2.Framer, id uint32) error{
		"one frame": func(fr *http2.Framer, id uint32) error {
			return fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true})
		},
		"padding and priority": func(fr *http2.Framer, id uint32) error {
			return fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, PadLength: 100, Priority: http2.PriorityParam{Weight: 20, StreamDep: 0, Exclusive: true}})
		},
		"CONTINUATION for each byte, behind a priority": func(fr *http2.Framer, id uint32) error {
			err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, PadLength: 3, Priority: http2.PriorityParam{Weight: 1}})
			for i := range block {
				if err == nil {
					err = fr.WriteContinuation(id, i == len(block)-1, block[i:i+1])
				}
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialH2(t, h.addr, nil)
			slow := http2.NewFramer(&slowly{c.nc}, nil)
			slow.AllowIllegalWrites = true
			for _, fr := range []*http2.Framer{c.fr, slow} {
				c.mu.Lock()
				s := &h2Asked{c: c, id: c.next}
				c.streams[s.id] = s
				c.next += 2
				c.mu.Unlock()
				c.write(func() error {
					if err := write(fr, s.id); err != nil {
						return err
					}
					if err := fr.WriteData(s.id, false, []byte("hello")); err != nil {
						return err
					}
					return fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: trailer, EndHeaders: true, EndStream: true})
				})
				s.want("200", want)
			}
		})
	}
}

// slowly writes one byte at a time.
type slowly struct{ io.Writer }

func (s *slowly) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := s.Writer.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// TestTheScreenKeepsNothing: heads of streams that ended in any way are let go.
func TestTheScreenKeepsNothing(t *testing.T) {
	hold := make(chan struct{})
	var once *h2Peer
	peers := make(chan *h2Peer, 1)
	h := doorKinds[3].open(t, opened(func(ex Exchange) {
		select {
		case peers <- ex.(*h2Exchange).p:
		default:
		}
		if string(ex.Request().Path) == "/hold" {
			<-hold
		}
		reply(ex, 200, "ok")
	}))
	h.t = t
	c := dialH2(t, h.addr, nil)
	c.ask(true, "GET", "/").want("200", "ok")
	once = <-peers
	held := c.ask(true, "GET", "/hold")
	for range 10 {
		c.ask(true, "GET", "/").want("200", "ok")
		c.ask(true, "GE T", "/").answer()
		c.ask(false, "POST", "/").cancel(http2.ErrCodeCancel)
	}
	close(hold)
	held.want("200", "ok")
	c.ask(true, "GET", "/").want("200", "ok")
	by := time.Now().Add(5 * time.Second)
	for {
		once.mu.Lock()
		heads, waiting, streams := len(once.heads), once.waiting, len(once.streams)
		once.mu.Unlock()
		if heads == 0 && waiting == 0 && streams == 0 {
			return
		}
		if time.Now().After(by) {
			t.Fatalf("%d heads of %d bytes and %d changes are kept", heads, waiting, streams)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestOrdinaryClientsSeeARefusalOfHTTP2: the reset behind it is no error for them.
func TestOrdinaryClientsSeeARefusalOfHTTP2(t *testing.T) {
	o := opened(func(ex Exchange) { reply(ex, 200, "ok") })
	o.Handler = handler{refuse: func(ex Exchange, why *Refusal) { reply(ex, 400, why.Head.Error()) }}
	h := doorKinds[2].open(t, o)
	config := h.client.Clone()
	config.ServerName = "localhost"
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: config, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, h.addr)
	}}
	tr.Protocols.SetHTTP2(true)
	client := &http.Client{Transport: tr}
	defer client.CloseIdleConnections()
	for range 12 {
		r, _ := http.NewRequest("GET", "https://localhost/%20", nil)
		r.URL.Opaque = "//localhost/a%zz"
		r.Header["X-Odd"] = []string{"fine"}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 400 || err != nil || !strings.HasPrefix(string(body), ":path") {
			t.Fatalf("got %d %q, %v", res.StatusCode, body, err)
		}
	}
}

// FuzzScreen holds the screen to two promises whatever a caller sends: what it hands on does not depend on
// how the bytes arrive, and every field block in it can be read.
func FuzzScreen(f *testing.F) {
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	fr.AllowIllegalWrites = true
	b.WriteString(http2.ClientPreface)
	_ = fr.WriteSettings()
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: hpackOf(lawful("x-a", "b")...), EndHeaders: true, PadLength: 5})
	_ = fr.WriteData(1, false, []byte("hello"))
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: hpackOf("x-sum", "1"), EndHeaders: true, EndStream: true})
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x82}, Priority: http2.PriorityParam{Weight: 3}})
	_ = fr.WriteContinuation(3, true, []byte{0x84, 0x86})
	_ = fr.WriteRSTStream(3, http2.ErrCodeCancel)
	f.Add(b.Bytes(), 3)
	f.Add(b.Bytes()[:60], 1)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		step = min(max(step, 1), 64)
		whole, wholeErr := screened(in, len(in)+1)
		pieces, piecesErr := screened(in, step)
		if !bytes.Equal(whole, pieces) || (wholeErr == nil) != (piecesErr == nil) {
			t.Fatalf("at once %x %v, in pieces %x %v", whole, wholeErr, pieces, piecesErr)
		}
		if len(whole) < len(http2.ClientPreface) {
			return
		}
		r := http2.NewFramer(nil, bytes.NewReader(whole[len(http2.ClientPreface):]))
		r.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		for {
			frame, err := r.ReadFrame()
			if err != nil {
				if ce, bad := err.(http2.ConnectionError); bad && http2.ErrCode(ce) == http2.ErrCodeCompression {
					t.Fatalf("a field block that is handed on can't be read: %v", err)
				}
				if _, stream := err.(http2.StreamError); stream {
					continue
				}
				return
			}
			_ = frame
		}
	})
}

// screened is what a screen hands on of the bytes in, which arrive in steps.
func screened(in []byte, step int) (out []byte, err error) {
	d := &Door{}
	o := &DoorOptions{Limits: Limits{Head: 4 << 10, Fields: 20}}
	p := &h2Peer{c: &conn{door: d, o: o}, heads: map[uint32]*h2Opened{}, calls: map[*h2Exchange]struct{}{}, done: make(chan struct{})}
	p.over.Store(true)
	s := newH2Screen(p)
	for len(in) > 0 && s.err == nil {
		b := in[:min(step, len(in))]
		in = in[len(b):]
		for len(b) > 0 && s.err == nil {
			if s.pass > 0 {
				n := min(s.pass, len(b))
				out = append(out, b[:n]...)
				s.pass -= n
				b = b[n:]
				continue
			}
			b = b[s.consume(b):]
			out = append(out, s.out...)
			s.out = s.out[:0]
		}
	}
	return out, s.err
}
