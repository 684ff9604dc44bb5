package journey

// Chunk is a batch of calls as a store keeps it: what is needed to decide whether to look inside,
// and the calls themselves, encoded and compressed. A store treats Zone and Data as opaque; the
// ledger makes and reads them.
type Chunk struct {
	Key    int64 // the store's own number for it, ascending in the order of writing; 0 before that
	First  ID    // the smallest id inside
	Last   ID    // the largest
	Count  int   // calls inside
	Failed int   // of them, calls with a finding
	Zone   []byte
	Data   []byte // not filled in by listings
}

// SpoolMark says up to where a spool segment's calls are in the store.
type SpoolMark struct {
	Segment int64 // the segment's number, never used twice
	Offset  int64 // bytes from the segment's start
}

// Batch is what a store must take in one transaction: either all of it is kept or nothing.
type Batch struct {
	Chunks []Chunk
	Marks  []SpoolMark // replace earlier marks of the same segments
	Forget []int64     // segments that are gone: their marks can go too
}

// ChunkPage asks for a part of a listing of chunks, newest first: chunks with at least one id below Below
// and none needed below From, continued behind the place where the last one ended.
type ChunkPage struct {
	From  ID         // chunks whose Last is below it are left out
	Below ID         // chunks whose First is not below it are left out
	After *ChunkMark // nil: from the newest
	Limit int
}

// ChunkMark is a place in a listing of chunks, which goes by Last and then Key, both descending.
type ChunkMark struct {
	Last ID
	Key  int64
}
