// Package policy holds the guards of a service, one file each:
//
//	keys.go          who calls: the key in a request, and the application it belongs to
//	certificates.go  the same by the client certificate that a connection was opened with
//	subscribe.go     what an application may call
//	ip_allow.go      from which addresses calls may come
//	rate_limit.go    how many calls may come in a time
//
// body_limit needs no file: it is a comparison. The order in which they guard a call is that of
// gateway's guards.go.
//
// Everything here is compiled once from the catalogue, may be used concurrently, and allocates
// nothing for a call that it lets through.
package policy
