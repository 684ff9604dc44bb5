// Package listen is where connections come in, before anything is known of what they carry: the
// addresses that the program listens at (TCP, Unix sockets, sockets that systemd has opened), what a
// load balancer says of a connection before its first byte (the PROXY protocol), and how a process
// hands all of that to the next one without losing a connection.
//
// # Hand-over
//
// Start runs the program anew and gives it the open sockets. The new process finds them with Inherit,
// opens what it is told to listen at (an address that it was given is used as it is), and says Serving
// once it accepts. From then on the old one need not: a socket is one queue, whoever takes from it,
// so that no connection waits in a queue that is closed. Whatever else happens first - the new process
// says Failed, ends, or is silent for too long - leaves the old one as it was.
//
// The two talk through pipes, which also tell each when the other is gone.
package listen
