package catalog

import "strings"

// The table of keys (keys.go) is made of these. One table drives the check of a file, its
// defaults, the JSON Schema and docs/configuration.md.

// form is what a value has to be.
type form int

const (
	scalarForm  form = iota // one value: text, a number, a duration, ...
	objectForm              // a mapping whose keys we know
	mappingForm             // a mapping whose keys are names of the user's
	listForm
	anyForm // any value, as it is
)

// shape is what a value has to look like.
type shape struct {
	form form
	// noun says what is expected, for a message: "a duration such as 30s".
	noun   string
	scalar scalar // of a scalarForm, or where or is set: the short way to write the object
	keys   []key  // of an objectForm
	or     bool   // an objectForm that may be written as a scalar, too
	of     *shape // of a mappingForm or listForm: what is in it
	names  names  // of a mappingForm: what its keys may be
	filled bool   // of a list or mapping: empty is a fault
	word   string // of a list: what may stand in its place, "" for nothing
	// secret values, and what stands in their place by mistake, are never shown.
	secret bool
	// rule checks what one key alone doesn't show. It may be nil.
	rule func(c *checker, v *value)
}

// key is one row of the table.
type key struct {
	name     string
	shape    shape
	def      string // the default, as it is written in the file; "" for none
	required bool
	// optional objects are absent unless they are written; others are there with their defaults.
	optional bool
	// notYet marks what the contract names and this version does not do.
	notYet  bool
	doc     string
	example string   // for a key that is required: what to add
	aka     []string // what people from other gateways write for it
}

// names says what the keys of a mapping may be.
type names struct {
	noun    string // "a service's name"
	pattern string // the same as a regular expression, for the schema
	check   func(string) *wrong
	anyCase bool // names that differ in case alone are the same name
}

func scalarOf(s scalar) shape { return shape{form: scalarForm, noun: s.noun, scalar: s} }

func listOf(noun string, item shape) shape {
	return shape{form: listForm, noun: noun, of: &item}
}

func objectOf(noun string, keys []key) shape {
	return shape{form: objectForm, noun: noun, keys: keys}
}

func mappingOf(n names, noun string, item shape) shape {
	return shape{form: mappingForm, noun: noun, of: &item, names: n}
}

// find returns the row of a key.
func (s *shape) find(name string) *key {
	for i := range s.keys {
		if s.keys[i].name == name {
			return &s.keys[i]
		}
	}
	return nil
}

// keyNames lists the keys that a file may hold.
func (s *shape) keyNames() []string {
	var list []string
	for _, k := range s.keys {
		if !k.notYet {
			list = append(list, k.name)
		}
	}
	return list
}

// objectName is for providers, services and applications: they are label values of metrics and
// parts of addresses, so they are kept plain.
func objectName(noun string) names {
	return names{
		noun:    noun,
		pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
		check: func(s string) *wrong {
			if len(s) <= 100 && s != "" && alphanumeric(s[0]) && only(s, "._-") {
				return nil
			}
			return &wrong{message: "is not " + noun, fix: "use up to 100 letters, digits, dots, hyphens and underscores, a letter or digit first"}
		},
	}
}

// modelName also has the / and : that models are named with.
func modelName() names {
	return names{
		noun:    "a model's name",
		pattern: "^[A-Za-z0-9]([A-Za-z0-9._:/@+-]{0,198}[A-Za-z0-9])?$",
		check: func(s string) *wrong {
			if len(s) <= 200 && s != "" && alphanumeric(s[0]) && alphanumeric(s[len(s)-1]) && only(s, "._:/@+-") {
				return nil
			}
			return &wrong{message: "is not a model's name", fix: "use up to 200 letters, digits and . _ : / @ + -, a letter or digit first and last"}
		},
	}
}

func headerName() names {
	return names{
		noun:    "a header's name",
		anyCase: true,
		pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
		check: func(s string) *wrong {
			if isToken(s) {
				return nil
			}
			return &wrong{message: "is not a header's name", fix: "write a name such as X-Debug, without a colon or spaces"}
		},
	}
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func only(s, more string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && strings.IndexByte(more, s[i]) < 0 {
			return false
		}
	}
	return true
}

// isToken tells whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool { return s != "" && only(s, "!#$%&'*+-.^_`|~") }
