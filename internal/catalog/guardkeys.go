package catalog

import (
	"regexp"
	"strconv"
	"strings"
)

// Guardrail is one rule about the texts that go to models and come back.
type Guardrail struct {
	Name        string
	Detect      []string // email, phone, card, iban, id_number, ip, secret
	Keywords    []string
	Expressions []string // RE2
	Paths       []GuardedPath
	With        string // full | partial | hash | reversible | block
	Requests    bool   // it holds for what callers send
	Answers     bool   // it holds for what models say
	MaxPrompt   PromptSize
}

// GuardedPath is a place of a body by its JSON path.
type GuardedPath struct {
	Path   string
	Remove bool // it is taken out, in place of being masked
}

// PromptSize bounds a prompt: in bytes of its texts, or in tokens; the other is 0, and both where there is no bound.
type PromptSize struct{ Bytes, Tokens int64 }

func guardrailKeys() []key {
	return []key{
		{
			name: "detect", aka: []string{"detectors", "pii", "entities"},
			shape: listOf("a list such as [email, card, secret]", scalarOf(oneOf(nil,
				choice{value: "email", doc: "e-mail addresses"},
				choice{value: "phone", doc: "telephone numbers with a country code, or as written in North America"},
				choice{value: "card", doc: "payment cards' numbers, by Luhn's check"},
				choice{value: "iban", doc: "bank accounts, by their check digits"},
				choice{value: "id_number", doc: "identity numbers: US SSN, Chinese resident's, Brazilian CPF, Spanish DNI and NIE"},
				choice{value: "ip", doc: "IP addresses other than loopback"},
				choice{value: "secret", doc: "private keys, tokens and API keys of known forms"}))),
			doc: "What is looked for by built-in detectors.",
		},
		{
			name: "keywords", shape: listOf("a list such as [Project Falcon]", scalarOf(guardedText())), aka: []string{"words", "deny_words"},
			doc: "Words and phrases that are looked for, as whole words, in capitals or not.",
		},
		{
			name: "expressions", shape: listOf(`a list such as ["EMP-[0-9]{6}"]`, scalarOf(expression())), aka: []string{"regex", "regexes", "patterns"},
			doc: "Regular expressions (RE2) that are looked for. In a stream their matches are found up to 256 bytes long.",
		},
		{
			name: "paths", aka: []string{"json_paths"},
			shape: listOf("a list such as [$.metadata.email]", objectOf("{path: $.metadata.email, remove: true}", []key{
				{
					name: "path", shape: scalarOf(jsonPath()),
					doc: "Names (`$.a.b`, `$['a b']`), places (`$.a[0]`), all of them (`$.a[*]`) and names at any depth (`$..a`).",
				},
				{name: "remove", def: "false", shape: scalarOf(boolean()), doc: "Takes it out of the body, in place of masking it."},
			}).orScalar(jsonPath())),
			doc: "Places of the caller's body, by JSON path (RFC 9535), whose whole value is masked or taken out, whatever it is. Of answers it holds for whole ones, not for streams.",
		},
		{
			name: "with", def: "full", aka: []string{"mask", "action", "replace"}, shape: scalarOf(oneOf(nil,
				choice{value: "full", doc: "`[EMAIL]`"},
				choice{value: "partial", doc: "`j***@example.com`, `**** **** **** 1111`"},
				choice{value: "hash", doc: "`[EMAIL:9f86d081]`, the same for the same text while the program runs"},
				choice{value: "reversible", doc: "`[EMAIL_1]`, and the text again where the answer says so"},
				choice{value: "block", doc: "the call is refused (403 `prompt_blocked`, `answer_blocked`)"})),
			doc: "What becomes of what is found.",
		},
		{
			name: "on", aka: []string{"direction"}, shape: scalarOf(oneOf(nil,
				choice{value: "both", doc: "prompts and answers"},
				choice{value: "request", doc: "prompts"},
				choice{value: "answer", doc: "answers"})),
			doc: "What is looked at. Without it `both`, and `request` where `with` is `reversible`: in an answer there is nobody to put a text back for, so that it is masked in full there.",
		},
		{
			name: "max_prompt", shape: scalarOf(promptSize()), aka: []string{"max_size", "max_prompt_size"},
			doc: "The largest prompt: a size counts the bytes of its texts, media left out; a number with the word tokens counts tokens. A longer one is refused (413 `prompt_too_large`).",
		},
	}
}

// guardrailNames is the key that applies guardrails.
func guardrailNames(doc string) key {
	return key{
		name: "guardrails", shape: listOf("a list of names under guardrails such as [personal-data]", scalarOf(text("a guardrail's name"))), aka: []string{"guards", "masking", "filters"},
		doc: doc,
	}
}

func checkGuardrail(c *checker, v *value) {
	any := v.get("max_prompt").set()
	for _, name := range []string{"detect", "keywords", "expressions", "paths"} {
		list := v.get(name)
		any = any || v.meant[name] || list.set()
	}
	if !any && !v.bad {
		c.faults.add(v.name, "`"+v.path+"` looks for nothing", "add detect: [email, card], or keywords, expressions, paths or max_prompt")
	}
	for _, p := range v.get("paths").items {
		if !p.bad && !pathOfRule(p).set() {
			c.faults.add(p.at, "`"+p.path+"` has no `path`", "add path: $.metadata.email")
		}
	}
}

func pathOfRule(v *value) *value {
	if short := v.get("value"); short.set() {
		return short
	}
	return v.get("path")
}

// guardrails checks the names where guardrails are applied.
func (c *checker) guardrails(root *value) {
	known := root.get("guardrails").names
	check := func(list *value) {
		for _, item := range list.items {
			if name := as[string](item); !item.bad && item.set() && root.get("guardrails").fields[name] == nil {
				c.faults.add(item.at, subjectOf(item)+" names a guardrail that is not under guardrails", c.suggest(name, known, "add it there"))
			}
		}
	}
	check(root.get("llm").get("guardrails"))
	for _, section := range []string{"models", "applications"} {
		for _, name := range root.get(section).names {
			check(root.get(section).get(name).get("guardrails"))
		}
	}
}

func guardrails(v *value) map[string]*Guardrail {
	if len(v.names) == 0 {
		return nil
	}
	all := map[string]*Guardrail{}
	for _, name := range v.names {
		g := v.get(name)
		rule := &Guardrail{
			Name: name, Detect: texts(g.get("detect")), Keywords: texts(g.get("keywords")), Expressions: texts(g.get("expressions")),
			With: as[string](g.get("with")), MaxPrompt: as[PromptSize](g.get("max_prompt")),
		}
		for _, p := range g.get("paths").items {
			rule.Paths = append(rule.Paths, GuardedPath{Path: as[string](pathOfRule(p)), Remove: as[bool](p.get("remove"))})
		}
		on := as[string](g.get("on"))
		rule.Requests = on != "answer"
		rule.Answers = on == "both" || on == "answer" || on == "" && rule.With != "reversible"
		all[name] = rule
	}
	return all
}

func guardedText() scalar {
	s := text("a word or phrase")
	s.schema = map[string]any{"type": "string", "minLength": 1}
	inner := s.parse
	s.parse = func(t string) (any, *wrong) {
		if strings.TrimSpace(t) == "" {
			return nil, &wrong{message: "is empty", fix: "write a word or phrase"}
		}
		return inner(t)
	}
	return s
}

// expression is a regular expression of Go's regexp (RE2).
func expression() scalar {
	return scalar{
		noun: "a regular expression such as EMP-[0-9]{6}", name: "expression", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "minLength": 1},
		parse: func(s string) (any, *wrong) {
			re, err := regexp.Compile(s)
			if err != nil {
				reason := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
				return nil, &wrong{message: "is not a regular expression: " + reason, fix: "write it as RE2 has them (github.com/google/re2/wiki/Syntax): it has no lookarounds and no backreferences"}
			}
			if re.MatchString("") {
				return nil, &wrong{message: "matches the empty text, and so everything", fix: "write + in place of *, or what must be there"}
			}
			return s, nil
		},
	}
}

// jsonPath is a path of names and places. internal/mask reads the same.
func jsonPath() scalar {
	const pattern = `^\$((\.\.?(\*|[^.\[\]'"]+))|((\.\.)?\[(\*|[0-9]{1,9}|'[^']+'|"[^"]+")\]))+$`
	re := regexp.MustCompile(pattern)
	return scalar{
		noun: "a JSON path such as $.metadata.email", name: "JSON path", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": pattern},
		parse: func(s string) (any, *wrong) {
			switch {
			case !strings.HasPrefix(s, "$"):
				return nil, &wrong{message: "is not a JSON path: it does not begin with $", fix: "write $." + strings.TrimLeft(s, "./")}
			case s == "$":
				return nil, &wrong{message: "names the whole body", fix: "write what in it, such as $.metadata.email"}
			case !re.MatchString(s):
				return nil, &wrong{message: "is not a JSON path that this version reads", fix: "write names, places and * such as $.messages[*].name, $['a b'] or $..email"}
			}
			return s, nil
		},
	}
}

// promptSize is a size, or a number of tokens.
func promptSize() scalar {
	bytes := size(1, 1<<30)
	return scalar{
		noun: "a size such as 64KiB, or 8000 tokens", name: "size or tokens", kinds: []nodeKind{stringNode, numberNode},
		schema: map[string]any{"anyOf": []any{bytes.schema, map[string]any{"type": "string", "pattern": "^[0-9]+ tokens$"}}},
		parse: func(s string) (any, *wrong) {
			if number, ok := strings.CutSuffix(s, "tokens"); ok {
				n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
				if err != nil || n < 1 || n > 1<<30 {
					return nil, &wrong{message: "is not a number of tokens", fix: "write it in plain digits: 8000 tokens"}
				}
				return PromptSize{Tokens: n}, nil
			}
			n, w := bytes.parse(s)
			if w != nil {
				return nil, w
			}
			return PromptSize{Bytes: n.(int64)}, nil
		},
	}
}
