// Package mock is the benchmark's upstream: an HTTP/1.1 server with prebuilt answers on one
// thread, so that as little as possible of the load's core goes into it. It speaks just enough
// HTTP for well-behaved proxies on loopback and answers everything else with 501.
package mock

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"causeway/bench/answers"
	"causeway/bench/poll"
)

// Options say how streams are written. The zero value writes Done alone, at once.
type Options struct {
	// Events is the number of events of each stream, Done not counted.
	Events int
	// Pace is the time between two events of one stream. With 0 every stream under way gets one
	// event in turn, as fast as the callers read.
	Pace time.Duration
	// CutEvery closes every n-th stream's connection after half of its events; 0 never.
	CutEvery int
	// OmitDoneEvery ends every n-th stream cleanly but without Done; 0 never.
	OmitDoneEvery int
	// ShortEvery answers every n-th call of PathREST1K with one byte less; 0 never.
	ShortEvery int
}

// Server is one listening mock. Serve runs it, or Step turn by turn; only Close may be called by
// another goroutine.
type Server struct {
	options  Options
	poller   *poll.Poller
	listener int
	addr     netip.AddrPort
	conns    map[int]*conn
	streams  []*conn
	ticking  bool
	prebuilt prebuilt
	scratch  [64 << 10]byte
	answered struct{ rest1k, streams int }
}

// prebuilt holds every answer as it goes over the wire.
type prebuilt struct {
	rest1k, rest1kShort, rest64k, chat []byte
	unsupported                        []byte
	streamHead                         []byte
	event, lastEvent                   []byte // one chunk each, the stamp at stampAt
	usage, done, end                   []byte
	stampAt                            int
	// The same in Anthropic's dialect.
	message, messageBegin, messageEvent, messageEnd []byte
	messageStampAt                                  int
}

// Listen opens a mock on addr ("127.0.0.1:0" for any free port); Close frees it.
func Listen(addr string, options Options) (*Server, error) {
	want, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("reading the mock's address: %w", err)
	}
	poller, err := poll.New()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, poller: poller, conns: map[int]*conn{}, prebuilt: build()}
	if s.listener, s.addr, err = listen(want); err != nil {
		_ = poller.Close()
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	if err := poller.Add(s.listener, false); err != nil {
		_ = unix.Close(s.listener)
		_ = poller.Close()
		return nil, err
	}
	return s, nil
}

func listen(want netip.AddrPort) (int, netip.AddrPort, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(want.Port()), Addr: want.Addr().As4()})
	}
	if err == nil {
		err = unix.Listen(fd, 4096)
	}
	var bound unix.Sockaddr
	if err == nil {
		bound, err = unix.Getsockname(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, netip.AddrPort{}, err
	}
	return fd, netip.AddrPortFrom(want.Addr(), uint16(bound.(*unix.SockaddrInet4).Port)), nil
}

// Addr is the address that the mock listens on.
func (s *Server) Addr() string { return s.addr.String() }

// Close makes Serve close every socket and return nil.
func (s *Server) Close() { s.poller.Wake() }

// Release closes every socket; the server can't be used afterwards. Serve does it itself.
func (s *Server) Release() {
	for _, c := range s.conns {
		_ = unix.Close(c.fd)
	}
	_ = unix.Close(s.listener)
	_ = s.poller.Close()
}

// Serve answers until Close, on the calling goroutine.
func (s *Server) Serve() error {
	defer s.Release()
	for {
		if err := s.Step(-1); err != nil {
			if errors.Is(err, errClosed) {
				return nil
			}
			return err
		}
		if err := s.keepTicking(); err != nil {
			return err
		}
	}
}

var errClosed = errors.New("the mock was closed")

// Step handles what has come and writes the events that are due, for a loop that the caller runs,
// instead of Serve. It waits at most the given time for something to come; a negative one waits
// until something does.
func (s *Server) Step(wait time.Duration) error {
	if s.options.Pace == 0 && len(s.streams) > 0 {
		wait = 0
	}
	ready, tick, woken, err := s.poller.Wait(wait)
	if err != nil {
		return err
	}
	if woken {
		return errClosed
	}
	for i := range ready {
		s.handle(&ready[i])
	}
	if len(s.streams) > 0 && (tick || wait == 0) {
		s.advance()
	}
	return nil
}

func (s *Server) handle(event *unix.EpollEvent) {
	if int(event.Fd) == s.listener {
		s.accept()
		return
	}
	c := s.conns[int(event.Fd)]
	if c == nil {
		return // closed by an earlier event of the same round
	}
	if event.Events&unix.EPOLLOUT != 0 && !s.flush(c) {
		return
	}
	if event.Events&^unix.EPOLLOUT != 0 {
		s.read(c)
	}
}

func (s *Server) accept() {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // EAGAIN, or a caller that left already; a lasting fault shows as calls that fail
		}
		if unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) != nil || s.poller.Add(fd, false) != nil {
			_ = unix.Close(fd)
			continue
		}
		s.conns[fd] = &conn{fd: fd}
	}
}

func (s *Server) drop(c *conn) {
	s.forget(c)
	delete(s.conns, c.fd)
	_ = unix.Close(c.fd)
}

func build() prebuilt {
	answer := func(contentType string, body []byte) []byte {
		head := "HTTP/1.1 200 OK\r\nContent-Type: " + contentType + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
		return append([]byte(head), body...)
	}
	chunk := func(data []byte) []byte {
		return append(append(strconv.AppendInt(nil, int64(len(data)), 16), "\r\n"...), append(data, "\r\n"...)...)
	}
	event := chunk(answers.Event(false))
	messageEvent := chunk(answers.MessageEvent())
	return prebuilt{
		message:        answer("application/json", answers.Message()),
		messageBegin:   chunk(answers.MessageBegin()),
		messageEvent:   messageEvent,
		messageEnd:     append(chunk(answers.MessageEnd()), "0\r\n\r\n"...),
		messageStampAt: len(messageEvent) - len("\r\n") - len(answers.MessageEvent()) + answers.MessageStampOffset,

		rest1k:      answer("application/json", answers.JSON(answers.SizeREST1K)),
		rest1kShort: answer("application/json", answers.JSON(answers.SizeREST1K-1)),
		rest64k:     answer("application/json", answers.JSON(answers.SizeREST64K)),
		chat:        answer("application/json", answers.Chat()),
		unsupported: []byte("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
		streamHead: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" +
			"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"),
		event:     event,
		lastEvent: chunk(answers.Event(true)),
		usage:     chunk(answers.Usage()),
		done:      append(chunk([]byte(answers.Done)), "0\r\n\r\n"...),
		end:       []byte("0\r\n\r\n"),
		stampAt:   len(event) - len("\r\n") - answers.EventSize + answers.StampOffset,
	}
}
