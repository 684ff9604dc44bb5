package fault

// The catalogue is one table in the order of kinds.go, split by whose side a failure is on. Its
// values come from RFC 9209 section 2.3 (error types and their statuses), RFC 9110 (statuses)
// and, for the cause and the letter, from what each failure means on the wire. Every row is
// complete; the tests of this package hold it to that and make docs/failures.md from it.
var catalogue = withHost(join(roadRows, tlsRows, answerRows, http2Rows, tunnelRows, choosingRows, upstreamRows, rpcRows, modelRows, moneyRows, callerRows, doorTLSRows, doorProxyRows, gatewayRows, hostRows))

var byKind = index(catalogue)

func join(parts ...[]Entry) []Entry {
	var all []Entry
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func index(rows []Entry) map[Kind]*Entry {
	m := make(map[Kind]*Entry, len(rows))
	for i := range rows {
		m[rows[i].Kind] = &rows[i]
	}
	return m
}

// Lookup returns the catalogue's row of k, nil when there is none. The row is shared and must
// not be changed. It may be called concurrently.
func Lookup(k Kind) *Entry { return byKind[k] }

// All returns every row in the catalogue's order. The slice is shared and must not be changed.
func All() []Entry { return catalogue }

// entryOf is Lookup for rendering: a finding read from an older or newer version's record may
// have a kind that this catalogue lacks, and still has to be told.
func entryOf(k Kind) *Entry {
	if e := byKind[k]; e != nil {
		return e
	}
	e := *byKind[Unclassified]
	e.Kind = k
	return &e
}

// Advice that many rows share.
const (
	tellOperator  = "Nothing is wrong on your side. Tell whoever runs this API, and give the call id."
	repeatFreely  = "The request did no work, so it can be sent again. If it keeps failing, tell whoever runs this API, and give the call id."
	repeatCareful = RepeatCareful
	curlTarget    = "From the gateway's host try the target directly, with curl -v and the target's URL: the same failure there rules the gateway out."
)
