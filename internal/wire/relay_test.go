package wire

import (
	"io"
	"net"
	"strconv"
	"time"
)

// relay is the smallest handler: it passes every call to one origin.
type relay struct {
	origin *Origin
	limits AttemptLimits
}

func newRelay(url string) (*relay, error) {
	o, err := NewOrigin(OriginOptions{URL: url})
	return &relay{origin: o, limits: AttemptLimits{Connect: 2 * time.Second, Send: 5 * time.Second, FirstByte: 5 * time.Second, Idle: 5 * time.Second}}, err
}

func (r *relay) Refuse(ex Exchange, why *Refusal) {
	status := 400
	if why.Head != nil {
		status = why.Head.Status
	}
	_ = ex.Start(status, "", &Header{}, 0, -1)
	_ = ex.End(nil)
}

func (r *relay) Serve(ex Exchange) {
	rq := ex.Request()
	call := Call{Limits: r.limits, IsHead: string(rq.Method) == "HEAD", Length: rq.Length, Inform: ex}
	head := make([]byte, 0, 1024)
	head = append(head, rq.Method...)
	head = append(head, ' ')
	head = append(head, rq.Path...)
	if rq.HasQuery {
		head = append(append(head, '?'), rq.Query...)
	}
	head = append(head, " HTTP/1.1\r\n"...)
	head = AppendFields(head, &rq.Header)
	if body, ok := ex.Buffered(); ok {
		call.Body = body
		if rq.Length > 0 {
			head = append(head, "Content-Length: "+strconv.FormatInt(rq.Length, 10)+"\r\n"...)
		}
	} else {
		call.Stream = ex
		if rq.Chunked() {
			head = append(head, "Transfer-Encoding: chunked\r\n"...)
		} else {
			head = append(head, "Content-Length: "+strconv.FormatInt(rq.Length, 10)+"\r\n"...)
		}
		if ex.Continue() != nil {
			return
		}
	}
	call.Head = append(head, "\r\n"...)
	u := r.origin.Try(&call, testAttempt(), ex)
	if u == nil {
		_ = ex.Start(502, "", &Header{}, 0, -1)
		_ = ex.End(nil)
		return
	}
	defer u.Release()
	res := &u.Response
	length := res.Length
	if length == LengthUntilClose {
		length = LengthChunked
	}
	if ex.Start(res.Status, string(res.Reason), &res.Header, length, res.Declared) != nil {
		return
	}
	for {
		p, err := u.Next()
		if err == io.EOF {
			break
		}
		if err != nil || ex.Write(p) != nil {
			return
		}
		if !u.Buffered() && ex.Flush() != nil {
			return
		}
	}
	_ = ex.End(u.Trailer())
}

// startRelay runs a relay to url on a loopback port.
func startRelay(url string) (addr string, d *Door, err error) {
	r, err := newRelay(url)
	if err != nil {
		return "", nil, err
	}
	d, err = NewDoor(DoorOptions{Handler: r, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go func() { _ = d.Serve(l) }()
	return l.Addr().String(), d, nil
}
