package ollama

import (
	"strings"
	"time"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// apiVersion is the version of Ollama whose API this package follows: clients look whether the server is new
// enough for what they ask.
const apiVersion = "0.12.6"

// AppendVersion appends the answer of /api/version.
func (Dialect) AppendVersion(dst []byte) []byte {
	return append(dst, `{"version":"`+apiVersion+`"}`...)
}

// AppendModels appends the list of /api/tags and /api/ps. A gateway has no files and no memory of a graphics card to
// tell of: size and digest are empty, and all models count as loaded.
func (Dialect) AppendModels(dst []byte, models []llm.Model) []byte {
	dst = append(dst, `{"models":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = jsonscan.Quote(dst, m.ID)
		dst = append(dst, `,"model":`...)
		dst = jsonscan.Quote(dst, m.ID)
		dst = appendTime(append(dst, `,"modified_at":`...), m.Created)
		dst = appendDetails(append(dst, `,"size":0,"digest":"","size_vram":0,"expires_at":"0001-01-01T00:00:00Z","details":`...), m)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

// AppendModel appends the answer of /api/show, as far as a gateway knows.
func (Dialect) AppendModel(dst []byte, m llm.Model) []byte {
	dst = append(dst, `{"model":`...)
	dst = jsonscan.Quote(dst, m.ID)
	dst = append(dst, `,"license":"","modelfile":"","parameters":"","template":"","system":"","messages":[],"details":`...)
	dst = appendDetails(dst, m)
	dst = append(dst, `,"model_info":{"general.architecture":`...)
	dst = jsonscan.Quote(dst, family(m))
	dst = append(dst, `},"capabilities":["completion","tools"],"modified_at":`...)
	return append(appendTime(dst, m.Created), '}')
}

func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	return append(t.UTC().AppendFormat(dst, time.RFC3339Nano), '"')
}

func appendDetails(dst []byte, m llm.Model) []byte {
	name := family(m)
	dst = append(dst, `{"parent_model":"","format":"","family":`...)
	dst = jsonscan.Quote(dst, name)
	dst = append(dst, `,"families":[`...)
	dst = jsonscan.Quote(dst, name)
	return append(dst, `],"parameter_size":"","quantization_level":""}`...)
}

// family is what stands in the place of a model's architecture: who owns it.
func family(m llm.Model) string {
	if m.OwnedBy != "" {
		return m.OwnedBy
	}
	name, _, _ := strings.Cut(m.ID, "/")
	return name
}
