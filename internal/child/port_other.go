//go:build !linux

package child

import (
	"errors"
	"net/netip"
)

func (p *Process) listening() ([]netip.AddrPort, error) { return nil, errors.ErrUnsupported }
