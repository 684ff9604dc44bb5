package paste

import (
	"regexp"
	"strconv"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/logs"
)

var (
	kindWord    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(?:[_ -][A-Za-z0-9]+)*$`)
	cfWord      = regexp.MustCompile(`(?i)^(?:cloudflare )?(?:error )?(?:code:?|error)? ?:? ?(5[23]\d|1[0-2]\d\d)$`)
	haproxyWord = regexp.MustCompile(`^[CSPLRIDUKcs][RQCHDLT][-NIDVEORU]?[-NIUPRD]?$|^[-]{2,4}$`)
	envoyWord   = regexp.MustCompile(`^[A-Z]{2,6}(?:,[A-Z]{2,6})*$`)
	herokuWord  = regexp.MustCompile(`^[HR]\d\d$`)
	errnoWord   = regexp.MustCompile(`^E[A-Z]{3,}$`)
)

// word explains a text that is one word or code.
func (r *reader) word(text string) {
	if len(text) > 80 || strings.ContainsAny(text, "\n{<") {
		return
	}
	if known := fault.Lookup(fault.Kind(text)) != nil; !known {
		if r.codes(text, true); len(r.r.Findings) > 0 {
			return
		}
	}
	name := strings.ToLower(strings.NewReplacer("-", "_", " ", "_").Replace(strings.TrimPrefix(text, fault.FailuresPath)))
	if e := fault.Lookup(fault.Kind(name)); e != nil && kindWord.MatchString(strings.TrimPrefix(text, fault.FailuresPath)) {
		advice := e.OperatorAdvice
		if e.Cause == fault.Caller {
			advice = append(append([]string(nil), e.CallerAdvice...), advice...)
		}
		r.add(Finding{
			What: "a kind of the catalogue", Who: "Causeway", Kind: e.Kind, Status: e.Status, Advice: advice, rank: rankWord,
			Seen: []string{"the word is " + name},
		})
		return
	}
	if m := cfWord.FindStringSubmatch(text); m != nil {
		code, _ := strconv.Atoi(m[1])
		if r.cloudflare(code, true) {
			return
		}
	}
	if herokuWord.MatchString(text) {
		r.pages([]byte("code="+text), nil)
		return
	}
	if n, ok := isStatus(text); ok {
		r.status(n, "a status alone", "a server")
		return
	}
	if errnoWord.MatchString(text) {
		return // an exception's word
	}
	// Of two capitals without dashes both can be meant; what Envoy knows is its own.
	if envoyWord.MatchString(text) {
		r.code(r.known.Flag(text), "Envoy's response flag", text)
	}
	if len(r.r.Findings) == 0 && haproxyWord.MatchString(text) {
		r.code(r.known.Termination(text), "HAProxy's termination state", text)
	}
	if len(r.r.Findings) == 0 && kindWord.MatchString(text) {
		if near := nearestKind(name); near != "" {
			r.r.Notes = append(r.r.Notes, "the nearest kind of the catalogue is "+near)
		}
	}
}

// code tells what a log's code says.
func (r *reader) code(k *logs.Known, what, code string) {
	if k == nil {
		return
	}
	f := ofKnown(k)
	f.What, f.rank, f.Seen = what, rankWord, []string{"the code is " + code}
	r.add(f)
}

// ofKnown is what a server's log says, as a finding.
func ofKnown(k *logs.Known) Finding {
	title := strings.ToUpper(k.Title[:1]) + k.Title[1:]
	return Finding{Who: k.Server, Kind: k.Kind, Cause: k.Cause, Title: title, Meaning: title + ".", Advice: k.Advice}
}

// nearestKind is a kind with nearly the same words, "" when there is none.
func nearestKind(name string) string {
	best, score := "", 0
	words := strings.Split(name, "_")
	for _, e := range fault.All() {
		n := 0
		for _, w := range words {
			if len(w) > 2 && strings.Contains(string(e.Kind), w) {
				n++
			}
		}
		if n > score {
			best, score = string(e.Kind), n
		}
	}
	if score*2 <= len(words) {
		return ""
	}
	return best
}
