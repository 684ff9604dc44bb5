//go:build unix

package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// While one process hands over to the next, both use the folder: its lock is theirs together. In the
// spool each has files of its own, with its number in their names, and holds the lock of that number
// as long as it lives. Whoever finds a number's lock free while there are files of that number takes
// them over: their process is gone.
const (
	// unnumbered are the files of versions that knew of one process only.
	unnumbered = 0
	mostNumber = 255
)

// The number of a segment in the store's marks holds that of its process, so that no two processes
// give the same one, and that each can tell whose marks it may forget.
const (
	seqTag  = 1 << 62 // since there are numbers of processes; above all moments until 2116
	seqStep = 1 << 8
)

// newSeq is a number for a segment of a process, above last.
func newSeq(process int, last int64) int64 {
	now := time.Now().UnixNano()
	if process == unnumbered {
		return max(now, last+1)
	}
	return max(seqTag|now&^(seqStep-1)|int64(process), last+seqStep)
}

// seqProcess is the process that a segment's number is of.
func seqProcess(seq int64) int {
	if seq&seqTag == 0 {
		return unnumbered
	}
	return int(seq & (seqStep - 1))
}

const lockPrefix, lockSuffix = "process-", ".lock"

func segmentName(process, file int) string {
	if process == unnumbered {
		return fmt.Sprintf("segment-%06d.log", file)
	}
	return fmt.Sprintf("segment-%02d-%06d.log", process, file)
}

func tableName(process, file int) string { return fmt.Sprintf("open-%02d-%06d.table", process, file) }

// fileName reads the names that segmentName and tableName make.
func fileName(name string) (kind string, process, number int, ok bool) {
	stem, suffix, _ := strings.Cut(name, ".")
	kind, rest, _ := strings.Cut(stem, "-")
	if !(kind == "segment" && suffix == "log" || kind == "open" && suffix == "table") {
		return "", 0, 0, false
	}
	if first, second, two := strings.Cut(rest, "-"); two {
		n, err := strconv.Atoi(first)
		if err != nil || n <= unnumbered || n > mostNumber {
			return "", 0, 0, false
		}
		process, rest = n, second
	}
	number, err := strconv.Atoi(rest)
	return kind, process, number, err == nil && number >= 0
}

// isLock tells whether a file in the spool's folder is the lock of a process's number.
func isLock(name string) bool {
	return strings.HasPrefix(name, lockPrefix) && strings.HasSuffix(name, lockSuffix)
}

// claim takes the lock of a number; nil when a living process has it. The lock is given back when the
// file is closed, or the process ends.
func claim(dir string, process int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s%02d%s", lockPrefix, process, lockSuffix)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of a process's calls: %w", err)
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, f.Close()
	default:
		return nil, errors.Join(fmt.Errorf("locking a process's calls in %s: %w", f.Name(), err), f.Close())
	}
}

// enter gives this process the lowest number that no living one has.
func (s *spool) enter() error {
	for n := unnumbered + 1; n <= mostNumber; n++ {
		f, err := claim(s.dir, n)
		if err != nil {
			return err
		}
		if f != nil {
			s.process = n
			s.claims[n] = f
			return nil
		}
	}
	return fmt.Errorf("%d processes have calls in %s", mostNumber, s.dir)
}

// claimAbandoned takes the locks of all processes that are gone and have left files. others tells
// whether there are files of one that lives.
func (s *spool) claimAbandoned() (gone []int, others bool, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, false, fmt.Errorf("reading the spool: %w", err)
	}
	seen := map[int]bool{}
	for _, entry := range entries {
		_, n, _, ok := fileName(entry.Name())
		if !ok || seen[n] || s.owns(n) {
			continue
		}
		seen[n] = true
		f, err := claim(s.dir, n)
		if err != nil {
			return gone, others, err
		}
		if f == nil {
			others = true
			continue
		}
		s.mu.Lock()
		s.claims[n] = f
		s.mu.Unlock()
		gone = append(gone, n)
	}
	slices.Sort(gone)
	return gone, others, nil
}

// owns tells whether a number's files are this process's, by birth or taken over.
func (s *spool) owns(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims[n] != nil
}

// release gives numbers back; all of them when none are named.
func (s *spool) release(numbers ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, f := range s.claims {
		if len(numbers) == 0 || slices.Contains(numbers, n) {
			_ = f.Close()
			delete(s.claims, n)
		}
	}
}
