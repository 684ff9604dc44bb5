package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2Asker sends streams that no library would, one at a time, on connections of their own.
type h2Asker struct {
	addr   string
	secure bool
}

// h2Told is what came on the stream.
type h2Told struct {
	fields  map[string]string
	trailer map[string]string
	body    string
	over    bool // END_STREAM
	reset   *http2.ErrCode
	goAway  *http2.ErrCode
}

// ask sends a head, and with them a body and a trailer, and reads until the stream or the connection has
// ended; after END_STREAM a little longer where a reset is expected.
func (a h2Asker) ask(t *testing.T, fields []string, body string, trailer []string, reset bool) (told h2Told) {
	t.Helper()
	nc, err := net.Dial("tcp", a.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	if a.secure {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	if _, err := io.WriteString(nc, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	fr := http2.NewFramer(nc, nc)
	fr.AllowIllegalWrites = true
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = fr.WriteSettings()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	encode := func(fields []string) []byte {
		block.Reset()
		for i := 0; i < len(fields); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return bytes.Clone(block.Bytes())
	}
	head := encode(fields)
	more := head[min(len(head), 16<<10):]
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head[:len(head)-len(more)], EndHeaders: len(more) == 0, EndStream: body == "" && trailer == nil})
	for len(more) > 0 {
		n := min(len(more), 16<<10)
		_ = fr.WriteContinuation(1, n == len(more), more[:n])
		more = more[n:]
	}
	if body != "" {
		_ = fr.WriteData(1, trailer == nil, []byte(body))
	}
	if trailer != nil {
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(trailer), EndHeaders: true, EndStream: true})
	}
	for told.reset == nil && told.goAway == nil && (!told.over || reset) {
		f, err := fr.ReadFrame()
		if err != nil {
			t.Fatalf("%v after %+v", err, told)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = fr.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			to := map[string]string{}
			for _, field := range f.Fields {
				to[field.Name] = field.Value
			}
			if told.fields == nil {
				told.fields = to
			} else {
				told.trailer = to
			}
			told.over = f.StreamEnded()
		case *http2.DataFrame:
			told.body += string(f.Data())
			told.over = f.StreamEnded()
		case *http2.RSTStreamFrame:
			told.reset = &f.ErrCode
		case *http2.GoAwayFrame:
			told.goAway = &f.ErrCode
		}
	}
	return told
}

// Every refusal of a head has a call id, a kind and a record, and is counted, over h2 as over h2c.
func TestHTTP2RefusalsAreTheGatewaysOwn(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(up.Close)
	cert := newCertificate(t, "one.test")
	services := "services:\n" + openService("s", fmt.Sprintf("targets: [{url: %q}]", up.URL))
	for name, config := range map[string]string{"h2c": "", "h2": tlsConfig(cert)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := serve(t, "version: 1\n"+config+services)
			a := h2Asker{g.Addr, name == "h2"}
			for name, c := range map[string]struct {
				fields        []string
				trailer       []string
				status, kind  string
				reset         bool
				told, notTold string
			}{
				"a field of a connection":  {h2Fields("/s/x", "connection", "close"), nil, "400", "malformed_request", true, "Connection", ""},
				"a capital":                {h2Fields("/s/x", "X-A", "b"), nil, "400", "malformed_request", true, "field name", ""},
				"a line break":             {h2Fields("/s/x", "x-a", "my-secret\r\nb: c"), nil, "400", "malformed_request", true, "field value", "my-secret"},
				"no path":                  {h2Fields("")[:6], nil, "400", "malformed_request", true, ":path", ""},
				"a pseudo-field twice":     {append(h2Fields("/s/x"), ":path", "/s/my-secret"), nil, "400", "malformed_request", true, ":path", "my-secret"},
				"Host that is another":     {h2Fields("/s/x", "host", "my-secret.test"), nil, "400", "malformed_request", true, "Host", "my-secret"},
				"a head above the limit":   {h2Fields("/s/x", "x-a", strings.Repeat("x", 70<<10)), nil, "431", "request_header_too_large", false, "server.max_header", ""},
				"a head far above it":      {h2Fields("/s/x", "x-a", strings.Repeat("x", 180<<10)), nil, "431", "request_header_too_large", false, "server.max_header", ""},
				"a trailer of pseudo-ones": {h2Fields("/s/x"), []string{":path", "/s/my-secret"}, "400", "malformed_request", true, "trailer", "my-secret"},
			} {
				before := g.failures(t, c.kind)
				body := ""
				if c.trailer != nil {
					body = "hello"
				}
				told := a.ask(t, c.fields, body, c.trailer, c.reset)
				id := told.fields["causeway-call-id"]
				if told.fields[":status"] != c.status || id == "" || !strings.Contains(told.body, c.kind) || !told.over {
					t.Errorf("%s: %+v", name, told)
					continue
				}
				if c.reset && (told.reset == nil || *told.reset != http2.ErrCodeProtocol) {
					t.Errorf("%s: reset with %v", name, told.reset)
				}
				_, record := g.get(t, "/api/v1/calls/"+id, "application/json")
				contains(t, name+": the record", string(record), c.kind)
				contains(t, name+": the record", string(record), c.told)
				if c.notTold != "" && strings.Contains(told.body+string(record), c.notTold) {
					t.Errorf("%s: the caller's bytes are in %s %s", name, told.body, record)
				}
				if n := g.failures(t, c.kind); n != before+1 {
					t.Errorf("%s: counted %v, before %v", name, n, before)
				}
			}
		})
	}
}

// h2Fields is a lawful head, with more fields behind.
func h2Fields(path string, more ...string) []string {
	return append([]string{":method", "POST", ":scheme", "http", ":authority", "one.test", ":path", path}, more...)
}

// A request's trailer need not be announced, and reaches upstreams of either version.
func TestHTTP2RequestTrailersPassUnannounced(t *testing.T) {
	t.Parallel()
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %q %v x-sum=%q", r.Proto, body, err, r.Trailer["X-Sum"])
	})
	one := httptest.NewServer(show)
	t.Cleanup(one.Close)
	two := httptest.NewUnstartedServer(show)
	two.Config.Protocols = &http.Protocols{}
	two.Config.Protocols.SetUnencryptedHTTP2(true)
	two.Start()
	t.Cleanup(two.Close)
	second := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}]", one.URL)))
	g := serve(t, "version: 1\nservices:\n"+openService("one", fmt.Sprintf("targets: [{url: %q}]", one.URL))+
		openService("two", fmt.Sprintf("protocol: h2c, targets: [{url: %q}]", two.URL))+
		openService("hop", fmt.Sprintf("protocol: h2c, targets: [{url: %q}]", second.URL+"/s")))
	a := h2Asker{addr: g.Addr}
	for name, c := range map[string]struct {
		path      string
		announced []string
		want      string
	}{
		// net/http's server of HTTP/2 shows only what was announced: another gateway passes it on.
		"announced, to HTTP/1.1":   {"/one/x", []string{"trailer", "x-sum"}, `HTTP/1.1 "hello" <nil> x-sum=["7"]`},
		"announced, to h2c":        {"/two/x", []string{"trailer", "x-sum"}, `HTTP/2.0 "hello" <nil> x-sum=["7"]`},
		"unannounced, to HTTP/1.1": {"/one/x", nil, `HTTP/1.1 "hello" <nil> x-sum=["7"]`},
		"unannounced, to h2c":      {"/hop/x", nil, `HTTP/1.1 "hello" <nil> x-sum=["7"]`},
	} {
		told := a.ask(t, h2Fields(c.path, c.announced...), "hello", []string{"x-sum", "7"}, false)
		if told.fields[":status"] != "200" || told.body != c.want {
			t.Errorf("%s: %+v", name, told)
		}
	}
}
