// Package e2e holds the tests that see Causeway as its users do: the real program in a process of
// its own, real sockets on loopback, and clients and upstreams that are not ours where it matters
// (curl, Python, Node with the openai package, Chromium, nginx). One file is one story.
//
// TestExchanges makes the same exchanges with every client, straight and through the gateway (package
// exchanges); TestSoak puts every protocol on at once and looks at what is left behind.
//
// The program comes from CAUSEWAY_BIN; without it the tests build it. A story whose client or
// server is not installed fails, except with -short, where it is skipped.
package e2e
