//go:build tools

// Package h2spec pins the version of h2spec, which TestH2spec builds: it stands in a module of its own,
// as it is older than modules and would bring its dependencies to the other tools.
package h2spec

import _ "github.com/summerwind/h2spec/cmd/h2spec"
