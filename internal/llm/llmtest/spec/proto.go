package spec

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Protos is what the description of an API says of its messages, read from the text of the protocol buffers.
type Protos struct {
	messages map[string]map[string]field
	enums    map[string][]string
}

type field struct {
	kind           string // a scalar, or the full name of a message or enum
	repeated, dict bool
}

// OpenProtos reads the files that a pattern of path/filepath names: their messages, enums, oneofs and maps, which is
// all that Google's description of Gemini uses.
func OpenProtos(t testing.TB, pattern string) *Protos {
	t.Helper()
	s := &Protos{messages: map[string]map[string]field{}, enums: map[string][]string{}}
	files, _ := filepath.Glob(pattern)
	if len(files) == 0 {
		t.Fatalf("no description at %s", pattern)
	}
	for _, name := range files {
		s.read(t, name)
	}
	return s
}

func (s *Protos) read(t testing.TB, name string) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type open struct{ kind, name string }
	var stack []open
	path := func() string {
		var names []string
		for _, o := range stack {
			if o.kind == "message" {
				names = append(names, o.name)
			}
		}
		return strings.Join(names, ".")
	}
	var statement strings.Builder
	inner := 0 // braces of an option's value
	end := func() []string {
		words := strings.Fields(statement.String())
		statement.Reset()
		return words
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "//")
		for _, c := range text + "\n" {
			switch {
			case c == '{' && (inner > 0 || strings.Contains(statement.String(), "=")):
				inner++
			case c == '}' && inner > 0:
				inner--
			case c == '{':
				words := end()
				stack = append(stack, open{words[0], words[1]})
				if words[0] == "message" {
					s.messages[path()] = map[string]field{}
				}
			case c == '}':
				stack = stack[:len(stack)-1]
			case c == ';' && inner == 0:
				words := end()
				switch {
				case len(words) == 0 || len(stack) == 0:
				case stack[len(stack)-1].kind == "enum":
					at := strings.TrimPrefix(path()+"."+stack[len(stack)-1].name, ".")
					s.enums[at] = append(s.enums[at], words[0])
				case path() != "" && slices.Contains(words, "=") && words[0] != "option" && words[0] != "reserved":
					s.field(path(), words)
				}
			default:
				statement.WriteRune(c)
			}
		}
	}
}

func (s *Protos) field(message string, words []string) {
	var f field
	text := strings.Join(words, " ")
	if words[0] == "optional" {
		words = words[1:]
	} else if words[0] == "repeated" {
		f.repeated, words = true, words[1:]
	}
	if strings.HasPrefix(words[0], "map<") {
		f.dict = true
		words = append([]string{strings.TrimSuffix(words[1], ">")}, words[2:]...)
	}
	f.kind = words[0]
	name := camel(words[1])
	if _, rest, ok := strings.Cut(text, `json_name = "`); ok {
		name, _, _ = strings.Cut(rest, `"`)
	}
	s.messages[message][name] = f
}

// find resolves a type's name as seen from inside a message.
func (s *Protos) find(from, name string) string {
	for scope := from; ; scope = scope[:max(strings.LastIndexByte(scope, '.'), 0)] {
		full := strings.TrimPrefix(scope+"."+name, ".")
		if s.messages[full] != nil || s.enums[full] != nil {
			return full
		}
		if scope == "" {
			return ""
		}
	}
}

// Faults lists where a decoded value (numbers as json.Number) is no message of the type, by its full name.
func (s *Protos) Faults(message string, v any) []string { return s.check(message, v, "") }

// check lists where what stands at path is no message of the type.
func (s *Protos) check(message string, v any, path string) (faults []string) {
	object, ok := v.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s is no %s", path, message)}
	}
	for name, value := range object {
		f, ok := s.messages[message][name]
		at := path + "/" + name
		if !ok {
			faults = append(faults, at+" is no member of "+message)
			continue
		}
		values := []any{value}
		switch list, isList := value.([]any); {
		case f.repeated && !isList:
			faults = append(faults, at+" is no list")
			continue
		case f.repeated:
			values = list
		}
		if f.dict {
			values = nil
			entries, _ := value.(map[string]any)
			for _, e := range entries {
				values = append(values, e)
			}
		}
		for _, e := range values {
			faults = append(faults, s.value(message, f, e, at)...)
		}
	}
	return faults
}

func (s *Protos) value(message string, f field, v any, at string) []string {
	fits := true
	switch f.kind {
	case "string", "bytes", "google.protobuf.Duration":
		_, fits = v.(string)
	case "bool":
		_, fits = v.(bool)
	case "int32", "int64":
		n, isNumber := v.(json.Number)
		if fits = isNumber; isNumber {
			_, err := n.Int64()
			fits = err == nil
		}
	case "float", "double":
		_, fits = v.(json.Number)
	case "google.protobuf.Struct":
		_, fits = v.(map[string]any)
	case "google.protobuf.Value", "google.type.Interval", "google.type.LatLng":
	default:
		full := s.find(message, f.kind)
		if full == "" {
			return []string{at + " has the unknown type " + f.kind}
		}
		if s.messages[full] != nil {
			return s.check(full, v, at)
		}
		word, _ := v.(string)
		fits = slices.Contains(s.enums[full], word)
	}
	if !fits {
		return []string{fmt.Sprintf("%s is no %s: %v", at, f.kind, v)}
	}
	return nil
}

// camel is a field's name as JSON has it.
func camel(name string) string {
	words := strings.Split(name, "_")
	for i, word := range words[1:] {
		if word != "" {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}
