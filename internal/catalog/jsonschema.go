package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// JSONSchema is a JSON Schema (draft 2020-12 unless it says otherwise) that answers are held to. It is immutable
// and safe for concurrent use.
type JSONSchema struct {
	JSON     []byte
	compiled *jsonschema.Schema
}

// SchemaFault is one thing in which a value is not what a JSONSchema asks for.
type SchemaFault struct {
	Pointer string // RFC 6901, "" for the whole value
	Problem string // "missing property 'label'"
}

// noLoader keeps a schema from reading files and addresses: it refers to itself only.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, errors.New("it refers to " + url + ", and only references within itself work")
}

// NewJSONSchema compiles a schema. The error says what is wrong with it in one line.
func NewJSONSchema(text []byte) (*JSONSchema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(schemaName, doc); err != nil {
		return nil, errors.New(plainError(err))
	}
	compiled, err := c.Compile(schemaName)
	if err != nil {
		return nil, errors.New(plainError(err))
	}
	return &JSONSchema{JSON: slices.Clone(text), compiled: compiled}, nil
}

const schemaName = "causeway:schema"

// plainError is a compiler's error on one line, without the name that only we know.
func plainError(err error) string {
	var bad *jsonschema.SchemaValidationError
	if errors.As(err, &bad) {
		var v *jsonschema.ValidationError
		if errors.As(bad.Err, &v) {
			if faults := schemaFaults(v, nil); len(faults) > 0 {
				return faults[0].String()
			}
		}
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(strings.ReplaceAll(text, schemaName, ""), "jsonschema: ")
}

// String is the fault with its place.
func (f SchemaFault) String() string {
	if f.Pointer == "" {
		return f.Problem
	}
	return f.Pointer + ": " + f.Problem
}

// Check holds a JSON text to the schema: nil when it is what the schema asks for, else the first of what is not,
// 8 at most.
func (s *JSONSchema) Check(text []byte) []SchemaFault {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []SchemaFault{{"", "it is not JSON: " + err.Error()}}
	}
	err = s.compiled.Validate(v)
	if err == nil {
		return nil
	}
	var bad *jsonschema.ValidationError
	if !errors.As(err, &bad) {
		return []SchemaFault{{"", err.Error()}}
	}
	const most = 8
	faults := schemaFaults(bad, nil)
	return faults[:min(len(faults), most)]
}

// schemaFaults lists the causes that have no causes themselves.
func schemaFaults(e *jsonschema.ValidationError, list []SchemaFault) []SchemaFault {
	for _, cause := range e.Causes {
		list = schemaFaults(cause, list)
	}
	if len(e.Causes) > 0 {
		return list
	}
	pointer := ""
	for _, step := range e.InstanceLocation {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
	}
	return append(list, SchemaFault{pointer, schemaProblem(e.ErrorKind)})
}

// schemaProblem is what is wrong in one phrase. Those that quote the value are told without it: it may be long,
// and somebody's.
func schemaProblem(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + strings.Join(k.Want, " or ") + " and is " + k.Got
	case *kind.Enum:
		return fmt.Sprintf("must be one of %d values that the schema lists", len(k.Want))
	case *kind.Const:
		return "is not the value that the schema names"
	case *kind.Pattern:
		return "does not match the pattern " + k.Want
	case *kind.Format:
		return "is not of the format " + k.Want
	case *kind.Required:
		return "has no " + strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return "has members that the schema does not: " + strings.Join(k.Properties, ", ")
	}
	return strings.Join(k.KeywordPath(), "/") + " does not hold"
}
