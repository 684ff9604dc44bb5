// Package ledger keeps every call: from the gateway into a memory-mapped spool, and from there, in
// the background, in batches into a store. Nothing on a call's path waits for a disk, a database
// or a lock that all calls share, and every call whose Commit returned is found again after the
// process was killed. A power cut is not promised: the newest seconds may be lost then.
//
// # The spool
//
// Open, called in the gateway's second room, takes a slot of 256 bytes in the table of open calls
// and writes there what is known: id, start, method, path. Commit appends the call's whole record
// to the active segment, marks it, and frees the slot. So the table is as large as the number of
// calls in flight, records may have any size, and a stream of an hour keeps no segment busy.
//
// A segment is a file of 1 MiB, mapped, allocated in full before it is used (a full disk is found
// then, and not as SIGBUS) and never grown; after its calls are in the store it is cleared and
// used again. A few are kept ready, and more are made ahead while the store falls behind, up to
// Options.SpoolSize. In it stands one record after the other, each at a multiple of 8 bytes:
//
//	mark    4 bytes "CALL", stored atomically after all else: only then does the record exist
//	length  4 bytes
//	crc     4 bytes, CRC-32C of the record
//	zero    4 bytes
//	record  length bytes, journey.AppendRecord
//
// To append is to add to the segment's tail and to copy: no lock. With several processors there
// are several active segments, chosen by a letter of the call's id.
//
// The number of a segment is new each time it is used, and the store notes, in the transaction
// that takes calls over, up to where: so after a crash nothing is taken twice or left out. A slot
// that is found open becomes a call of kind gateway_killed, unless the record that its Commit was
// about to mark turns out to be marked.
//
// # Several processes
//
// While one process hands over to the next, both keep calls in the folder: the lock is theirs together
// (InheritLock), the store is shared, and in the spool each has files of its own. Their names hold the
// process's number, whose lock it has as long as it lives. Whoever finds that lock free, at its start or
// later, takes those files over: their calls come into the store, and what was open becomes a killed
// call, written beside that process's own records in the way of Commit, so that a take-over which is
// cut short is gone on with. A process forgets only marks of segments of numbers that it holds. See
// process.go, recover.go and docs/decisions/0005-hand-over.md.
//
// With no free segment and no room to make one, Options.WhenFull decides. Drop loses good calls
// first, and counts them: the last segments are kept for calls with a finding. Refuse makes Open
// return ErrFull, and keeps the last segments for the calls in flight.
//
// A record that cannot be right (unknown mark, impossible length, wrong checksum) is copied to
// damaged/records.jsonl with the reason, counted, and passed over; what stands behind it is found
// again at the next mark with a right checksum. A segment whose header is damaged gives up its
// records likewise and is moved to damaged/.
//
// # The store
//
// Calls are kept in chunks of some hundred: a row each would cost more than the rest of the
// gateway. See chunk.go for a chunk's form, search.go for how one is found, and
// docs/decisions/0002-call-log.md for the figures.
//
// # Files
//
//	lock                    held (flock) by the process that uses the folder, and its successor
//	causeway.db             the store's
//	spool/process-P.lock    held by the living process of number P
//	spool/open-P-N.table    open calls
//	spool/segment-P-N.log   records
//	damaged/                what could not be read
package ledger
