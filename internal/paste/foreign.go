package paste

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
)

// foreign asks the gateway's own rules whose answer it is, and adds what they know to what the page said.
func (r *reader) foreign(body []byte, h *head) {
	status, get := 0, func(string) string { return "" }
	switch {
	case h != nil && h.status < 400:
		return
	case h != nil:
		status, get = h.status, func(name string) string { return h.fields.Get(name) }
	case !bytes.HasPrefix(body, []byte{'<'}):
		return // only a page: words that are a proxy's can stand in anybody's text
	}
	f := diagnose.ReadForeign(status, get, body[:min(len(body), 4<<10)])
	if f == nil || f.Through || f.Vendor == "" || strings.Contains(f.Vendor, "Causeway") {
		return
	}
	for i := range r.r.Findings {
		if same := &r.r.Findings[i]; same.rank >= rankStatus+5 && same.rank < rankOurs-10 && sameVendor(same.Who, f.Vendor) {
			same.enrich(f)
			return
		}
	}
	if f.Says == "" {
		return
	}
	n := Finding{What: "an answer of another proxy's", Who: f.Vendor, Status: status, rank: rankPage - 1}
	if n.Kind = diagnose.Passed(status, get); n.Kind == "" {
		n.Title, n.Cause, n.Retry = clip(f.Vendor+" refuses the call"), fault.Configuration, fault.No
	}
	n.Meaning = clip(f.Vendor + ": " + f.Says + ".")
	n.enrich(f)
	r.add(n)
}

// enrich adds the rules' knowledge of a vendor's answer.
func (f *Finding) enrich(v *diagnose.Foreign) {
	if v.Says != "" {
		line := v.Vendor + " means: " + v.Says
		if v.Code != "" {
			line = fmt.Sprintf("%s (%s) means: %s", v.Vendor, v.Code, v.Says)
		}
		f.Seen = append(f.Seen, cleanAll(line))
	}
	if v.Cause != "" {
		f.Cause = v.Cause
	}
	if v.Key != "" {
		f.Advice = append(f.Advice, "The setting that decides is "+cleanAll(v.Key)+".")
	}
	for _, a := range v.Advice {
		if a = cleanAll(a); !slices.Contains(f.Advice, a) {
			f.Advice = append(f.Advice, a)
		}
	}
}

// sameVendor tells whether two names mean the same proxy: "Apache" and "Apache httpd", "CloudFront" and "Amazon
// CloudFront".
func sameVendor(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return strings.Contains(a, b) || strings.Contains(b, a)
}
