package certs

import "slices"

// alpn are the protocols to agree on: others, behind HTTP/2 where it is spoken.
func alpn(others []string, http2 bool) []string {
	const h2 = "h2" // RFC 9113 section 3.1
	if !http2 || slices.Contains(others, h2) {
		return others
	}
	return append([]string{h2}, others...)
}
