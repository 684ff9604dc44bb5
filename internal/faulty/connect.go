package faulty

import (
	"fmt"
	"net"
	"os"

	"causeway/internal/fault"
)

func connectFaults() []Fault {
	unix := Needs{UnixSockets: true}
	return []Fault{
		{
			Name: "connection_refused", Kind: fault.ConnectionRefused, Row: "05",
			About: "nothing listens on the port; it is kept, so that nobody else can",
			start: func(s *site) error {
				addr, err := s.keepPort()
				s.up.URL = "http://" + addr
				return err
			},
		},
		{
			Name: "connect_timeout", Kind: fault.ConnectTimeout, Row: "07", Needs: Needs{Linux: true},
			About: "the accept queue is full and never emptied: the kernel drops every SYN",
			start: func(s *site) error {
				addr, err := s.fullQueue()
				s.up.URL = "http://" + addr
				return err
			},
		},
		{
			Name: "connect_reset", Kind: fault.ConnectReset, Row: "33",
			Also:  []fault.Kind{fault.ResetBeforeResponse, fault.ResetDuringUpload},
			About: "RST as soon as the connection is accepted, before anything is read",
			start: tcp(rst),
		},
		{
			Name: "unroutable", Kind: fault.Unroutable, Row: "08", Needs: Needs{Linux: true},
			About: "a TCP connection to loopback's broadcast address: ENETUNREACH, and no packet is sent",
			start: func(s *site) error {
				s.up.URL = "http://127.255.255.255:9"
				return nil
			},
		},
		{
			Name: "unix_socket_missing", Kind: fault.SocketMissing, Row: "06", Needs: unix,
			About: "the Unix socket's path does not exist (ENOENT)",
			start: func(s *site) error {
				path, err := s.lab.socketPath()
				s.up.URL = "unix:" + path
				return err
			},
		},
		{
			Name: "unix_socket_denied", Kind: fault.SocketDenied, Row: "06", Needs: Needs{UnixSockets: true, NotRoot: true},
			About: "the Unix socket has mode 000 (EACCES)",
			start: func(s *site) error {
				path, err := s.listenUnix()
				if err != nil {
					return err
				}
				return os.Chmod(path, 0)
			},
		},
		{
			Name: "unix_socket_stale", Kind: fault.ConnectionRefused, Row: "06", Needs: unix,
			About: "the Unix socket was left behind by a server that is gone (ECONNREFUSED)",
			start: leaveSocket,
		},
		{
			Name: "unix_socket", Needs: unix,
			About: "a healthy server on a Unix socket",
			start: func(s *site) error {
				_, err := s.listenUnix()
				return err
			},
		},
	}
}

func (s *site) listenUnix() (string, error) {
	path, err := s.lab.socketPath()
	if err != nil {
		return "", err
	}
	s.up.URL = "unix:" + path
	_, err = s.listen("unix", path, serveWell)
	return path, err
}

// leaveSocket binds a Unix socket and closes it without removing its file.
func leaveSocket(s *site) error {
	path, err := s.lab.socketPath()
	if err != nil {
		return err
	}
	s.up.URL = "unix:" + path
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("listening on %s: %w", path, err)
	}
	ln.SetUnlinkOnClose(false)
	return ln.Close()
}
