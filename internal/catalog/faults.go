package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a configuration file.
type Fault struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // from 1
	Column int    `json:"column"` // from 1, counted in characters
	// Message says what is wrong, in the words of the file. It never holds a secret.
	Message string `json:"message"`
	// Fix says what would be right.
	Fix string `json:"fix"`
}

// String is the fault on one line: FILE:LINE:COLUMN: message; fix.
func (f Fault) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
	if f.Fix != "" {
		s += "; " + f.Fix
	}
	return s
}

// Faults are all the faults of one file, sorted by place. None means that the file is valid.
type Faults []Fault

// String is one fault a line, each line ended.
func (f Faults) String() string {
	var b strings.Builder
	for _, fault := range f {
		b.WriteString(fault.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// sorted puts faults in the order of the file and drops what is said twice, as happens when a
// faulty block is used through several aliases.
func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(f)
}

// pos is a place in the file.
type pos struct{ line, col int }

// maxFaults is how many faults of one file are told. More than that is not a configuration with
// slips but another kind of file.
const maxFaults = 1000

// faultList collects the faults of one file.
type faultList struct {
	file string
	list Faults
}

// full tells that no more faults are taken.
func (l *faultList) full() bool { return len(l.list) > maxFaults }

func (l *faultList) add(at pos, message, fix string) {
	if l.full() {
		return
	}
	if len(l.list) == maxFaults {
		message, fix = "from about here on there are more faults than are shown", "mend these first"
	}
	l.list = append(l.list, Fault{
		File: l.file, Line: max(at.line, 1), Column: max(at.col, 1), Message: message, Fix: fix,
	})
}

// nearest is the known word with the fewest edits from word. near tells whether the two are so
// close that word is probably a slip of the pen. With no known words it returns "".
func nearest(word string, known []string) (best string, near bool) {
	least := -1
	for _, k := range known {
		d := editDistance(strings.ToLower(word), strings.ToLower(k))
		if least < 0 || d < least {
			best, least = k, d
		}
	}
	return best, least >= 0 && least <= max(1, len(word)/3)
}

// editDistance counts the insertions, deletions, substitutions and swaps of neighbours that turn
// a into b. Words longer than 64 bytes are cut: nobody's typing slip is that far along.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	var rows [3][65]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// listed joins words for a sentence: "a, b or c".
func listed(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
