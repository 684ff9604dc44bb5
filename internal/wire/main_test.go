package wire

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing that a test started may outlive it: no connection's goroutine, no watcher, no upload.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
