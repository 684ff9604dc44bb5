package catalog

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// The scalars that belong to single keys.

// orEmpty also takes "", which is the same as leaving the key out.
func orEmpty(s scalar) scalar {
	inner, schema := s.parse, s.schema
	s.schema = map[string]any{"anyOf": []any{schema, map[string]any{"const": ""}}}
	s.parse = func(text string) (any, *wrong) {
		if text == "" {
			return "", nil
		}
		return inner(text)
	}
	return s
}

func fileVersion() scalar {
	return scalar{
		noun: "1", kinds: []nodeKind{numberNode, stringNode},
		schema: map[string]any{"const": 1},
		parse: func(s string) (any, *wrong) {
			if s != "1" {
				return nil, &wrong{message: "is not a version that this program reads", fix: "write version: 1"}
			}
			return int64(1), nil
		},
	}
}

func fileName() scalar {
	s := text("a file's name")
	s.schema = map[string]any{"type": "string", "minLength": 1}
	s.parse = func(text string) (any, *wrong) {
		if text == "" {
			return nil, &wrong{message: "is empty", fix: "write a file's name"}
		}
		return text, unprintable(text)
	}
	return s
}

// secretText is a key. It is sent in a header, so it can't hold spaces or control characters.
func secretText(noun string) scalar {
	return scalar{
		noun: noun, kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "minLength": 1},
		parse: func(s string) (any, *wrong) {
			if s == "" {
				return nil, &wrong{message: "is empty", fix: "write the key, or set the variable that it is taken from"}
			}
			if w := unprintable(s); w != nil {
				return nil, w
			}
			for _, r := range s {
				if r == ' ' || r > '~' {
					return nil, &wrong{message: "has a space or a character that no header can hold in it", fix: "write the key alone, without Bearer before it"}
				}
			}
			return s, nil
		},
	}
}

// hash is the SHA-256 of a caller's key.
func hash() scalar {
	return scalar{
		noun: "a SHA-256 of 64 hexadecimal digits", kinds: []nodeKind{stringNode, numberNode},
		schema: map[string]any{"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"},
		parse: func(s string) (any, *wrong) {
			b, err := hex.DecodeString(s)
			if err != nil || len(b) != 32 {
				return nil, &wrong{message: "is not a SHA-256 of 64 hexadecimal digits", fix: "write what printf %s KEY | sha256sum prints, in quotes"}
			}
			return [32]byte(b), nil
		},
	}
}

// store is a key of storage: here is what is built in, and far the schemes of servers.
func store(here string, far ...string) scalar {
	choices := []choice{{value: here}}
	for _, scheme := range far {
		choices = append(choices, choice{value: scheme + "://", notYet: true})
	}
	return scalar{
		noun: here, kinds: []nodeKind{stringNode},
		schema:  map[string]any{"const": here},
		choices: choices,
		parse: func(s string) (any, *wrong) {
			if s == here {
				return s, nil
			}
			for _, c := range choices[1:] {
				if strings.HasPrefix(s, c.value) {
					return nil, &wrong{message: "names a " + c.value + " server, which is not in this version yet", fix: "remove it, or write " + here}
				}
			}
			return nil, &wrong{message: "is nothing that this version can use", fix: "write " + here}
		},
	}
}

// keepBodies is true, false or failures; it is kept as text.
func keepBodies() scalar {
	s := oneOf(nil,
		choice{value: "false", doc: "no bodies"},
		choice{value: "true", doc: "every call's"},
		choice{value: "failures", doc: "those of calls that failed"})
	s.kinds = []nodeKind{boolNode, stringNode}
	s.schema = map[string]any{"enum": []any{true, false, "failures"}}
	inner := s.parse
	s.parse = func(text string) (any, *wrong) { return inner(strings.ToLower(text)) }
	return s
}

func method() scalar {
	return scalar{
		noun: "a method such as GET", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Z-]+$"},
		parse: func(s string) (any, *wrong) {
			upper := strings.ToUpper(s)
			switch {
			case s == "*" || upper == "ANY" || upper == "ALL":
				return nil, &wrong{message: "is not a method", fix: "leave methods out for all of them"}
			case !isToken(s):
				return nil, &wrong{message: "is not a method", fix: "write a method such as GET or POST"}
			case s != upper:
				return nil, &wrong{message: "is not a method: methods are in capital letters", fix: "write " + upper}
			case s == "CONNECT":
				return nil, &wrong{message: "asks for a tunnel and never reaches a route", fix: "remove it"}
			}
			return s, nil
		},
	}
}

// retryReason is connect, reset_before_response or a status; it is kept as text.
func retryReason() scalar {
	words := oneOf(nil,
		choice{value: "connect", doc: "no connection was made"},
		choice{value: "reset_before_response", doc: "the connection was lost before an answer"})
	return scalar{
		noun: "connect, reset_before_response or a status", kinds: []nodeKind{stringNode, numberNode},
		choices: words.choices, besides: "a status",
		schema: map[string]any{"anyOf": []any{
			words.schema,
			map[string]any{"type": "integer", "minimum": 400, "maximum": 599},
			map[string]any{"type": "string", "pattern": "^[45][0-9][0-9]$"},
		}},
		parse: func(s string) (any, *wrong) {
			n, err := strconv.Atoi(s)
			if err != nil {
				v, w := words.parse(s)
				if w != nil && !strings.HasPrefix(w.fix, "did you mean") {
					w.fix += ", or a status such as 503"
				}
				return v, w
			}
			if n < 400 || n > 599 {
				return nil, &wrong{message: "is not a status that can be retried", fix: "write a status from 400 to 599"}
			}
			return strconv.Itoa(n), nil
		},
	}
}

// statusRange is "200-299" or one status; it is kept as [2]int.
func statusRange() scalar {
	return scalar{
		noun: `a status or a range such as "200-299"`, kinds: []nodeKind{stringNode, numberNode},
		schema: map[string]any{"anyOf": []any{
			map[string]any{"type": "string", "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$"},
			map[string]any{"type": "integer", "minimum": 100, "maximum": 599},
		}},
		parse: func(s string) (any, *wrong) {
			low, high, isRange := strings.Cut(s, "-")
			if !isRange {
				high = low
			}
			from, err := strconv.Atoi(strings.TrimSpace(low))
			to, err2 := strconv.Atoi(strings.TrimSpace(high))
			if err != nil || err2 != nil || from < 100 || to > 599 || from > to {
				return nil, &wrong{message: "is not a status or a range of them", fix: `write 200, or a range such as "200-299"`}
			}
			return [2]int{from, to}, nil
		},
	}
}

// checkPath is what a health check asks for.
func checkPath() scalar {
	return scalar{
		noun: "a path such as /healthz", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^/"},
		parse: func(s string) (any, *wrong) {
			switch {
			case !strings.HasPrefix(s, "/"):
				return nil, &wrong{message: "does not begin with /", fix: "write /" + strings.TrimLeft(s, "/")}
			case strings.ContainsAny(s, " #") || unprintable(s) != nil:
				return nil, &wrong{message: "is not a path", fix: "write a path such as /healthz"}
			}
			return s, nil
		},
	}
}

// modelText is a model's name as its provider has it, or PROVIDER/MODEL: any text without spaces.
func modelText() scalar {
	return scalar{
		noun: "a model's name", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": `^\S+$`},
		parse: func(s string) (any, *wrong) {
			if s == "" || strings.ContainsAny(s, " \t") || unprintable(s) != nil {
				return nil, &wrong{message: "is not a model's name", fix: "write the name as the provider has it, without spaces"}
			}
			return s, nil
		},
	}
}

// sentHeader is a header that may be set or added: not those that frame the message or belong
// to one connection (RFC 9110 section 7.6.1), which the gateway writes itself.
func sentHeader() names {
	n := headerName()
	inner := n.check
	n.check = func(s string) *wrong {
		if ownHeader(s) {
			return ownHeaderFault(s)
		}
		return inner(s)
	}
	return n
}

func removedHeader() scalar {
	return scalar{
		noun: "a header's name", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": headerName().pattern},
		parse: func(s string) (any, *wrong) {
			switch {
			case !isToken(s):
				return nil, &wrong{message: "is not a header's name", fix: "write a name such as X-Debug"}
			case strings.Contains(s, "*"):
				return nil, &wrong{message: "has a *, and headers are removed by their whole names", fix: "write each name on its own"}
			case ownHeader(s):
				return nil, ownHeaderFault(s)
			}
			return s, nil
		},
	}
}

func ownHeader(name string) bool {
	switch strings.ToLower(name) {
	case "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive", "proxy-connection":
		return true
	}
	return false
}

func ownHeaderFault(name string) *wrong {
	if strings.EqualFold(name, "host") {
		return &wrong{message: "has a key of its own", fix: "remove it here and write host: under upstream"}
	}
	return &wrong{message: "is written by the gateway itself, for each connection", fix: "remove it"}
}
