//go:build !linux

package e2e

import "time"

// waitEmpty waits until the peer has most likely read what was sent.
func waitEmpty(*rawConn) { time.Sleep(100 * time.Millisecond) }
