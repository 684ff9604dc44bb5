package anthropic

import (
	"encoding/base64"
	"strings"
)

// foreignID begins an id that is written in another way.
const foreignID = "causeway_"

// wrapID is a call's id as this API allows it, of letters, digits, _ and -: those of other vendors hold more
// ("functions.add:0"), and mean something to them. unwrapID gives back what it was.
func wrapID(id string) string {
	if isName(id, len(id)) {
		return id
	}
	return foreignID + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// unwrapID is the id that wrapID was given.
func unwrapID(id string) string {
	text, ok := strings.CutPrefix(id, foreignID)
	if !ok {
		return id
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 || wrapID(string(raw)) != id {
		return id
	}
	return string(raw)
}
