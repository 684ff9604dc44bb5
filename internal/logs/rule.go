package logs

import "causeway/internal/fault"

// symptom is what a failure looked like to the one who noticed it. Causes say which symptoms they
// can have.
type symptom uint16

const (
	symRefused symptom = 1 << iota // the connection was refused, or its socket is not there
	symClosed                      // closed or reset without a whole answer
	symTimeout                     // no answer in time
	symConnect                     // the connection was not made in time
	symNone                        // no server was there to choose
	symApp                         // the application answered with a 5xx itself
	symClient                      // the caller left
	symOther                       // a limit, a setting: says its cause by itself
)

// level orders what is found at one moment: what lies deeper explains what lies above it.
type level uint8

const (
	atProxy  level = iota // what a proxy noticed
	atChange              // a stop, a restart or a deployment that somebody wanted
	atApp                 // what the application, or who watches it, says
	atHost                // what the kernel says
)

// rule is one thing that a line can say.
type rule struct {
	id     string
	kind   fault.Kind
	cause  fault.Cause
	server string // whose words they are
	title  string // what happened, as a sentence without its subject's address
	// any lists ways to say it: a line that has all texts of one of them.
	any [][]string

	level    level
	shows    symptom // of a proxy's line: what it noticed
	explains symptom // of a deeper one: what it can be behind
	before   int64   // seconds after it in which failures can come from it
	process  string  // the text before the number of the process it is about
	vague    bool    // says only that something failed; a line of the same moment says what
	proxies  bool    // only in a Go proxy's log: an application's own says it of its own upstreams
	quiet    bool    // no cause of anything by itself: told only where it explains a failure
	fix      []string

	needles [][]int16
}

// catalogue is every rule, ready to be looked up.
type catalogue struct {
	rules   []rule
	byID    map[string]*rule
	byKind  map[fault.Kind]*rule
	needles *needles
	starts  map[int16][]place // by the first text of a way to say it
}

type place struct {
	rule *rule
	way  int
	rank int
}

// newCatalogue compiles the rules. The first rule in the list that a line fits is its rule.
func newCatalogue() *catalogue {
	c := &catalogue{byID: map[string]*rule{}, byKind: map[fault.Kind]*rule{}, starts: map[int16][]place{}}
	parts := [][]rule{nginxRules(), apacheRules(), haproxyRules(), envoyRules(), cloudRules(), caddyRules(), pythonRules(), runtimeRules(), kernelRules(), systemRules()}
	for _, part := range parts {
		c.rules = append(c.rules, part...)
	}
	var texts []string
	number := map[string]int16{}
	for i := range c.rules {
		r := &c.rules[i]
		c.byID[r.id] = r
		for w, way := range r.any {
			var set []int16
			for _, text := range way {
				n, ok := number[text]
				if !ok {
					n = int16(len(texts))
					number[text] = n
					texts = append(texts, text)
				}
				set = append(set, n)
			}
			r.needles = append(r.needles, set)
			c.starts[set[0]] = append(c.starts[set[0]], place{r, w, i})
		}
	}
	if len(texts) > int(most) {
		panic("logs: more texts than a line's set can hold")
	}
	c.needles = newNeedles(texts)
	for _, e := range fault.All() {
		c.byKind[e.Kind] = &rule{
			id: "causeway-" + string(e.Kind), kind: e.Kind, cause: e.Cause, server: "Causeway", title: e.Title,
			shows: shown(e.Kind), fix: e.OperatorAdvice,
		}
	}
	return c
}

// shown is the symptom that a kind of our own catalogue is, so that our calls are joined with what
// the application and the kernel say like any other proxy's.
func shown(k fault.Kind) symptom {
	switch k {
	case fault.ConnectionRefused, fault.SocketMissing, fault.ConnectReset:
		return symRefused
	case fault.ClosedBeforeResponse, fault.ResetBeforeResponse, fault.TruncatedHeader, fault.TruncatedBody, fault.ResetMidBody, fault.StaleConnection:
		return symClosed
	case fault.FirstByteTimeout, fault.IdleTimeout, fault.TotalTimeout, fault.SendTimeout:
		return symTimeout
	case fault.ConnectTimeout:
		return symConnect
	case fault.NoHealthyTarget, fault.BreakerOpen, fault.UpstreamUnavailable:
		return symNone
	case fault.UpstreamError:
		return symApp
	case fault.CallerGone:
		return symClient
	}
	return symOther
}

func (c *catalogue) ofKind(k fault.Kind) *rule { return c.byKind[k] }

// find is the first rule that a set of texts fits in a log of that form.
func (c *catalogue) find(set *found, f form) *rule {
	var best *rule
	rank := len(c.rules)
	for word, bits := range set {
		for bit := 0; bits != 0; bit++ {
			if bits&1 != 0 {
				for _, p := range c.starts[int16(word*64+bit)] {
					if p.rank < rank && (!p.rule.proxies || ofGoProxy(f)) && all(p.rule.needles[p.way], set) {
						best, rank = p.rule, p.rank
					}
				}
			}
			bits >>= 1
		}
	}
	return best
}

// ofGoProxy says whether a line is a Go proxy's own; formCount is a line that someone asks about.
func ofGoProxy(f form) bool {
	switch f {
	case formCaddy, formTraefik, formJSON, formCauseway, formCount:
		return true
	}
	return false
}

func all(needles []int16, set *found) bool {
	for _, n := range needles {
		if !set.has(n) {
			return false
		}
	}
	return true
}

// says is one way to say a thing: all of these texts.
func says(texts ...string) [][]string { return [][]string{texts} }

// either is several ways, of one text each.
func either(texts ...string) [][]string {
	out := make([][]string, len(texts))
	for i, t := range texts {
		out[i] = []string{t}
	}
	return out
}
