//go:build tools

// Package tools pins the versions of the programs that checks run.
package tools

import (
	_ "honnef.co/go/tools/cmd/staticcheck"
	_ "mvdan.cc/gofumpt"
)
