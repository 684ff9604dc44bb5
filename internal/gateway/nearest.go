package gateway

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// nearest returns up to n of the names that look most like what was asked for, best first: those
// that contain it or are contained in it, then those within a few edits.
func nearest(asked string, names []string, n int) []string {
	type candidate struct {
		name string
		cost int
	}
	var list []candidate
	a := strings.ToLower(asked)
	for _, name := range names {
		b := strings.ToLower(name)
		bare := b
		cost := edits(a, b)
		if _, model, ok := strings.Cut(b, "/"); ok {
			bare = model
			cost = min(cost, edits(a, bare)+strings.Count(a, "/")) // without a provider none was meant
		}
		if strings.Contains(b, a) || len(bare) > 2 && strings.Contains(a, bare) {
			cost = min(cost, 1+max(len(a)-len(bare), len(bare)-len(a))/4)
		}
		if cost <= max(2, len(a)/3) {
			list = append(list, candidate{name, cost})
		}
	}
	slices.SortStableFunc(list, func(x, y candidate) int { return cmp.Compare(x.cost, y.cost) })
	var out []string
	for _, c := range list[:min(n, len(list))] {
		out = append(out, c.name)
	}
	return out
}

// edits is the Levenshtein distance, of names of a sane length.
func edits(a, b string) int {
	if len(a) > 200 || len(b) > 200 {
		return 1000
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		last := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			next := min(row[j]+1, row[j-1]+1, last)
			if a[i-1] != b[j-1] {
				next = min(row[j]+1, row[j-1]+1, last+1)
			}
			last, row[j] = row[j], next
		}
	}
	return row[len(b)]
}

func plural(n int64, word string) string {
	s := strconv.FormatInt(n, 10) + " " + word
	if n != 1 {
		s += "s"
	}
	return s
}
