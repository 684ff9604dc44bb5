package exchanges

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Where is the end that saw a difference.
type Where string

// The ends.
const (
	InAnswer  Where = "answer"  // what the client saw
	InRequest Where = "request" // what the server saw
)

// Difference is one thing that was not the same.
type Difference struct {
	Client   string
	Column   Column
	Road     bool // the gateway called the server over HTTP/2
	Exchange string
	Where    Where
	// Field is "status", "reason", "error", "body", "header NAME", "order", "names" ...
	Field           string
	Direct, Through string

	e    *Exchange
	seen [2]*Seen
}

// String tells the difference, without who saw it.
func (d Difference) String() string {
	through := "through the gateway"
	if d.Road {
		through += " and h2c"
	}
	return fmt.Sprintf("%s: %s %s: direct %s, %s %s", d.Exchange, d.Where, d.Field, clipped(d.Direct), through, clipped(d.Through))
}

func clipped(s string) string {
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return strconv.Quote(s)
}

// Outcome is both ends' view of one exchange.
type Outcome struct {
	Seen Seen
	Got  []Received
}

// Same replaces what must differ between two sides by words: addresses and the run's name.
type Same struct {
	Addr, TLSAddr string // where the client calls
	Target        string // whom the gateway calls, "" without one
	Run           string
	Path          string // the first segment of targets, "" for "to"
}

func (s Same) text(v string) string {
	v = strings.ReplaceAll(v, s.Addr, "SERVER")
	v = strings.ReplaceAll(v, s.TLSAddr, "SERVER")
	if s.Target != "" {
		v = strings.ReplaceAll(v, s.Target, "TARGET")
	}
	v = strings.ReplaceAll(v, s.Run, "RUN")
	if s.Path != "" {
		v = strings.ReplaceAll(v, "/"+s.Path+"/RUN", "/to/RUN")
	}
	return v
}

func (s Same) list(list []Field) []Field {
	out := make([]Field, len(list))
	for i, f := range list {
		out[i] = Field{f[0], s.text(f[1])}
	}
	return out
}

// Plainly is an outcome without the names of its side.
func (s Same) Plainly(o Outcome) Outcome {
	o.Seen.Headers, o.Seen.Trailers, o.Seen.URL = s.list(o.Seen.Headers), s.list(o.Seen.Trailers), s.text(o.Seen.URL)
	got := make([]Received, len(o.Got))
	for i, r := range o.Got {
		r.Target, r.Headers, r.Trailers = s.text(r.Target), s.list(r.Headers), s.list(r.Trailers)
		got[i] = r
	}
	o.Got = got
	return o
}

// Compare finds the differences between an exchange that was made straight with the origin and the
// same through the gateway; road tells that the gateway called it over HTTP/2.
func Compare(client string, column Column, road bool, e *Exchange, direct, through Outcome) (list []Difference) {
	add := func(where Where, field, a, b string) {
		if a != b {
			list = append(list, Difference{client, column, road, e.Name, where, field, a, b, e, [2]*Seen{&direct.Seen, &through.Seen}})
		}
	}
	d, t := &direct.Seen, &through.Seen
	add(InAnswer, "skip", d.Skip, t.Skip)
	if d.Skip != "" || t.Skip != "" {
		return list
	}
	add(InAnswer, "error", d.Error, t.Error)
	add(InAnswer, "status", statusOf(d), statusOf(t))
	add(InAnswer, "version", d.Version, t.Version)
	if d.Status != 0 && d.Status == t.Status {
		add(InAnswer, "reason", d.Reason, t.Reason)
		compareFields(InAnswer, "header", d.Headers, t.Headers, add)
		if d.Ordered && t.Ordered && !column.HTTP2() && !road {
			compareOrder(InAnswer, d.Headers, t.Headers, add)
		}
		compareFields(InAnswer, "trailer", d.Trailers, t.Trailers, add)
		add(InAnswer, "framing", d.Framing, t.Framing)
		add(InAnswer, "address", d.URL, t.URL)
		if e.Answer.End == Whole {
			add(InAnswer, "body", d.body(), t.body())
		}
	}
	add(InAnswer, "interim", interimText(d.Interim), interimText(t.Interim))

	if d.Error != "" && d.Error == t.Error && e.Answer.End == Whole {
		return list // the client cannot do it
	}
	add(InRequest, "count", strconv.Itoa(len(direct.Got)), strconv.Itoa(len(through.Got)))
	for i := range min(len(direct.Got), len(through.Got)) {
		a, b := &direct.Got[i], &through.Got[i]
		add(InRequest, "method", a.Method, b.Method)
		add(InRequest, "target", a.Target, b.Target)
		add(InRequest, "version", a.Version, b.Version)
		compareFields(InRequest, "header", without(a.Headers, column.HTTP2() || road), without(b.Headers, column.HTTP2() || road), add)
		if !column.HTTP2() && !road {
			compareOrder(InRequest, a.Headers, b.Headers, add)
		}
		add(InRequest, "framing", a.Framing, b.Framing)
		add(InRequest, "body", a.body(), b.body())
		compareFields(InRequest, "trailer", a.Trailers, b.Trailers, add)
	}
	return list
}

// AsScripted tells whether a client that called the origin itself saw what the exchange says: that
// there is something to compare.
func (s *Seen) AsScripted(e *Exchange) bool {
	a := &e.Answer
	switch {
	case s.Skip != "":
		return false
	case e.AnswerTo != nil:
		return s.Error == "" && s.Status >= 200 && s.Status < 400
	case a.End != Whole:
		return s.Error != ""
	}
	whole := a.whole()
	if e.Request.Method == "HEAD" {
		whole = nil
	}
	return s.Error == "" && s.Status == max(a.Status, 200) && s.Length == len(whole) && (s.SHA == "" || s.SHA == Sum(whole))
}

func statusOf(s *Seen) string {
	if len(s.Statuses) > 1 {
		return fmt.Sprint(s.Statuses)
	}
	text := strconv.Itoa(s.Status)
	if why := value(s.Headers, "Proxy-Status"); s.Status >= 400 && why != "" {
		text += ", " + why
	}
	return text
}

func (s *Seen) body() string { return fmt.Sprintf("%d bytes %.12s", s.Length, s.SHA) }

func (r *Received) body() string {
	sha := r.SHA
	if r.Length == 0 {
		sha = ""
	}
	text := fmt.Sprintf("%d bytes %.12s", r.Length, sha)
	if r.Broken {
		text = "broken off"
	}
	return text
}

// PieceByPiece tells whether an answer whose pieces come slowly reached the client as it came. Some
// clients hold pieces back by themselves, and all do on a busy machine.
func (s *Seen) PieceByPiece(e *Exchange) bool {
	return s.Spread >= int(e.Answer.Pause.Milliseconds())*(len(e.Answer.Pieces)-1)/2
}

// Slow tells whether an exchange's answer comes in pieces, with time between them.
func (e *Exchange) Slow() bool {
	return e.Answer.Pause > 0 && len(e.Answer.Pieces) > 1 && e.Answer.End == Whole
}

func interimText(list []Interim) string {
	var b strings.Builder
	for _, i := range list {
		fmt.Fprintf(&b, "%d", i.Status)
		for _, f := range sorted(i.Headers) {
			fmt.Fprintf(&b, " %s: %s", strings.ToLower(f[0]), f[1])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func sorted(list []Field) []Field {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Field) int { return strings.Compare(strings.ToLower(a[0]), strings.ToLower(b[0])) })
	return list
}

// without leaves out the fields that "framing", "body" and "trailer" compare. (On HTTP/2 the origin's
// library takes Trailer away.)
func without(list []Field, http2 bool) []Field {
	return slices.DeleteFunc(slices.Clone(list), func(f Field) bool {
		return strings.EqualFold(f[0], "Content-Length") || strings.EqualFold(f[0], "Transfer-Encoding") ||
			http2 && strings.EqualFold(f[0], "Trailer")
	})
}

type adder = func(where Where, field, a, b string)

// compareFields compares the values of each name, in the order of one name's fields.
func compareFields(where Where, what string, a, b []Field, add adder) {
	values := func(list []Field) map[string]string {
		m := map[string]string{}
		for _, f := range list {
			name := strings.ToLower(f[0])
			m[name] += "[" + f[1] + "]"
		}
		return m
	}
	va, vb := values(a), values(b)
	var names []string
	for name := range va {
		names = append(names, name)
	}
	for name := range vb {
		if _, both := va[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		add(where, what+" "+name, va[name], vb[name])
	}
}

// compareOrder compares the order and the case of the names that both sides have.
func compareOrder(where Where, a, b []Field, add adder) {
	ours := []string{"connection", "keep-alive"} // those of the caller's connection and of the server's have nothing in common
	common := func(list, other []Field) (names, order []string) {
		for _, f := range list {
			name := strings.ToLower(f[0])
			if slices.Contains(ours, name) || !slices.ContainsFunc(other, func(o Field) bool { return strings.EqualFold(o[0], name) }) {
				continue
			}
			names, order = append(names, f[0]), append(order, name)
		}
		slices.Sort(names)
		return slices.Compact(names), order
	}
	namesA, orderA := common(a, b)
	namesB, orderB := common(b, a)
	add(where, "names", strings.Join(namesA, " "), strings.Join(namesB, " "))
	add(where, "order", strings.Join(orderA, " "), strings.Join(orderB, " "))
}
