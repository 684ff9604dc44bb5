package journey

import "encoding/binary"

// Sent is what a caller sent beside the body, kept only by configuration and with secrets masked: enough to send
// the call again.
type Sent struct {
	// Query is what stood behind the path, without its question mark; HasQuery tells an empty one from none.
	Query    string
	HasQuery bool
	// Header holds the fields as lines, "Name: value\r\n", in the order in which they came, without those of the
	// connection. The value of one that holds a credential is "[masked]".
	Header []byte
	// Left is how many fields were left out, since together they were too long.
	Left int
}

// MaskedValue stands where a secret stood in what is kept of a call.
const MaskedValue = "[masked]"

func appendSent(dst []byte, s *Sent) []byte {
	dst, at := openSized(dst)
	dst = append(dst, flagByte(s.HasQuery))
	dst = appendString(dst, s.Query)
	dst = appendString(dst, string(s.Header))
	dst = binary.AppendUvarint(dst, uint64(s.Left))
	return closeSized(dst, at)
}

func (r *reader) sent() *Sent {
	in := r.nested()
	s := &Sent{HasQuery: in.uint() == 1, Query: in.string()}
	s.Header = []byte(in.string())
	if len(s.Header) == 0 {
		s.Header = nil
	}
	s.Left = int(in.uint())
	r.close(&in)
	return s
}
