package gemini_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"causeway/internal/llm/llmtest"
)

// schema is what the API's description says of its messages, read from the text of the protocol buffers.
type schema struct {
	messages map[string]map[string]field
	enums    map[string][]string
}

type field struct {
	kind           string // a scalar, or the full name of a message or enum
	repeated, dict bool
}

// readProtos reads messages, enums, oneofs and maps; that is all that these files use.
func readProtos(t *testing.T) *schema {
	t.Helper()
	s := &schema{messages: map[string]map[string]field{}, enums: map[string][]string{}}
	files, _ := filepath.Glob("testdata/proto/*.proto")
	if len(files) == 0 {
		t.Fatal("no description")
	}
	for _, name := range files {
		s.read(t, name)
	}
	return s
}

func (s *schema) read(t *testing.T, name string) {
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

func (s *schema) field(message string, words []string) {
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
func (s *schema) find(from, name string) string {
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

// check lists where a decoded value is no message of the type.
func (s *schema) check(message string, v any, path string) (faults []string) {
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

func (s *schema) value(message string, f field, v any, at string) []string {
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

// valid fails the test when a text is no message of the API's description; but are members that came after it.
func (s *schema) valid(t *testing.T, message string, text []byte, but ...string) {
	t.Helper()
	for _, fault := range s.check(message, llmtest.Value(t, text), "") {
		if !slices.ContainsFunc(but, func(part string) bool { return strings.Contains(fault, part) }) {
			t.Errorf("%s\n%.2000s", fault, text)
		}
	}
}

// TestTheDescriptionIsRead guards the reader of the description itself.
func TestTheDescriptionIsRead(t *testing.T) {
	s := readProtos(t)
	for _, c := range []struct {
		message, text string
		faults        int
	}{
		{"GenerateContentRequest", `{"contents":[{"role":"user","parts":[{"text":"a"}]}]}`, 0},
		{"GenerateContentRequest", `{"contents":[{"parts":[{"text":1}]}],"nonsense":1}`, 2},
		{"GenerateContentRequest", `{"contents":{},"generationConfig":{"candidateCount":1.5,"responseModalities":["text"]}}`, 3},
		{"GenerateContentRequest", `{"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"any":1}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`, 0},
		{"GenerationConfig", `{"responseJsonSchema":{},"_responseJsonSchema":{},"thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"LOW"}}`, 1},
		{"GenerateContentResponse", `{"candidates":[{"finishReason":"STOP"},{"finishReason":"stop"}],"promptFeedback":{"blockReason":"SAFETY"}}`, 1},
		{"Schema", `{"type":"OBJECT","properties":{"a":{"type":"string"}}}`, 1},
	} {
		if faults := s.check(c.message, llmtest.Value(t, []byte(c.text)), ""); len(faults) != c.faults {
			t.Errorf("%s: %q, want %d", c.text, faults, c.faults)
		}
	}
}
