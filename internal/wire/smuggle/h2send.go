package smuggle

import (
	"bytes"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// H2Outcome is what became of a request over HTTP/2.
type H2Outcome struct {
	Status int    // 0 when there was no answer
	Body   string // of the answer
	Whole  bool   // the answer ended with END_STREAM
	// Reset is the code of RST_STREAM or GOAWAY, "" without; Ended tells that the connection was closed
	// before the answer's end.
	Reset  string
	Ended  bool
	Fields map[string]string // of the answer's head
}

// Refused tells whether the request was turned away.
func (o H2Outcome) Refused() bool { return !o.Whole || o.Status >= 400 }

// Send sends the case on a new connection and returns what became of it: no lawful client could. The
// connection's deadline must be set; an error is for one that passed.
func (c H2Case) Send(nc net.Conn) (o H2Outcome, err error) {
	fr := http2.NewFramer(nc, nc)
	fr.AllowIllegalWrites = true
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var buf bytes.Buffer
	enc := hpack.NewEncoder(&buf)
	block := func(fields []string) []byte {
		buf.Reset()
		for i := 0; i < len(fields); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return buf.Bytes()
	}
	if _, err := nc.Write([]byte(http2.ClientPreface)); err != nil {
		return o, fmt.Errorf("sending the preface: %w", err)
	}
	// The gateway may end the stream or the connection before all is sent; what it says of that is read
	// below.
	_ = fr.WriteSettings()
	_ = fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block(c.Fields), EndHeaders: true, EndStream: len(c.Body) == 0 && c.Trailer == nil,
	})
	for i, p := range c.Body {
		_ = fr.WriteData(1, i == len(c.Body)-1 && c.Trailer == nil, []byte(p))
	}
	if c.Trailer != nil {
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(c.Trailer), EndHeaders: true, EndStream: true})
	}
	for {
		f, err := fr.ReadFrame()
		if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() {
			return o, fmt.Errorf("waiting for an answer: %w", err)
		}
		if err != nil {
			o.Ended = true
			return o, nil
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = fr.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				_ = fr.WritePing(true, f.Data)
			}
		case *http2.GoAwayFrame:
			o.Reset = f.ErrCode.String()
		case *http2.RSTStreamFrame:
			o.Reset = f.ErrCode.String()
			return o, nil
		case *http2.DataFrame:
			o.Body += string(f.Data())
			if f.StreamEnded() {
				o.Whole = true
				return o, nil
			}
		case *http2.MetaHeadersFrame:
			if status, _ := strconv.Atoi(f.PseudoValue("status")); status >= 200 {
				o.Status, o.Fields = status, map[string]string{}
				for _, field := range f.RegularFields() {
					o.Fields[field.Name] = field.Value
				}
			}
			if f.StreamEnded() {
				o.Whole = true
				return o, nil
			}
		}
	}
}
