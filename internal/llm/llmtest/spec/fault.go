package spec

import (
	"bytes"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// RequestFault is Request for a server that refuses what the description does not allow: nil when the body is
// allowed, else what is wrong with it.
func (s *Spec) RequestFault(method, path string, body []byte) error {
	pointer := "/paths/" + escape(path) + "/" + strings.ToLower(method) + "/requestBody/content/application~1json/schema"
	schema := s.compiled[pointer]
	if schema == nil {
		var err error
		if schema, err = s.compiler.Compile("spec.json#" + pointer); err != nil {
			return err
		}
		s.compiled[pointer] = schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
