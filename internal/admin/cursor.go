package admin

import (
	"strconv"

	"causeway/internal/journey"
)

// readCursor reads a cursor, which is the id of the last item of the page before.
func readCursor(s string) (*journey.ID, error) {
	if s == "" {
		return nil, nil
	}
	id, ok := journey.ParseID(s)
	if !ok {
		return nil, invalidCursor()
	}
	return &id, nil
}

func invalidCursor() *Problem {
	return invalid(FieldError{In: "query", Pointer: "#/cursor", Detail: "must be next_cursor of the page before, as it was given"})
}

// cutPage cuts a list that was fetched with one item more than the limit, and says where the next
// page begins; next is "" on the last page.
func cutPage[T any](list []T, limit int, id func(T) string) (page []T, next string) {
	if len(list) <= limit {
		return list, ""
	}
	return list[:limit], id(list[limit-1])
}

// quoted is a client's own text as an error answer repeats it: escaped, and not at any length.
func quoted(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.Quote(s)
}
