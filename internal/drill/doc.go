// Package drill grades a configuration: it runs a sealed copy of it before upstreams that fail in every way that
// internal/faulty knows, and tells what callers would have seen of it.
//
// The copy has a gateway of its own ([Options.Open]) on a loopback port of its own, with its own data folder. Of a
// service or a model it keeps what answers failures with: targets in their number and weights, balance, timeouts,
// retries, slots, health checks, breakers, fallbacks, the number of keys. Addresses, names, keys, certificates, header
// rules and policies of the configuration are left out: every target is a server of this process, names are answered by a
// resolver of this process, and nothing else is called. Providers are spoken to in OpenAI's dialect, whatever their
// own is.
//
// Each service and model is put to each fault in up to three ways: at one of its targets and lasting; at one
// connection in ten; at every target and lasting. Limits are shortened ([Shorten]), so that what takes minutes shows in
// seconds; durations are told as they would have been: a limit that fired counts with its configured value.
package drill
