package snapshot

import (
	"crypto/tls"

	"causeway/internal/catalog"
)

// UpstreamTLS is how calls to https targets of these settings speak, for those who look at a target
// without a call. Without settings it is nil: the system's roots and the target's own name. The error
// names the file that could not be used.
func UpstreamTLS(t catalog.UpstreamTLS) (*tls.Config, error) {
	cfg, _, err := upstreamTLS(t)
	return cfg, err
}
