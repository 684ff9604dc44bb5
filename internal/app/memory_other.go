//go:build !linux

package app

// forgetProgram does nothing where the kernel is not Linux.
func forgetProgram() {}
