package spec

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Faults lists what is wrong with JSON by one of the description's schemas, each as its place and a phrase. Of
// alternatives it tells what is wrong with the one whose type fits.
func (s *Spec) Faults(t testing.TB, name string, text []byte) (list []string) {
	t.Helper()
	pointer := "/components/schemas/" + escape(name)
	schema := s.compiled[pointer]
	if schema == nil {
		var err error
		if schema, err = s.compiler.Compile("spec.json#" + pointer); err != nil {
			t.Fatal(err)
		}
		s.compiled[pointer] = schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []string{err.Error()}
	}
	var wrong *jsonschema.ValidationError
	if err := schema.Validate(value); errors.As(err, &wrong) {
		return leaves(wrong, nil)
	} else if err != nil {
		return []string{err.Error()}
	}
	return nil
}

// leaves appends the faults below e that have no other cause.
func leaves(e *jsonschema.ValidationError, list []string) []string {
	if len(e.Causes) == 0 {
		text := e.Error()
		_, phrase, _ := strings.Cut(text[strings.LastIndexByte(text, '\n')+1:], "': ")
		return append(list, "/"+strings.Join(e.InstanceLocation, "/")+": "+phrase)
	}
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		best := leaves(e.Causes[0], nil)
		for _, c := range e.Causes[1:] {
			other := leaves(c, nil)
			if wrongType(best) && !wrongType(other) || wrongType(best) == wrongType(other) && len(other) < len(best) {
				best = other
			}
		}
		return append(list, best...)
	}
	for _, c := range e.Causes {
		list = leaves(c, list)
	}
	return list
}

// wrongType tells whether one of the faults is that it is another alternative.
func wrongType(list []string) bool {
	for _, fault := range list {
		at, _, _ := strings.Cut(fault, ": ")
		if strings.HasSuffix(at, "/type") || at == "/" && strings.Contains(fault, "want null") {
			return true
		}
	}
	return false
}
