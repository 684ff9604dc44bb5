package cache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Control is what Cache-Control says (RFC 9111 section 5.2), of a request or an answer. A directive that may name
// fields (private, no-cache) counts for the whole answer.
type Control struct {
	NoStore, NoCache, Private, Public, MustRevalidate bool
	// Seconds; -1 where the directive is absent. One that can't be read is 0, which is stale at once.
	MaxAge, SMaxAge, MinFresh int64
}

// ParseControl reads the values of all Cache-Control fields of a message.
func ParseControl(values ...string) Control {
	c := Control{MaxAge: -1, SMaxAge: -1, MinFresh: -1}
	for _, v := range values {
		for len(v) > 0 {
			var name, arg string
			name, arg, v = directive(v)
			switch strings.ToLower(name) {
			case "no-store":
				c.NoStore = true
			case "no-cache":
				c.NoCache = true
			case "private":
				c.Private = true
			case "public":
				c.Public = true
			case "must-revalidate", "proxy-revalidate":
				c.MustRevalidate = true
			case "max-age":
				c.MaxAge = lesser(c.MaxAge, seconds(arg))
			case "s-maxage":
				c.SMaxAge = lesser(c.SMaxAge, seconds(arg))
			case "min-fresh":
				c.MinFresh = max(c.MinFresh, seconds(arg))
			}
		}
	}
	return c
}

// directive takes the first directive off a list: its name, its argument without quotes, and the rest.
func directive(v string) (name, arg, rest string) {
	v = strings.TrimLeft(v, " \t,")
	i := strings.IndexAny(v, "=,")
	if i < 0 {
		return strings.TrimSpace(v), "", ""
	}
	name = strings.TrimSpace(v[:i])
	if v[i] == ',' {
		return name, "", v[i+1:]
	}
	v = strings.TrimLeft(v[i+1:], " \t")
	if !strings.HasPrefix(v, `"`) {
		arg, rest, _ = strings.Cut(v, ",")
		return name, strings.TrimSpace(arg), rest
	}
	var b strings.Builder
	for i = 1; i < len(v) && v[i] != '"'; i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		b.WriteByte(v[i])
	}
	_, rest, _ = strings.Cut(v[min(i, len(v)):], ",")
	return name, b.String(), rest
}

// longest is the most seconds that count (RFC 9111 section 1.2.2).
const longest = 1 << 31

func seconds(s string) int64 {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > longest {
		return longest
	}
	return n
}

// lesser is the smaller of two, where a is not -1: of directives that contradict each other the stricter counts.
func lesser(a, b int64) int64 {
	if a < 0 {
		return b
	}
	return min(a, b)
}

// Exchange is what the rules are about: a request that was forwarded, and its answer.
type Exchange struct {
	Status int
	// Answer are the values of a field of the answer, in order.
	Answer func(name string) []string
	// Credentials: the request carried the caller's own to the upstream.
	Credentials bool
	// Delay is how long the answer took to begin, Now when it did.
	Delay time.Duration
	Now   time.Time
	// TTL is how long an answer is fresh that says nothing of it.
	TTL time.Duration
}

// Storing is how an answer may be kept.
type Storing struct {
	Lifetime       time.Duration // how much longer it is fresh
	Age            time.Duration
	MustRevalidate bool     // it may not serve once it is stale
	Vary           []string // in lower case, sorted; nil for none
}

// mostVary is how many fields an answer may vary by.
const mostVary = 16

// Storable tells how a shared cache may keep the answer to a GET; why is in a phrase what forbids it, "" where nothing
// does. Source: RFC 9111 sections 3 and 4.2, RFC 9110 section 15.1.
func (x *Exchange) Storable() (s Storing, why string) {
	switch x.Status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414:
	default:
		return s, "answers of status " + strconv.Itoa(x.Status) + " are not kept"
	}
	cc := ParseControl(x.Answer("Cache-Control")...)
	switch {
	case cc.NoStore:
		return s, "the answer says no-store"
	case cc.Private:
		return s, "the answer says private"
	case cc.NoCache:
		return s, "the answer says no-cache"
	case len(x.Answer("Set-Cookie")) > 0:
		return s, "the answer sets a cookie"
	case len(x.Answer("Content-Range")) > 0:
		return s, "the answer is a part"
	case x.Credentials && !cc.Public && cc.SMaxAge < 0 && !cc.MustRevalidate:
		return s, "the call carried credentials to the upstream, and the answer is not said to be public"
	}
	if s.Vary, why = x.vary(); why != "" {
		return s, why
	}
	s.Age = x.age()
	life := x.lifetime(cc)
	if s.Lifetime = min(life-s.Age, MaxLifetime); s.Lifetime <= 0 {
		return s, "the answer is stale already"
	}
	s.MustRevalidate = cc.MustRevalidate || cc.SMaxAge >= 0
	return s, ""
}

// lifetime is how long an answer is fresh from when it was made.
func (x *Exchange) lifetime(cc Control) time.Duration {
	switch {
	case cc.SMaxAge >= 0:
		return time.Duration(cc.SMaxAge) * time.Second
	case cc.MaxAge >= 0:
		return time.Duration(cc.MaxAge) * time.Second
	}
	expires := x.Answer("Expires")
	if len(expires) == 0 {
		return x.TTL
	}
	at, err := http.ParseTime(expires[0])
	if err != nil || len(expires) > 1 {
		return 0 // "0" and the like mean in the past
	}
	return max(at.Sub(x.date()), 0)
}

func (x *Exchange) date() time.Time {
	if d := x.Answer("Date"); len(d) > 0 {
		if t, err := http.ParseTime(d[0]); err == nil {
			return t
		}
	}
	return x.Now
}

// age is how old the answer is that has just come (RFC 9111 section 4.2.3).
func (x *Exchange) age() time.Duration {
	apparent := max(x.Now.Truncate(time.Second).Sub(x.date()), 0)
	said := x.Answer("Age")
	if len(said) == 0 {
		return apparent
	}
	return max(apparent, time.Duration(seconds(strings.TrimSpace(said[0])))*time.Second+x.Delay)
}

// vary are the fields that the answer depends on. Beside those that it names these are the ones that it must depend on
// by what it is: a coding that was negotiated, an origin that was let in.
func (x *Exchange) vary() (names []string, why string) {
	for _, v := range x.Answer("Vary") {
		for name := range strings.SplitSeq(v, ",") {
			switch name = strings.ToLower(strings.TrimSpace(name)); name {
			case "":
			case "*":
				return nil, "the answer says Vary: *"
			default:
				names = append(names, name)
			}
		}
	}
	if coding := x.Answer("Content-Encoding"); len(coding) > 0 && !strings.EqualFold(coding[0], "identity") {
		names = append(names, "accept-encoding")
	}
	if origin := x.Answer("Access-Control-Allow-Origin"); len(origin) > 0 && origin[0] != "*" {
		names = append(names, "origin")
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > mostVary {
		return nil, "the answer varies by too many fields"
	}
	return names, ""
}

// Variant is what tells the answers to one address apart: the values that a request has of the fields named.
func Variant(names []string, request func(name string) []string) [][]byte {
	parts := make([][]byte, 0, 2*len(names))
	for _, name := range names {
		values := request(name)
		text := strings.Join(values, ",")
		if len(values) == 0 {
			text = "\x00" // absent is another thing than empty
		}
		parts = append(parts, []byte(name), []byte(plain(text)))
	}
	return parts
}

// plain is a field's value without the white space that means nothing.
func plain(s string) string {
	var b strings.Builder
	for i, part := range strings.Split(s, ",") {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.TrimSpace(part))
	}
	return b.String()
}

// Unchanged tells whether a conditional GET or HEAD is answered with 304 (Not Modified) from a kept answer (RFC 9110
// sections 13.1.2, 13.1.3 and 13.2.2).
func (a *Answer) Unchanged(request func(name string) []string) bool {
	if a.Status != http.StatusOK {
		return false
	}
	if match := request("If-None-Match"); len(match) > 0 {
		tag := string(a.Get("ETag"))
		for _, v := range match {
			if strings.TrimSpace(v) == "*" || tag != "" && hasTag(v, tag) {
				return true
			}
		}
		return false
	}
	since := request("If-Modified-Since")
	if len(since) != 1 {
		return false
	}
	then, err := http.ParseTime(since[0])
	if err != nil {
		return false
	}
	modified, err := http.ParseTime(string(a.Get("Last-Modified")))
	return err == nil && !modified.After(then)
}

// hasTag tells whether a list of entity tags has one, by weak comparison (RFC 9110 section 8.8.3.2).
func hasTag(list, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for list = strings.TrimLeft(list, " \t,"); list != ""; list = strings.TrimLeft(list, " \t,") {
		list = strings.TrimPrefix(list, "W/")
		if list[0] != '"' {
			return false
		}
		end := strings.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		if list[:end+2] == tag {
			return true
		}
		list = list[end+2:]
	}
	return false
}
