package logs

// needles finds many fixed texts in one pass over a line (Aho and Corasick, 1975): a log of errors
// would otherwise be searched once for every sentence that is known.
type needles struct {
	class [256]uint8 // of a byte; 0 for bytes in no needle
	width int
	next  []int16 // state*width + class -> state
	out   [][]int16
}

// found is the set of needles in one line.
type found [8]uint64

func (f *found) add(i int16)      { f[i>>6] |= 1 << (i & 63) }
func (f *found) has(i int16) bool { return f[i>>6]&(1<<(i&63)) != 0 }

// most is how many needles a found can hold.
const most = int16(len(found{}) * 64)

func newNeedles(texts []string) *needles {
	n := &needles{width: 1}
	for _, t := range texts {
		for i := range len(t) {
			if n.class[t[i]] == 0 {
				n.class[t[i]] = uint8(n.width)
				n.width++
			}
		}
	}
	grow := func() int16 {
		n.next = append(n.next, make([]int16, n.width)...)
		n.out = append(n.out, nil)
		return int16(len(n.out) - 1)
	}
	grow()
	for i, t := range texts {
		at := int16(0)
		for j := range len(t) {
			slot := int(at)*n.width + int(n.class[t[j]])
			if n.next[slot] == 0 {
				to := grow()
				n.next[slot] = to
			}
			at = n.next[slot]
		}
		n.out[at] = append(n.out[at], int16(i))
	}
	n.close()
	return n
}

// close fills in where each state goes on a byte that none of its needles has next.
func (n *needles) close() {
	fail := make([]int16, len(n.out))
	var queue []int16
	for c := 1; c < n.width; c++ {
		if to := n.next[c]; to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		n.out[at] = append(n.out[at], n.out[fail[at]]...)
		for c := 1; c < n.width; c++ {
			slot, other := int(at)*n.width+c, n.next[int(fail[at])*n.width+c]
			if to := n.next[slot]; to != 0 {
				fail[to] = other
				queue = append(queue, to)
			} else {
				n.next[slot] = other
			}
		}
	}
}

// scan adds the needles that b has.
func (n *needles) scan(b []byte, f *found) {
	at := 0
	for _, c := range b {
		at = int(n.next[at*n.width+int(n.class[c])])
		if out := n.out[at]; out != nil {
			for _, i := range out {
				f.add(i)
			}
		}
	}
}
