package exchanges

//lint:file-ignore SA1019 net/http's own server takes no connection that has been read from

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// h2Origin answers the exchanges over HTTP/2.
type h2Origin struct {
	o      *Origin
	server http2.Server
	base   http.Server
}

type connNumber struct{}

func newH2Origin(o *Origin) *h2Origin {
	// What a client sends is never what ends an exchange.
	return &h2Origin{o: o, base: http.Server{MaxHeaderBytes: 1 << 20}}
}

func (h *h2Origin) serve(c net.Conn, number int) {
	h.server.ServeConn(c, &http2.ServeConnOpts{
		Context: context.WithValue(context.Background(), connNumber{}, number), BaseConfig: &h.base, Handler: h,
	})
}

func (h *h2Origin) ServeHTTP(w http.ResponseWriter, rq *http.Request) {
	number, _ := rq.Context().Value(connNumber{}).(int)
	r := &Received{Method: rq.Method, Target: rq.RequestURI, Version: "HTTP/2", Conn: number, Framing: "none"}
	r.Headers = append(r.Headers, Field{"host", rq.Host})
	for _, name := range sortedNames(rq.Header) {
		for _, v := range rq.Header[name] {
			r.Headers = append(r.Headers, Field{strings.ToLower(name), latin([]byte(v))})
		}
	}
	switch {
	case rq.ContentLength > 0 || rq.Header.Get("Content-Length") != "":
		r.Framing = "length"
	case rq.ContentLength < 0:
		r.Framing = "chunked"
	}
	run, suffix, e := h.o.find(r.Target)
	r.Suffix = suffix
	if e == nil {
		w.Header().Set("Content-Type", "text/html")
		if strings.HasSuffix(r.Target, "/page") {
			_, _ = io.WriteString(w, "<!doctype html><title>exchanges</title>")
		} else {
			w.WriteHeader(http.StatusNotFound)
		}
		return
	}
	a := e.answer(r)
	body := func() {
		sum := sha256.New()
		n, err := io.Copy(sum, rq.Body)
		r.Length, r.Broken, r.SHA = int(n), err != nil, hex.EncodeToString(sum.Sum(nil))
		if r.Framing == "none" {
			r.SHA = ""
		}
		for _, name := range sortedNames(rq.Trailer) {
			for _, v := range rq.Trailer[name] {
				r.Trailers = append(r.Trailers, Field{strings.ToLower(name), v})
			}
		}
	}
	refuses := a.Refuse && rq.Header.Get("Expect") != ""
	if !a.Early && !refuses {
		body()
	}
	if !a.Early {
		h.o.note(run, e, r)
	}
	h.write(w, rq, &a)
	if a.Early {
		body()
		h.o.note(run, e, r)
	}
}

func (h *h2Origin) write(w http.ResponseWriter, rq *http.Request, a *Answer) {
	flush := func() { _ = http.NewResponseController(w).Flush() }
	time.Sleep(a.Wait)
	if a.End == NoAnswer {
		panic(http.ErrAbortHandler)
	}
	head := w.Header()
	for _, i := range a.Interim {
		clear(head)
		addFields(head, i.Headers)
		w.WriteHeader(i.Status)
	}
	clear(head)
	head["Content-Type"] = nil // the package would guess one
	addFields(head, a.Headers)
	head["Date"] = []string{date}
	if a.NoDate {
		head["Date"] = nil
	}
	switch {
	case a.Framing == NoBody && a.Declared > 0:
		head.Set("Content-Length", strconv.Itoa(a.Declared))
	case a.Framing == ByLength:
		head.Set("Content-Length", strconv.Itoa(len(a.whole())))
	}
	w.WriteHeader(max(a.Status, 200))
	if a.Framing == NoBody || rq.Method == http.MethodHead {
		return
	}
	flush()
	pieces := a.pieces()
	if a.End != Whole && len(pieces) == 1 {
		pieces = [][]byte{pieces[0][:len(pieces[0])/2]}
	} else if a.End != Whole {
		pieces = pieces[:len(pieces)/2]
	}
	for i, p := range pieces {
		if i > 0 && a.Pause > 0 {
			flush()
			time.Sleep(a.Pause)
		}
		if _, err := w.Write(p); err != nil {
			return
		}
	}
	if a.End != Whole {
		flush()
		time.Sleep(max(a.Pause, 30*time.Millisecond)) // RST_STREAM overtakes what is still queued
		panic(http.ErrAbortHandler)
	}
	for _, f := range a.Trailers { // the answer's field Trailer has announced them
		head.Add(f[0], f[1])
	}
}

func addFields(h http.Header, list []Field) {
	for _, f := range list {
		name := http.CanonicalHeaderKey(f[0])
		if name == "Connection" || name == "Keep-Alive" || name == "Upgrade" {
			continue
		}
		h[name] = append(h[name], string(bytesOf(f[1])))
	}
}

func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
