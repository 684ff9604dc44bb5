// Package app is the one place that wires the program together by hand: New opens everything in the
// order in which it depends on one another, Run serves until it is told to stop, and what was opened
// is closed in reverse.
package app
