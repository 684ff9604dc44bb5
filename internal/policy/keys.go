package policy

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// Caller is an application as a call sees it. It is immutable.
type Caller struct {
	Name    string
	Team    string
	Details string // auto | full | safe
	// Index is a number that belongs to the name: it is the same in every generation, so that
	// counts by application go on over a reload.
	Index int
	// Subscribes are the subscriptions as configured.
	Subscribes []string

	services map[string]bool
	models   map[string]bool // exact names, without "models/"
	under    []string        // "openai/" of "models/openai/*"
	every    bool            // "models/*"
	prompts  map[string]bool // exact names, without "prompts/"
}

// KeyRing finds applications by their keys. It holds hashes, never keys.
type KeyRing struct {
	byHash map[[sha256.Size]byte]owner
	certs  certificates
	now    func() time.Time
}

type owner struct {
	caller  *Caller
	expires time.Time // zero: never
}

// NewKeyRing compiles the keys of all applications. A key that two applications have is an error:
// nobody could say who calls.
func NewKeyRing(apps map[string]*catalog.Application) (*KeyRing, error) {
	r := &KeyRing{byHash: map[[sha256.Size]byte]owner{}, now: time.Now}
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		c := newCaller(apps[name])
		if err := r.certs.add(c, apps[name].Certificates); err != nil {
			return nil, err
		}
		for _, k := range apps[name].Keys {
			had, twice := r.byHash[k.SHA256]
			switch {
			case twice && had.caller != c:
				return nil, fmt.Errorf("applications %s and %s have the same key; give one of them a key of its own", had.caller.Name, c.Name)
			case twice && (had.expires.IsZero() || !k.Expires.IsZero() && had.expires.After(k.Expires)):
				continue // of two entries for one key the one that lasts longer counts
			}
			r.byHash[k.SHA256] = owner{c, k.Expires}
		}
	}
	return r, nil
}

// Lookup finds the application that a key belongs to. The kind is "" where there is one, else
// key_unknown or, with the caller that it was for, key_expired.
func (r *KeyRing) Lookup(key []byte) (*Caller, fault.Kind) {
	o, ok := r.byHash[sha256.Sum256(key)]
	switch {
	case !ok:
		return nil, fault.KeyUnknown
	case !o.expires.IsZero() && !r.now().Before(o.expires):
		return o.caller, fault.KeyExpired
	}
	return o.caller, ""
}

// place is a header field in which a key may stand.
type place struct {
	field  string
	bearer bool // after "Bearer "
	alone  bool // when it is there, no other place is looked at
}

// Places says where keys are looked for, and in which order.
type Places struct{ list []place }

// Where the keys of services and models are (contract: "Keys"), and for what is neither.
var (
	ServicePlaces = Places{[]place{{field: "apikey", alone: true}, {field: "Authorization", bearer: true}, {field: "x-api-key"}}}
	ModelPlaces   = Places{[]place{{field: "Authorization", bearer: true}, {field: "x-api-key"}, {field: "x-goog-api-key"}}}
	AnyPlaces     = Places{[]place{{field: "apikey", alone: true}, {field: "Authorization", bearer: true}, {field: "x-api-key"}, {field: "x-goog-api-key"}}}
)

// Found is what a request's keys say.
type Found struct {
	// Kind is "" where a caller was found, else key_missing, key_unknown or key_expired.
	Kind   fault.Kind
	Caller *Caller // nil unless Kind is ""
	// Field is the field that let the caller in: it must not go upstream.
	Field string

	// The rest is set for failures only.
	Detail   string   // one sentence; it tells nothing about who has keys
	Evidence []string // what was found in each place; of a key at most its last four characters
	Example  string   // a field with the place of the key: "apikey: YOUR_KEY"
}

// Find looks for a key that names a known application, place by place. lookup gives the value of
// the first field of a name, ignoring case, nil when there is none; a field with an empty value
// counts as absent. A place with a key that is not known, or no longer, does not end the search.
func (r *KeyRing) Find(places Places, lookup func(name string) []byte) Found {
	worst := fault.KeyMissing
	for i := range places.list {
		p := &places.list[i]
		key := p.key(lookup(p.field))
		if len(key) == 0 {
			continue
		}
		caller, kind := r.Lookup(key)
		if kind == "" {
			return Found{Caller: caller, Field: p.field}
		}
		if worst != fault.KeyExpired {
			worst = kind
		}
		if p.alone {
			break
		}
	}
	return r.explain(worst, places, lookup)
}

// key takes the key out of a field's value, nil when it holds none.
func (p *place) key(value []byte) []byte {
	if !p.bearer {
		return value
	}
	const scheme = "bearer " // RFC 9110 section 11.1: a scheme has no case
	if len(value) <= len(scheme) || !strings.EqualFold(string(value[:len(scheme)]), scheme) {
		return nil
	}
	value = value[len(scheme):]
	for len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return value
}

// explain makes the failure's side of Found. It looks again: failures may be slow.
func (r *KeyRing) explain(kind fault.Kind, places Places, lookup func(name string) []byte) Found {
	f := Found{Kind: kind}
	var names []string
	stopped := false
	for i := range places.list {
		p := &places.list[i]
		names = append(names, p.String())
		value := lookup(p.field)
		key := p.key(value)
		switch {
		case stopped:
			f.Evidence = append(f.Evidence, p.String()+": not looked at, because "+places.list[0].field+" was sent")
		case len(key) > 0:
			_, k := r.Lookup(key)
			said := "names no application"
			if k == fault.KeyExpired {
				said = "has expired"
			}
			f.Evidence = append(f.Evidence, fmt.Sprintf("%s: a key of %d characters%s, which %s", p, len(key), ending(key), said))
			stopped = p.alone
		case len(value) > 0:
			f.Evidence = append(f.Evidence, p.String()+": has another scheme than Bearer")
		default:
			f.Evidence = append(f.Evidence, p.String()+": not sent")
		}
	}
	first := &places.list[0]
	f.Example = first.field + ": YOUR_KEY"
	if first.bearer {
		f.Example = first.field + ": Bearer YOUR_KEY"
	}
	f.Detail = map[fault.Kind]string{
		fault.KeyMissing: "The call has no key; it was looked for in " + strings.Join(names, ", ") + ".",
		fault.KeyUnknown: "The call's key belongs to no application.",
		fault.KeyExpired: "The call's key has expired.",
	}[kind]
	return f
}

func (p *place) String() string {
	if p.bearer {
		return p.field + ": Bearer"
	}
	return p.field
}

// ending shows the last four characters of a key that is long enough to stay a secret, so that
// its owner knows which one was sent.
func ending(key []byte) string {
	if len(key) < 16 {
		return ""
	}
	tail := key[len(key)-4:]
	for _, c := range tail {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return " that ends in " + string(tail)
}
