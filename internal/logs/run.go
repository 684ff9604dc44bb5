package logs

import (
	"bytes"
	"context"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"time"
)

// run is one reading of a set of files.
type run struct {
	o       Options
	parser  parser
	sources []*source
	files   []File
	joiner  *joiner
	found   *collector
	since   int64
	until   int64
	total   int64
	told    int64
	notes   []string
}

func newRun(o Options) *run {
	c := newCollector()
	r := &run{o: o, found: c, joiner: newJoiner(c), since: math.MinInt64, until: math.MaxInt64}
	r.parser = parser{cal: calendar{zone: o.Zone, now: o.Now}, known: newCatalogue()}
	if !o.Since.IsZero() {
		r.since = o.Since.UnixNano()
	}
	if !o.Until.IsZero() {
		r.until = o.Until.UnixNano()
	}
	for i, path := range o.Files {
		r.sources = append(r.sources, &source{path: path, index: i})
		r.files = append(r.files, File{Path: path})
	}
	return r
}

// lookAt is how much of each file the first look reads.
const (
	lookLines = 20000
	lookBytes = 4 << 20
)

// look reads the beginning of each file: whether it can be read, when it begins, which servers wrote
// it, and whether its clock agrees with the others'.
func (r *run) look() {
	skews := newSkews()
	for i, s := range r.sources {
		if s.path == "-" {
			continue
		}
		if info, err := os.Stat(s.path); err == nil && info.Mode().IsRegular() {
			r.total += info.Size()
			s.boot = r.bootTime(s.path, info.ModTime())
		}
		probe := &source{path: s.path, index: i, boot: s.boot}
		if err := probe.open(); err != nil {
			r.files[i].Error = plainError(err)
			continue
		}
		r.lines(probe, lookLines, func(_ []byte, e *entry) bool {
			switch e.form {
			case formNginxError:
				r.joiner.nginx = true
			case formApacheError:
				r.joiner.apache = true
			}
			if e.time != 0 && s.first == 0 {
				s.first = e.time
			}
			s.unzoned = s.unzoned || e.time != 0 && !e.zoned
			skews.add(i, e)
			return probe.raw.n < lookBytes
		})
		probe.shut()
	}
	for i, shift := range skews.shifts(r.sources, r.joiner.nginx && !r.joiner.apache) {
		r.sources[i].shift = shift
		if r.sources[i].first != 0 {
			r.sources[i].first += shift
		}
	}
}

// bootTime is when a kernel had started whose log counts seconds since then: the file's last line was
// written when the file was.
func (r *run) bootTime(path string, written time.Time) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	head := make([]byte, 16)
	if n, _ := f.Read(head); n < 16 || head[0] != '[' || bytes.IndexByte(head, '.') < 0 && bytes.IndexByte(head, ' ') < 0 {
		return 0
	}
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	tail := make([]byte, min(info.Size(), 64<<10))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return 0
	}
	for {
		i := bytes.LastIndex(tail, []byte("\n["))
		if i < 0 {
			return 0
		}
		if j := bytes.IndexByte(tail[i:], ']'); j > 0 && j < 24 {
			if since := span(bytes.TrimLeft(tail[i+2:i+j], " "), second); since >= 0 {
				return written.UnixNano() - since
			}
		}
		tail = tail[:i]
	}
}

// read reads the files side by side: always the one that is furthest behind, until it is no more.
func (r *run) read(ctx context.Context) error {
	var open, later []*source
	for i, s := range r.sources {
		if r.files[i].Error == "" {
			later = append(later, s)
		}
	}
	sort.SliceStable(later, func(a, b int) bool { return later[a].first < later[b].first })
	defer func() {
		for _, s := range r.sources {
			s.shut()
		}
	}()
	for len(open) > 0 || len(later) > 0 {
		// A file is opened when its first line is due, so that rotated sets hold one descriptor.
		for len(later) > 0 && (len(open) == 0 || later[0].first <= lowest(open)) {
			s := later[0]
			later = later[1:]
			if err := s.open(); err != nil {
				r.files[s.index].Error = plainError(err)
				continue
			}
			s.clock = s.first
			open = append(open, s)
		}
		if len(open) == 0 {
			continue
		}
		sort.SliceStable(open, func(a, b int) bool { return open[a].clock < open[b].clock })
		limit := int64(math.MaxInt64)
		if len(open) > 1 {
			limit = open[1].clock + second
		}
		if len(later) > 0 {
			limit = min(limit, later[0].first+second)
		}
		more, err := r.some(ctx, open[0], limit)
		if err != nil {
			return err
		}
		if !more {
			open[0].shut()
			open = slices.Delete(open, 0, 1)
		}
		if len(open) > 0 {
			low := lowest(open)
			if len(later) > 0 {
				low = min(low, later[0].first)
			}
			r.joiner.advance(low)
		}
	}
	r.joiner.finish()
	r.tell(true)
	return nil
}

func lowest(open []*source) int64 {
	low := int64(math.MaxInt64)
	for _, s := range open {
		low = min(low, s.clock)
	}
	return low
}

// batch is how many lines of one file are read before the window moves on.
const batch = 4096

// some reads lines of a file until its clock is beyond limit, and reports whether it has more.
func (r *run) some(ctx context.Context, s *source, limit int64) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	var e entry
	for range batch {
		line := s.next()
		if line == nil {
			return false, nil
		}
		r.one(s, line, &e)
		if s.clock > limit {
			break
		}
	}
	r.tell(false)
	return true, nil
}

func (r *run) one(s *source, line []byte, e *entry) {
	s.lines++
	if len(line) == 0 {
		s.blank++
		return
	}
	if !r.parser.parse(s, line, e) {
		if bytes.IndexByte(line, 0) >= 0 {
			s.binary++
			return
		}
		s.unread++
		return
	}
	s.forms[e.form]++
	if e.time != 0 {
		e.time += s.shift
		s.stamps++
		if s.first == 0 || e.time < s.first {
			s.first = e.time
		}
		s.clock = max(s.clock, e.time)
	} else {
		e.time = s.clock // a line without a time belongs to the one before it
	}
	if e.time != 0 && (e.time < r.since || e.time > r.until) {
		r.found.skipped++
		return
	}
	if e.access {
		r.found.answers++
		if failing(e.status) {
			r.direct(e)
			r.joiner.failure(s, line, e)
		}
	} else if e.rule != nil {
		r.joiner.event(s, line, e)
	}
	if e.time != 0 {
		if r.found.first == 0 || e.time < r.found.first {
			r.found.first = e.time
		}
		r.found.last = max(r.found.last, e.time)
	}
}

// direct finds what an access log's own fields say of a failure.
func (r *run) direct(e *entry) {
	if e.rule != nil {
		return
	}
	id := ""
	switch e.form {
	case formHAProxy:
		id = termination(e.flags, e.status, e.upstream)
	case formEnvoy:
		id = flagged(e.flags, append(bytes.Clone(e.details), e.note...))
		if id == "" && string(e.details) != "via_upstream" && len(e.details) > 0 {
			r.parser.match(e, e.details)
		}
	case formALB:
		switch {
		case e.status == 460:
			id = "alb-client"
		case string(e.flags) == "target":
			id = "alb-target"
		case e.status == 504 && string(e.flags) == "unanswered":
			id = "alb-timeout"
		case string(e.flags) == "undispatched":
			id = "alb-undispatched"
		default:
			id = "alb-unanswered"
		}
	case formW3C:
		if e.flags == nil && bytes.HasPrefix(e.details, []byte("Origin")) {
			id = "cloudfront-origin"
		} else if e.flags != nil {
			id = windows(e.status, e.details, e.flags)
		}
	default:
		if e.note != nil || e.details != nil {
			text := append(bytes.Clone(e.note), ' ')
			r.parser.match(e, append(text, e.details...))
		}
	}
	if id != "" {
		e.rule = r.parser.known.byID[id]
	}
}

// tell reports the progress, now and then.
func (r *run) tell(last bool) {
	if r.o.Progress == nil {
		return
	}
	done := int64(0)
	for _, s := range r.sources {
		if s.raw != nil {
			done += s.raw.n
		}
	}
	if last || done-r.told >= 4<<20 {
		r.told = done
		r.o.Progress(done, r.total)
	}
}

// done makes the report.
func (r *run) done() *Report {
	c := r.found
	rep := &Report{
		Answers: c.answers, Failures: c.failures, Statuses: c.statuses, From: when(c.first), To: when(c.last),
		Causes: c.causes(), Unexplained: c.unexplained(), Notes: r.notes,
	}
	for i, s := range r.sources {
		f := r.files[i]
		f.Lines = s.lines
		if s.raw != nil {
			f.Bytes = s.raw.n
		}
		f.Forms = []string{}
		if f.Error == "" {
			f.Notes = s.notes()
			for k := formUnknown + 1; k < formCount; k++ {
				if s.forms[k] > 0 {
					f.Forms = append(f.Forms, formNames[k])
				}
			}
			if s.stamps > 0 {
				f.First, f.Last = when(s.first), when(s.clock)
			}
		}
		rep.Files = append(rep.Files, f)
	}
	if c.skipped > 0 {
		rep.Notes = append(rep.Notes, count(c.skipped, "line")+" outside of --since and --until were left out")
	}
	if s := r.unzoned(); s != "" {
		rep.Notes = append(rep.Notes, s)
	}
	return rep
}

// unzoned says which zone was taken for times without one.
func (r *run) unzoned() string {
	var names []string
	for i, s := range r.sources {
		if s.unzoned && r.files[i].Error == "" {
			names = append(names, s.path)
		}
	}
	if len(names) == 0 {
		return ""
	}
	zone := r.o.Zone.String()
	if zone == "Local" {
		name, _ := r.o.Now.In(r.o.Zone).Zone()
		zone = name + " (this machine's)"
	}
	return "times without a zone in " + strings.Join(names, ", ") + " were read as " + zone + "; --tz says another"
}

// plainError is an error without the program's part in it.
func plainError(err error) string {
	return strings.TrimPrefix(err.Error(), "open ")
}
