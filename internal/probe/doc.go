// Package probe looks at a server from outside, one layer at a time: what each resolver says of its
// name, which of its addresses take a connection, what its TLS shows, and what its answers are made
// of. It is what causeway doctor looks with; the HTTP exchanges themselves go over internal/wire, as
// calls do.
//
// Everything is bounded in time and memory, whatever the server sends. Nothing here is an
// interpretation: what the facts mean is said by internal/diagnose.
package probe
