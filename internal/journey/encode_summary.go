package journey

import (
	"bytes"
	"fmt"
	"time"
)

// Summary is what a search filters a call by, read without decoding the whole record. Its byte
// slices point into the record and are valid as long as that is.
type Summary struct {
	ID          ID
	Start       time.Time
	Method      []byte
	Path        []byte
	Service     []byte
	Route       []byte
	Application []byte
	Provider    []byte
	Model       []byte
	TargetModel []byte
	Kind        []byte // the finding's, empty for a good call
	Status      int
	Total       time.Duration
	Failed      bool // the call has a finding
}

// ReadSummary fills s from an encoded record, with the errors of DecodeRecord. It allocates
// nothing and reads no further than the fields it needs: a record whose rest is damaged may
// still have a summary.
func ReadSummary(record []byte, s *Summary) error {
	r := reader{b: record}
	*s = Summary{}
	mask, err := r.head(&s.ID)
	if err != nil {
		return err
	}
	if mask&hasStart != 0 {
		s.Start = r.start(s.ID)
	}
	if mask&hasMethod != 0 {
		if n := int(r.byte()); n == 0 {
			s.Method = r.raw()
		} else if n < len(methodBytes) {
			s.Method = methodBytes[n]
		} else {
			r.fail()
		}
	}
	for _, f := range [...]struct {
		bit uint64
		to  *[]byte
	}{
		{hasPath, &s.Path},
		{hasService, &s.Service},
		{hasRoute, &s.Route},
		{hasApplication, &s.Application},
		{hasProvider, &s.Provider},
		{hasModel, &s.Model},
		{hasTargetModel, &s.TargetModel},
		{hasKind, &s.Kind},
	} {
		if mask&f.bit != 0 {
			*f.to = r.raw()
		}
	}
	if mask&hasStatus != 0 {
		s.Status = int(r.int())
	}
	if mask&hasTotal != 0 {
		s.Total = r.duration()
	}
	s.Failed = mask&hasFinding != 0
	if r.bad {
		return fmt.Errorf("%w: cut short", ErrRecord)
	}
	return nil
}

// RecordFailed tells whether an encoded record is that of a call with a finding; false for what
// is no record.
func RecordFailed(record []byte) bool {
	r := reader{b: record}
	return r.byte() == recordVersion && r.mask(maskBytes)&hasFinding != 0
}

// RecordTroubled tells whether an encoded record is that of a call with a finding, or with more than one
// attempt: all others went well at once. It costs a few nanoseconds; false for what is no record.
func RecordTroubled(record []byte) bool {
	r := reader{b: record}
	return r.byte() == recordVersion && r.mask(maskBytes)&(hasFinding|hasRepeated) != 0
}

var methodBytes = func() (out [len(methodWords)][]byte) {
	for i, word := range methodWords {
		out[i] = []byte(word)
	}
	return out
}()

// RecordIs tells whether a record is that of a call, by the bytes that its id takes: a look-up passes over thousands of
// others, and reading each would cost more than all the rest of it.
func RecordIs(record []byte, id ID) bool {
	const at = 1 + maskBytes
	if packed, ok := packID(id); ok {
		return len(record) >= at+len(packed) && record[0] == recordVersion && bytes.Equal(record[at:at+len(packed)], packed[:])
	}
	return len(record) >= at+len(id) && record[0] == recordVersion && bytes.Equal(record[at:at+len(id)], id[:])
}
