//go:build !unix

package faulty

import "net"

// keepPort finds a port that nothing listens on. It cannot be kept here: another process may
// take it later.
func (s *site) keepPort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
