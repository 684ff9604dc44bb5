// Package wire is the HTTP/1.1 codec for both sides of the gateway and what runs on it: the door
// (accepting connections and reading calls) and the road (pools of connections to upstreams and
// single attempts on them). It reports what happened on a socket as typed facts (journey.Attempt)
// and interprets nothing.
//
// The codec is strict: it accepts no message that net/http would refuse and reads every message
// it accepts with the same framing (RFC 9112 sections 2 to 7). Where RFC 9112 lets a recipient be
// lenient with a request, this one is not, because every leniency is one half of a request
// smuggling pair; answers are read a little more freely where no framing depends on it (a bare LF
// as line end, obs-fold joined with spaces, a Content-Length repeated with the same value).
//
// One goroutine serves a connection and its calls, one after the other. A second one exists only
// while a request body that was not buffered is being sent, and for tunnels.
package wire
