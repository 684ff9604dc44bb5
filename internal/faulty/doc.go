// Package faulty is a programmable bad upstream on real sockets: every way in which the server
// behind a gateway can fail, provoked on loopback, byte for byte. The tests of the gateway, the
// sandbox's fault models and the drill all use the same list.
//
// A [Lab] owns everything it starts. [Lab.Start] gives an [Upstream] with its own listener on
// 127.0.0.1 and says what a gateway must be told to reach it: a URL, and where needed a CA
// file, a server name or a resolver. Every wait is bounded ([Options.Hold]), so is the number
// of connections ([Options.MaxConns]), and Close ends every goroutine and socket at once.
//
// # Adding a fault
//
// A fault is one row in the function of its family (malformed.go, chunking.go, llm.go ...); a
// new family is one more line in list.go. The row names the kind that a gateway must find, the
// row of the failure table it provokes, one sentence about what is on the wire, and a script:
//
//	{
//		Name: "status_two_digits", Kind: fault.MalformedResponse, Row: "26",
//		About: "the status code is two digits", start: tcp(request, send("HTTP/1.1 20 OK\r\n\r\n"), fin),
//	},
//
// A script is a list of steps (steps.go) that run on each accepted connection until one of them
// ends it. Three rules keep the bytes honest. Read the request to its end before [fin]: closing
// with unread bytes makes the kernel send RST instead. Put settle before rst when earlier bytes
// must arrive: RST throws away what is still queued. Answer more than one request only inside
// loop. Then add the row's proof to faulty_test.go: a fault without one fails the tests.
package faulty
