package catalog

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file. They are far above any real configuration and keep a hostile or generated
// file from taking the gateway's memory or time at a reload.
const (
	maxFile     = 4 << 20   // bytes
	maxTokens   = 1_000_000 // of YAML
	maxDepth    = 32        // nested mappings and lists
	maxKey      = 256       // bytes of one key
	maxExpanded = 100_000   // values that aliases stand for, all together
	// The YAML parser's work for a mapping grows with the square of its keys: this admits one
	// mapping of about 20,000 keys, or many smaller ones.
	maxKeyWork = 200_000_000
	// The parser keeps a path for each value: this bounds the bytes of all of them.
	maxPathWork = 512 << 20
	// The scanner looks along the whole line for each tab in double quotes.
	maxTabWork = 100_000_000
)

// tokenize scans the source and refuses what the parser should not be given. What is no token is
// left to the parser to report. most is how many tokens there may be.
func tokenize(faults *faultList, source string, most int) (token.Tokens, bool) {
	var (
		s      scanner.Scanner
		tokens token.Tokens
		g      = guard{faults: faults}
	)
	s.Init(source)
	for {
		more, err := s.Scan()
		for _, tk := range more {
			tokens.Add(tk)
			if len(tokens) > most {
				return nil, g.refuse(tk, fmt.Sprintf("the file has more than %d YAML tokens", most), "make it smaller")
			}
			if !g.admit(tk) {
				return nil, false
			}
		}
		if err != nil {
			return tokens, !g.stop
		}
	}
}

// guard looks at each token before the parser does.
type guard struct {
	faults   *faultList
	levels   []level // the block mappings and lists we are in, by column
	flow     int     // open [ and {
	longest  int     // key
	keyWork  int
	pathWork int
	stop     bool // a fault was reported, but there may be more of the kind
}

type level struct {
	col  int
	list bool
	keys int
}

// admit tells whether scanning may go on.
func (g *guard) admit(tk *token.Token) bool {
	switch tk.Type {
	case token.TagType:
		return g.refuse(tk, "YAML tags such as !!str mean nothing here", "remove the tag; put text in quotes")
	case token.MappingKeyType:
		return g.refuse(tk, "YAML's ? keys mean nothing here", "write key: value")
	case token.SequenceStartType, token.MappingStartType:
		g.flow++
		if p := tk.Prev; p != nil && tk.Type == token.MappingStartType && strings.HasSuffix(p.Origin, "$") && p.Type == token.StringType {
			g.stop = true
			g.faults.add(pos{tk.Position.Line, tk.Position.Column - 1}, "${...} inside [ ] or { } is not in quotes, so YAML reads its braces as a mapping", `write "${NAME}" in double quotes`)
		}
	case token.SequenceEndType, token.MappingEndType:
		g.flow = max(g.flow-1, 0)
	case token.SequenceEntryType:
		g.enter(tk.Position.Column, true)
	case token.MappingValueType:
		if !g.key(tk) {
			return false
		}
	}
	if len(g.levels)+g.flow > maxDepth {
		return g.refuse(tk, fmt.Sprintf("values are nested more than %d deep", maxDepth), "close the brackets or lists before this place")
	}
	return true
}

func (g *guard) key(colon *token.Token) bool {
	col := colon.Position.Column
	if k := colon.Prev; k != nil && k.Position.Line == colon.Position.Line {
		col = k.Position.Column
		if len(k.Value) > maxKey {
			return g.refuse(k, fmt.Sprintf("a key is longer than %d bytes", maxKey), "is a closing quote missing? A key is a short name")
		}
		g.longest = max(g.longest, len(k.Value))
	}
	if g.flow == 0 {
		g.keyWork += g.enter(col, false)
	}
	g.pathWork += g.longest * (len(g.levels) + g.flow)
	if g.keyWork > maxKeyWork || g.pathWork > maxPathWork {
		return g.refuse(colon, "a mapping has too many keys (about 20,000 is the most)", "split the configuration over several gateways")
	}
	return true
}

// enter notes a key or list entry at col and returns how many its mapping or list has so far.
func (g *guard) enter(col int, list bool) int {
	for len(g.levels) > 0 {
		top := &g.levels[len(g.levels)-1]
		if top.col == col && top.list == list {
			top.keys++
			return top.keys
		}
		// A list may stand at the column of the key that it belongs to.
		if top.col < col || top.col == col && list {
			break
		}
		g.levels = g.levels[:len(g.levels)-1]
	}
	g.levels = append(g.levels, level{col: col, list: list, keys: 1})
	return 1
}

func (g *guard) refuse(tk *token.Token, message, fix string) bool {
	g.faults.add(at(tk), message, fix)
	return false
}
