// Package e2e holds the tests that see Causeway as its users do: the real program in a process of
// its own, real sockets on loopback, and clients and upstreams that are not ours where it matters
// (curl, Python, Node with the openai package, nginx). One file is one story.
//
// The program comes from CAUSEWAY_BIN; without it the tests build it. A story whose client or
// server is not installed fails, except with -short, where it is skipped.
package e2e
