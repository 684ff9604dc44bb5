package drill

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is where the drill's names are; no resolver of the world knows it (RFC 6761 section 6.2).
const zone = "drill.test"

// resolver is the gateway's only DNS server in a drill: it asks, for each name, the resolver of the fault that has the
// name, and knows no others.
type resolver struct {
	udp *net.UDPConn
	tcp net.Listener

	mu    sync.Mutex
	faces map[string]string // the first label -> the address of the fault's resolver
	wg    sync.WaitGroup
	ctx   context.Context
	end   context.CancelFunc
}

// asked is how long an answer of a fault's resolver is waited for: longer than any gateway does.
const asked = 20 * time.Second

func newResolver() (*resolver, error) {
	r := &resolver{faces: map[string]string{}}
	var err error
	for range 10 {
		if r.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("starting the drill's resolver: %w", err)
		}
		at := r.tcp.Addr().(*net.TCPAddr)
		if r.udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port}); err == nil {
			break
		}
		_ = r.tcp.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("starting the drill's resolver: %w", err)
	}
	r.ctx, r.end = context.WithCancel(context.Background())
	r.wg.Go(r.serveUDP)
	r.wg.Go(r.serveTCP)
	return r, nil
}

func (r *resolver) addr() string { return r.udp.LocalAddr().String() }

func (r *resolver) name(label, by string) {
	r.mu.Lock()
	r.faces[label] = by
	r.mu.Unlock()
}

// of is the resolver that a question is for, "" when the name is not of the drill.
func (r *resolver) of(query []byte) string {
	var p dnsmessage.Parser
	if _, err := p.Start(query); err != nil {
		return ""
	}
	q, err := p.Question()
	if err != nil {
		return ""
	}
	label, rest, _ := strings.Cut(strings.ToLower(q.Name.String()), ".")
	if rest != zone+"." {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faces[label]
}

// unknown answers that there is no such name.
func unknown(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil {
		return nil
	}
	m.Header.Response, m.Header.RCode = true, dnsmessage.RCodeNameError
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

func (r *resolver) serveUDP() {
	buf := make([]byte, 4096)
	for {
		n, from, err := r.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		query := append([]byte(nil), buf[:n]...)
		r.wg.Go(func() {
			answer := unknown(query)
			if to := r.of(query); to != "" {
				if answer = r.ask("udp", to, query); answer == nil {
					return // a resolver that does not answer
				}
			}
			_, _ = r.udp.WriteToUDPAddrPort(answer, from)
		})
	}
}

func (r *resolver) ask(network, to string, query []byte) []byte {
	var d net.Dialer
	c, err := d.DialContext(r.ctx, network, to)
	if err != nil {
		return nil
	}
	defer c.Close()
	defer context.AfterFunc(r.ctx, func() { _ = c.Close() })()
	_ = c.SetDeadline(time.Now().Add(asked))
	if _, err := c.Write(query); err != nil {
		return nil
	}
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

func (r *resolver) serveTCP() {
	for {
		c, err := r.tcp.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() {
			defer c.Close()
			defer context.AfterFunc(r.ctx, func() { _ = c.Close() })()
			_ = c.SetDeadline(time.Now().Add(asked))
			for r.answerTCP(c) == nil {
			}
		})
	}
}

// answerTCP answers one question over TCP, whose messages have their length before them (RFC 1035 section 4.2.2).
func (r *resolver) answerTCP(c net.Conn) error {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, query); err != nil {
		return err
	}
	to := r.of(query)
	if to == "" {
		answer := unknown(query)
		_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
		return err
	}
	answer := r.ask("tcp", to, append(size[:], query...))
	if answer == nil {
		return io.EOF
	}
	_, err := c.Write(answer)
	return err
}

func (r *resolver) close() {
	r.end()
	_ = r.udp.Close()
	_ = r.tcp.Close()
	r.wg.Wait()
}
