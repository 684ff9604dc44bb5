//go:build !linux

package faulty

// dropRoot does nothing: these tests run as an ordinary user there.
func dropRoot() {}
