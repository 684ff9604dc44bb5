package admin

import "causeway/internal/fault"

// nearest is the name that s was probably meant to be, "" when none is near.
func nearest(s string, names []string) string {
	best, distance := "", 4
	for _, name := range names {
		// A name that has nothing of s in it is not near, however short both are.
		limit := min(distance, len(name))
		if d := editDistance(s, name, limit); d < limit {
			best, distance = name, d
		}
	}
	return best
}

func kinds() []string {
	names := make([]string, 0, len(fault.All()))
	for i := range fault.All() {
		names = append(names, string(fault.All()[i].Kind))
	}
	return names
}

// editDistance is Levenshtein's distance of two short strings, or limit when it is not less.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
