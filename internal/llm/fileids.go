package llm

import (
	"bytes"

	"causeway/internal/llm/jsonscan"
)

// FileIDs are the ids of kept files that a request names, whatever the dialect: the texts of members file_id and
// file_ids, wherever they stand. It looks at a body closely only when such a name can be in it.
func FileIDs(body []byte) (ids []string) {
	if !bytes.Contains(body, []byte("file_id")) && !escapesLetters(body) {
		return nil
	}
	var scan jsonscan.Scanner
	scan.Reset(body)
	fileIDs(&scan, false, 0, &ids)
	return ids
}

// escapesLetters tells whether a body has an escape of a character that needs none, behind which a name could hide.
func escapesLetters(body []byte) bool {
	for {
		i := bytes.Index(body, []byte(`\u00`))
		if i < 0 || i+4 >= len(body) {
			return false
		}
		if c := body[i+4]; c >= '2' && c <= '7' {
			return true
		}
		body = body[i+4:]
	}
}

// deepest is how deep a request is looked into.
const deepest = 512

func fileIDs(scan *jsonscan.Scanner, named bool, depth int, ids *[]string) {
	kind := scan.Peek()
	switch {
	case kind == jsonscan.String && named:
		if raw := scan.Inner(); len(raw) > 0 {
			*ids = append(*ids, string(jsonscan.Unquote(nil, raw)))
		}
	case kind == jsonscan.Object && depth < deepest:
		var k jsonscan.Key
		var name []byte
		for ok := scan.Object(); ok && scan.Member(&k); {
			if name = k.Raw; k.Escaped {
				name = jsonscan.Unquote(nil, k.Raw)
			}
			fileIDs(scan, string(name) == "file_id" || string(name) == "file_ids", depth+1, ids)
		}
	case kind == jsonscan.Array && depth < deepest:
		for ok := scan.Array(); ok && scan.Element(); {
			fileIDs(scan, named, depth+1, ids)
		}
	default:
		scan.Skip()
	}
}
