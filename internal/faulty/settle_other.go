//go:build !linux

package faulty

import "net"

// unacked returns 0 where the kernel is not asked: settle's pause must do.
func unacked(net.Conn) int { return 0 }
