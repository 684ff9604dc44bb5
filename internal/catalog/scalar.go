package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// scalar is a kind of single value.
type scalar struct {
	noun  string     // "a duration such as 30s"
	name  string     // "duration", for a table; "" where the noun is short enough
	kinds []nodeKind // what it may be in YAML
	// parse returns the value, or what is wrong with text.
	parse func(text string) (any, *wrong)
	// schema is the value in JSON Schema.
	schema map[string]any
	// choices are the allowed values, where there is a list of them, and besides is what else is
	// allowed: "a status".
	choices []choice
	besides string
}

// wrong is what is wrong with a value, and what would be right.
type wrong struct {
	message string // what follows "`server.drain: 30` ": it doesn't hold the value itself
	fix     string
	secret  bool // the value holds a secret and must not be shown
}

// choice is one allowed value of a key.
type choice struct {
	value  string
	arg    string // "NAME" for hash_header:NAME, else ""
	notYet bool
	doc    string
}

func (c choice) String() string {
	if c.arg != "" {
		return c.value + ":" + c.arg
	}
	return c.value
}

// text is any text up to 64 KiB without control characters.
func text(noun string) scalar {
	return scalar{
		noun: noun, kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string"},
		parse: func(s string) (any, *wrong) {
			if w := unprintable(s); w != nil {
				return nil, w
			}
			return s, nil
		},
	}
}

// unprintable refuses what would break a header, a log line or a terminal.
func unprintable(s string) *wrong {
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r':
			return &wrong{message: "has a line break in it", fix: "keep it on one line; a variable read from a file often ends with a line break"}
		case r < ' ' || r == 0x7f:
			return &wrong{message: fmt.Sprintf("has the control character U+%04X in it", r), fix: "remove it"}
		}
	}
	if len(s) > 64<<10 {
		return &wrong{message: "is longer than 64 KiB", fix: "make it shorter"}
	}
	return nil
}

// headerValue may also be a number or true and false as YAML reads them: it is sent as written.
func headerValue() scalar {
	s := text("a header's value")
	s.kinds = []nodeKind{stringNode, numberNode, boolNode}
	s.schema = map[string]any{"type": []string{"string", "number", "boolean"}}
	return s
}

func boolean() scalar {
	return scalar{
		noun: "true or false", kinds: []nodeKind{boolNode},
		schema: map[string]any{"type": "boolean"},
		parse: func(s string) (any, *wrong) {
			switch strings.ToLower(s) {
			case "true":
				return true, nil
			case "false":
				return false, nil
			}
			return nil, &wrong{message: "is not true or false", fix: "write true or false"}
		},
	}
}

func integer(noun string, least, most int64) scalar {
	return scalar{
		noun: noun, kinds: []nodeKind{numberNode},
		schema: map[string]any{"type": "integer", "minimum": least, "maximum": most},
		parse: func(s string) (any, *wrong) {
			n, err := strconv.ParseInt(s, 10, 64)
			digits := strings.TrimPrefix(s, "-")
			switch {
			case err != nil && strings.TrimLeft(digits, "0123456789") != "" || digits == "":
				return nil, &wrong{message: "is not a whole number", fix: fmt.Sprintf("write %s, in plain digits", noun)}
			case len(digits) > 1 && digits[0] == '0':
				return nil, &wrong{message: "begins with 0, which YAML may read as octal", fix: "write it without the 0"}
			case err != nil || n < least || n > most:
				return nil, outOfRange(strconv.FormatInt(least, 10), strconv.FormatInt(most, 10))
			}
			return n, nil
		},
	}
}

func outOfRange(least, most string) *wrong {
	return &wrong{message: "is out of range", fix: fmt.Sprintf("write a value from %s to %s", least, most)}
}

// oneOf is a value of a list. A choice with an argument is written VALUE:ARGUMENT; what the
// argument may be is checked by argument.
func oneOf(argument func(string) bool, choices ...choice) scalar {
	s := scalar{noun: listed(allowed(choices), "or"), kinds: []nodeKind{stringNode}, choices: choices}
	var plain, patterns []string
	for _, c := range choices {
		switch {
		case c.notYet:
		case c.arg != "":
			patterns = append(patterns, c.value+":.+")
		default:
			plain = append(plain, c.value)
		}
	}
	s.schema = map[string]any{"enum": plain}
	if patterns != nil {
		s.schema = map[string]any{"anyOf": []any{
			map[string]any{"enum": plain},
			map[string]any{"type": "string", "pattern": "^(" + strings.Join(patterns, "|") + ")$"},
		}}
	}
	s.parse = func(text string) (any, *wrong) {
		value, arg, _ := strings.Cut(text, ":")
		for _, c := range choices {
			switch {
			case c.notYet && c.value == text:
				return nil, &wrong{message: "is not in this version yet", fix: "write " + listed(allowed(choices), "or")}
			case c.arg == "" && c.value == text:
				return text, nil
			case c.arg != "" && c.value == value && arg != "" && !argument(arg):
				return nil, &wrong{message: "has a name after the colon that none can be", fix: "write " + value + ":" + c.arg + " with a name of letters, digits and hyphens in place of " + c.arg}
			case c.arg != "" && c.value == value && arg == "":
				return nil, &wrong{message: "needs a name after the colon", fix: "write " + value + ":" + c.arg + " with a name in place of " + c.arg}
			case c.arg != "" && c.value == value:
				return text, nil
			}
		}
		fix := "write " + listed(allowed(choices), "or")
		if best, near := nearest(text, allowed(choices)); near {
			fix = "did you mean " + best + "?"
			if len(choices) < 10 {
				fix += " Allowed: " + listed(allowed(choices), "or")
			}
		}
		return nil, &wrong{message: "is not an allowed value", fix: fix}
	}
	return s
}

func allowed(choices []choice) []string {
	var list []string
	for _, c := range choices {
		if !c.notYet {
			list = append(list, c.String())
		}
	}
	return list
}

// date is a day or a moment of RFC 3339; a day is its first moment in UTC.
func date() scalar {
	return scalar{
		noun: "a date such as 2027-01-31 or 2027-01-31T18:00:00Z", name: "date", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"},
		parse: func(s string) (any, *wrong) {
			for _, layout := range []string{time.DateOnly, time.RFC3339} {
				if t, err := time.Parse(layout, strings.ToUpper(s)); err == nil && t.Year() > 0 {
					return t.UTC(), nil
				}
			}
			return nil, &wrong{message: "is not a date", fix: "write 2027-01-31, or a moment with its zone: 2027-01-31T18:00:00Z (RFC 3339)"}
		},
	}
}
