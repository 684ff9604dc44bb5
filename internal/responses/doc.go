// Package responses keeps what the Responses API promises to keep (store: true, its default): each response with
// the items that were put in, so that a later call may go on from it by previous_response_id, and so that it
// can be read and deleted. That is needed where the provider cannot do it: every provider that is asked in
// another dialect. Of a response that a provider keeps itself only the owner is kept.
//
// Everything belongs to a tenant, the application that made it; for another it does not exist.
//
// # What is kept, and for how long
//
// A Record holds one call: its new input and its response. A conversation is the chain of records by Previous. It
// is kept for Options.Keep after its last turn, as long as all records together are not larger than
// Options.MaxSize: then the oldest go first. A call with store: false keeps nothing, and nothing is kept of a
// response that broke.
//
// Put returns when the record is in memory, and Get finds it there; Run writes it to the Store, a batch at a time, so
// that a slow disk does not hold a call up. A killed process loses the records of its last moments: a call that
// goes on from one of them gets not found.
package responses
