package wire

import (
	"strings"
	"sync/atomic"

	"golang.org/x/net/http2/hpack"
)

// maxTrailerFields is how many fields a trailer section may have.
const maxTrailerFields = 100

// h2Opened is the head of one stream as its caller sent it, and what came of the stream's fields later.
type h2Opened struct {
	id    uint32
	ended bool // END_STREAM came with it

	method, scheme, authority, path, protocol string
	has                                       h2Pseudo
	fields                                    []hpack.HeaderField // the others, in their order
	size                                      int                 // as HTTP/1.1 counts a head
	refusal                                   *Refusal            // what is wrong with it already

	expects   bool   // 100 (Continue)
	priority  string // RFC 9218, for x/net
	forwarded bool   // a proxy sent it

	trailed bool
	trailer []hpack.HeaderField     // written before x/net sees the body's end
	broke   atomic.Pointer[h2Break] // what is wrong with the body; as well

	begun bool // it is a call's; guarded by h2Peer.mu
}

// h2Break is why a stream is no whole request although its head was one.
type h2Break struct{ why string }

type h2Pseudo uint8

const (
	hasMethod h2Pseudo = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
)

// held is about what a head takes of memory.
func (h *h2Opened) held() int { return h.size + 48*len(h.fields) }

// lookup returns the first value of a field.
func (h *h2Opened) lookup(name string) (string, bool) {
	for i := range h.fields {
		if h.fields[i].Name == name {
			return h.fields[i].Value, true
		}
	}
	return "", false
}

// declared is the body's length, -1 where none is declared or it is no number: then the call is refused.
func (h *h2Opened) declared() int64 {
	v, ok := h.lookup("content-length")
	if !ok {
		return -1
	}
	return parseDecimal([]byte(v))
}

// length is the body's length as the stream has it: 0 where it ended with its head, -1 where it is
// not known.
func (h *h2Opened) length() int64 {
	if h.ended {
		return 0
	}
	return h.declared()
}

// h2FieldReader takes the fields of one field block and holds them to RFC 9113 sections 8.2 and 8.3. A
// fault does not end it: what follows may be known to later blocks.
type h2FieldReader struct {
	h       *h2Opened
	limits  Limits
	trailer bool
	regular bool // one that is no pseudo-field has come
	many    bool
}

// field takes a field, and tells whether more are wanted.
func (r *h2FieldReader) field(f hpack.HeaderField) bool {
	h := r.h
	h.size += len(f.Name) + len(f.Value) + len(": \r\n")
	if len(h.fields) >= r.limits.Fields {
		r.many = true
	}
	if r.many || h.size > r.limits.Head {
		h.fields = nil
		return !r.many && h.size <= 2*r.limits.Head // to tell how large it is
	}
	if h.refusal != nil {
		return true
	}
	if strings.HasPrefix(f.Name, ":") {
		r.pseudo(f)
		return true
	}
	r.regular = true
	switch {
	case !validH2Name(f.Name):
		r.fault("field name", "it is empty, or holds a capital or a byte that no name may hold")
	case !validValue([]byte(f.Value)):
		r.fault("field value", "it holds a control byte")
	default:
		h.fields = append(h.fields, f)
		switch f.Name {
		case "expect":
			h.expects = h.expects || strings.EqualFold(f.Value, "100-continue")
		case "priority":
			if len(f.Value) < 64 {
				h.priority = f.Value
			}
		case "via", "forwarded", "x-forwarded-for":
			h.forwarded = true
		}
	}
	return true
}

func (r *h2FieldReader) pseudo(f hpack.HeaderField) {
	h := r.h
	var to *string
	var bit h2Pseudo
	switch f.Name {
	case ":method":
		to, bit = &h.method, hasMethod
	case ":scheme":
		to, bit = &h.scheme, hasScheme
	case ":authority":
		to, bit = &h.authority, hasAuthority
	case ":path":
		to, bit = &h.path, hasPath
	case ":protocol":
		to, bit = &h.protocol, hasProtocol
	}
	switch {
	case r.trailer:
		r.fault("pseudo-field", "a trailer may have none")
	case to == nil:
		r.fault("pseudo-field", "it is none of a request's")
	case r.regular:
		r.fault(f.Name, "it stands behind another field")
	case h.has&bit != 0:
		r.fault(f.Name, "there is more than one")
	case !validValue([]byte(f.Value)):
		r.fault(f.Name, "it holds a control byte")
	default:
		*to, h.has = f.Value, h.has|bit
	}
}

// end is called behind the last field.
func (r *h2FieldReader) end() {
	h, l := r.h, r.limits
	switch {
	case r.trailer && (r.many || h.size > l.Head):
		r.fault("size", "it is above "+sizeText(l.Head)+", or has too many fields")
	case r.many:
		why := refusalOf(&HeadError{"fields", "there are too many", noOffset, 431})
		h.refusal = &why
	case h.size > l.Head:
		seen := sizeText(h.size)
		if h.size > 2*l.Head {
			seen = "more than " + sizeText(2*l.Head)
		}
		h.refusal = &Refusal{Reason: RefuseHeadTooBig, Limit: "server.max_header", Value: sizeText(l.Head), Seen: seen}
	}
}

func (r *h2FieldReader) fault(part, reason string) {
	why := refusalOf(&HeadError{part, reason, noOffset, 400})
	r.h.refusal, r.h.fields = &why, nil
}

// validH2Name tells whether a name may stand in HTTP/2 (RFC 9113 section 8.2.1).
func validH2Name(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; class[c]&isToken == 0 || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return name != ""
}

// keep holds a head for the call that x/net makes of its stream. It fails when heads that no call has
// taken hold too much: x/net takes no more of them, and they go on coming.
func (p *h2Peer) keep(h *h2Opened) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.goneAway {
		return true // x/net takes no further stream
	}
	p.heads[h.id] = h
	p.waiting += h.held()
	return p.waiting <= h2MostWaiting+8*p.c.o.Limits.Head
}

// h2MostWaiting is how much heads may hold that no call has taken yet.
const h2MostWaiting = 4 << 20

// head is what is known of a stream, nil where it has ended.
func (p *h2Peer) head(id uint32) *h2Opened {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heads[id]
}

// take gives a call its head, nil where its stream was reset before it could begin.
func (p *h2Peer) take(id uint32) *h2Opened {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.heads[id]
	if h != nil && !h.begun {
		h.begun = true
		p.waiting -= h.held()
	}
	return h
}

// forget drops what is held of a stream that was reset, but for the head that a call has.
func (p *h2Peer) forget(id uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropStream(id)
	if h := p.heads[id]; h != nil && !h.begun {
		p.waiting -= h.held()
		delete(p.heads, id)
	}
}
