// Package snapshot compiles a catalogue into a generation: the match table, the policies, the pools
// and the models, ready for calls to use without a lock. A generation is built whole, put in force
// by one pointer store and never changed; what must outlive it (connections, health, counters,
// limits) is handed from one generation to the next.
package snapshot
