package faulty

import (
	"io"
	"net"

	"causeway/internal/fault"
)

// uploadFaults happen while the request's body is still on its way.
func uploadFaults() []Fault {
	upload := Needs{Upload: true}
	some := Params{After: 64 << 10}
	const tooLarge = "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\n"
	return []Fault{
		{
			Name: "send_timeout", Kind: fault.SendTimeout, Row: "38", Needs: upload,
			About: "the head is read, the body never is: the socket's buffers fill", start: tcp(small, head, invite, deaf),
		},
		{
			Name: "upload_stall", Kind: fault.SendTimeout, Row: "38", Needs: upload, Defaults: some,
			About: "After bytes of the body are read, then no more", start: tcp(small, head, invite, readSome, deaf),
		},
		{
			Name: "upload_reset", Kind: fault.ResetDuringUpload, Row: "40", Needs: upload, Defaults: some,
			About: "After bytes of the body are read, then RST", start: tcp(head, invite, readSome, rst),
		},
		{
			Name: "upload_close", Kind: fault.ClosedBeforeResponse, Row: "40", Needs: upload, Defaults: some,
			Also:  []fault.Kind{fault.ResetDuringUpload},
			About: "After bytes of the body are read, then FIN; the rest is read and thrown away",
			start: tcp(head, invite, readSome, fin),
		},
		{
			Name: "early_413", Row: "39", Status: 413, Needs: upload, Defaults: some, NoReuse: true,
			About: "413 with Connection: close after After bytes, then FIN; the rest is read and thrown away",
			start: tcp(head, invite, readSome, send(tooLarge+"Connection: close\r\nContent-Length: 10\r\n\r\ntoo large\n"), fin),
		},
		{
			Name: "early_413_reset", Row: "39", Status: 413, Needs: upload, Defaults: some, NoReuse: true,
			Also:  []fault.Kind{fault.ResetDuringUpload},
			About: "413 after After bytes, then RST: the answer has arrived and must not be lost to the broken upload",
			start: tcp(head, invite, readSome, send(tooLarge+"Connection: close\r\nContent-Length: 10\r\n\r\ntoo large\n"), settle, rst),
		},
		{
			Name: "early_413_keep_alive", Row: "39", Status: 413, Needs: upload, Defaults: some,
			About: "413 after After bytes, then the rest of the body is read and the connection kept",
			start: tcp(loop(head, invite, readSome, send(tooLarge+"Content-Length: 10\r\n\r\ntoo large\n"), readRest)),
		},
		{
			Name: "refuse_expect", Row: "39", Status: 417,
			About: "417 to Expect: 100-continue, before any byte of the body; without Expect a good answer",
			start: tcp(loop(head, refuseExpect)),
		},
	}
}

// small keeps the receive buffer small, so that an upload soon blocks.
func small(c *peer) error {
	if t, ok := c.raw.(*net.TCPConn); ok {
		return t.SetReadBuffer(4096)
	}
	return nil
}

func invite(c *peer) error { return c.invite() }

// readSome reads Params.After bytes of the body.
func readSome(c *peer) error {
	_, err := io.CopyN(io.Discard, c.req.Body, c.p.After)
	if err == io.EOF { // a smaller body: misbehave all the same
		return nil
	}
	return err
}

// readRest reads the body to its end.
func readRest(c *peer) error {
	_, err := io.Copy(io.Discard, c.req.Body)
	return err
}

func refuseExpect(c *peer) error {
	if c.req.Header.Get("Expect") == "" {
		if err := c.readBody(); err != nil {
			return err
		}
		return good(c)
	}
	if err := c.put(text(417, "no\n", plainText, "Connection: close")); err != nil {
		return err
	}
	return fin(c)
}
