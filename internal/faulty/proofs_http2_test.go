package faulty

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// heard says what came on an HTTP/2 connection behind one GET: a line for each frame, and how the
// connection stood then.
func heard(t *testing.T, u *Upstream) (string, ending) {
	t.Helper()
	conn := dial(t, u)
	rw := io.ReadWriter(conn)
	if u.Protocol == "h2" {
		cfg := tlsClientFor(t, u)
		cfg.NextProtos = []string{"h2"}
		tc := tls.Client(conn, cfg)
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		rw = tc
	}
	if _, err := io.WriteString(rw, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	fr := http2.NewFramer(rw, rw)
	fr.AllowIllegalReads = true
	_ = fr.WriteSettings()
	var block strings.Builder
	enc := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/"}, {Name: ":authority", Value: "orders.test"}} {
		_ = enc.WriteField(f)
	}
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: true})
	var told strings.Builder
	dec := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if len(f.Value) > 100 {
			f.Value = fmt.Sprintf("%d bytes", len(f.Value))
		}
		fmt.Fprintf(&told, " %s=%s", f.Name, f.Value)
	})
	for {
		_ = conn.SetReadDeadline(time.Now().Add(quiet))
		f, err := fr.ReadFrame()
		if err != nil {
			return told.String(), endOf(err)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			continue
		case *http2.HeadersFrame:
			told.WriteString("HEADERS")
			if _, err := dec.Write(f.HeaderBlockFragment()); err != nil {
				fmt.Fprintf(&told, " %v", err)
			}
		case *http2.ContinuationFrame:
			told.WriteString("CONTINUATION")
			_, _ = dec.Write(f.HeaderBlockFragment())
		case *http2.DataFrame:
			fmt.Fprintf(&told, "DATA %q", f.Data())
		case *http2.RSTStreamFrame:
			fmt.Fprintf(&told, "RST_STREAM %d %v", f.StreamID, f.ErrCode)
		case *http2.GoAwayFrame:
			fmt.Fprintf(&told, "GOAWAY %d %v %q", f.LastStreamID, f.ErrCode, f.DebugData())
		default:
			fmt.Fprintf(&told, "%v", f.Header().Type)
		}
		if s, ok := f.(interface{ StreamEnded() bool }); ok && s.StreamEnded() {
			told.WriteString(" END_STREAM")
		}
		told.WriteString("\n")
	}
}

func endOf(err error) ending {
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return endRST
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endSilent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return endFIN
	}
	return ending(err.Error())
}

// frames: what comes has want in it, and the connection then stands as it should.
func frames(want string, end ending) proof {
	return func(t *testing.T, u *Upstream) {
		got, how := heard(t, u)
		if !strings.Contains(got, want) || how != end && end != "" {
			t.Errorf("got %s and %s, want %q and %s", clip(got), how, want, end)
		}
		if n := u.Requests(); n != 1 {
			t.Errorf("%d requests were read", n)
		}
	}
}

func http2Proofs() map[string]proof {
	const well = "HEADERS :status=200 content-type=text/plain content-length=3\nDATA \"ok\\n\" END_STREAM\n"
	const head, ten = "HEADERS :status=200 content-length=100\n", `DATA "0123456789"`
	rst := func(code string) proof { return frames("RST_STREAM 1 "+code+"\n", endSilent) }
	return map[string]proof{
		"h2c":              frames(well, endSilent),
		"h2":               frames(well, endSilent),
		"h2_goaway_behind": frames(well+"GOAWAY 1 NO_ERROR \"\"\n", endFIN),
		"h2_reset_behind":  frames(well+"RST_STREAM 1 NO_ERROR\n", endSilent),

		"h2_refused_stream":    rst("REFUSED_STREAM"),
		"h2_enhance_your_calm": rst("ENHANCE_YOUR_CALM"),
		"h2_internal_error":    rst("INTERNAL_ERROR"),
		"h2_http11_required":   rst("HTTP_1_1_REQUIRED"),
		"h2_protocol_error":    rst("PROTOCOL_ERROR"),
		"h2_cancel":            rst("CANCEL"),
		"h2_reset_no_error":    rst("NO_ERROR"),
		"h2_reset_unknown":     rst("unknown error code 0x1234"),
		"h2_cancel_mid_body":   frames(head+ten+"\nRST_STREAM 1 CANCEL\n", endSilent),
		"h2_goaway_draining":   frames("GOAWAY 0 NO_ERROR \"max_age\"\n", endSilent),
		"h2_goaway_calm":       frames("GOAWAY 1 ENHANCE_YOUR_CALM \"too_many_pings\"\n", endFIN),
		"h2_goaway_internal":   frames("GOAWAY 1 INTERNAL_ERROR \"worker\\x00 died\"\n", endFIN),

		"h2_close_before_response": frames("", endFIN),
		"h2_reset_before_response": frames("", endRST),
		"h2_body_cut_fin":          frames("HEADERS :status=200\n"+ten+"\n", endFIN),
		"h2_body_cut_rst":          frames(head+ten+"\n", endRST),
		"h2_body_short":            frames(head+ten+" END_STREAM\n", endSilent),
		"h2_first_byte":            frames("", endSilent),
		"h2_stall":                 frames("HEADERS :status=200\n"+ten+"\n", endSilent),

		"h2c_to_http1":          sees("HTTP/1.1 400 Bad Request\r\n", endFIN),
		"h2c_closed":            sees("", endFIN),
		"h2c_silent":            sees("", endSilent),
		"h2c_to_tls":            sees("\x15\x03\x03\x00\x02\x02\x0a", endFIN),
		"h2c_to_ssh":            speaksFirst(sshBanner),
		"h2_alpn_none":          agreesTo("", ""),
		"h2_alpn_refused":       agreesTo("", "no application protocol"),
		"h2_client_certificate": agreesTo("h2", ""),

		"h2_data_first":         frames(ten+" END_STREAM\n", endSilent),
		"h2_bad_hpack":          frames("HEADERS decoding error", endSilent),
		"h2_frame_too_large":    frames("HEADERS :status=200\n", ""),
		"h2_window_overflow":    frames("WINDOW_UPDATE\nWINDOW_UPDATE\n", endSilent),
		"h2_push":               frames("PUSH_PROMISE\n", endSilent),
		"h2_connection_field":   frames("connection=keep-alive", endSilent),
		"h2_body_long":          frames("HEADERS :status=200 content-length=5\n"+ten+" END_STREAM\n", endSilent),
		"h2_field_upper_case":   frames("X-Broken=value", endSilent),
		"h2_field_newline":      frames("x-broken=a\r\nset-cookie: b=c", endSilent),
		"h2_status_missing":     frames("HEADERS content-type=text/plain\n", endSilent),
		"h2_status_twice":       frames(":status=200 :status=404", endSilent),
		"h2_lengths_differ":     frames("content-length=3 content-length=4", endSilent),
		"h2_header_too_large":   frames("x-trace=4096 bytes", endSilent),
		"h2_continuation_flood": frames("CONTINUATION x-trace=4096 bytes", endSilent),
		"h2_interim_endless":    frames(strings.Repeat("HEADERS :status=103 link=</a.css>; rel=preload\n", 100), endSilent),
	}
}

// agreesTo: a handshake that offers h2 alone ends with this protocol, or with this alert.
func agreesTo(protocol, alert string) proof {
	return func(t *testing.T, u *Upstream) {
		cfg := tlsClientFor(t, u)
		cfg.NextProtos = []string{"h2"}
		tc := tls.Client(dial(t, u), cfg)
		err := tc.Handshake()
		if alert != "" {
			if err == nil || !strings.Contains(err.Error(), alert) {
				t.Errorf("the handshake says %v, want %q", err, alert)
			}
			return
		}
		if err != nil || tc.ConnectionState().NegotiatedProtocol != protocol {
			t.Errorf("agreed to %q, %v", tc.ConnectionState().NegotiatedProtocol, err)
		}
	}
}
