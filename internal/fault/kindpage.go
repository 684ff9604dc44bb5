package fault

import "strconv"

// kindPage is what the template "kind" shows.
type kindPage struct {
	Heading, Title, Explain, Status, Cause, Again, Proxy, IndexURL string
	Way                                                            *way
	Kind                                                           Kind
	CallerAdvice, OperatorAdvice                                   []string
	DependsOn                                                      []kindLink
}

type kindLink struct {
	Kind Kind
	URL  string
}

// FailurePage appends the page of the kind e, for FailuresPath + kind. Of v only PublicURL counts.
func FailurePage(dst []byte, e *Entry, v View) []byte {
	p := kindPage{
		Heading: e.Title, Title: e.Title, Explain: e.Explain, Status: e.statusText(), Cause: causeText(e.Cause), Again: e.Again.text(),
		Proxy: e.Proxy, IndexURL: v.PublicURL + FailuresPath, Way: wayOf(e.At), Kind: e.Kind,
		CallerAdvice: e.CallerAdvice, OperatorAdvice: e.OperatorAdvice,
	}
	for _, k := range e.DependsOn {
		p.DependsOn = append(p.DependsOn, kindLink{k, v.typeURL(k)})
	}
	return page(dst, "kind", p)
}

// AppendEntry appends the row e as a JSON object, for FailuresPath + kind. Of v only PublicURL counts.
func AppendEntry(dst []byte, e *Entry, v View) []byte {
	o := object{dst: dst}
	o.open()
	o.str("type", v.typeURL(e.Kind))
	o.str("kind", string(e.Kind))
	o.str("title", e.Title)
	o.num("status", int64(e.Status))
	o.str("proxy_status_error", e.Proxy)
	o.str("cause", string(e.Cause))
	o.str("place", e.At.String())
	o.str("repeated_by_gateway", e.Again.text())
	o.str("explanation", e.Explain)
	o.strs("caller_advice", e.CallerAdvice)
	o.strs("operator_advice", e.OperatorAdvice)
	behind := make([]string, len(e.DependsOn))
	for i, k := range e.DependsOn {
		behind[i] = string(k)
	}
	o.strs("depends_on", behind)
	o.close()
	return o.dst
}

// indexPage is what the template "index" shows.
type indexPage struct {
	Unknown string
	Groups  []indexGroup
}

type indexGroup struct {
	Name string
	Rows []indexRow
}

type indexRow struct {
	URL, Title, Status string
	Kind               Kind
}

// groups are the parts of the catalogue under the names that pages and documentation give them.
func groups() []group {
	return []group{
		{"On the way to the upstream", roadRows},
		{"TLS with the upstream", tlsRows},
		{"The request sent, and the answer", answerRows},
		{"HTTP/2 with the upstream", http2Rows},
		{"Tunnels (WebSocket)", tunnelRows},
		{"Choosing a target", choosingRows},
		{"Answered by the upstream itself", upstreamRows},
		{"gRPC", rpcRows},
		{"Models and their providers", modelRows},
		{"What applications may use", moneyRows},
		{"On the caller's side", callerRows},
		{"TLS with the caller", doorTLSRows},
		{"The load balancer before the gateway", doorProxyRows},
		{"The gateway itself", gatewayRows},
		{"The gateway's host", hostRows},
	}
}

type group struct {
	name string
	rows []Entry
}

// IndexPage appends the page that lists every kind, for FailuresPath alone. unknown is a kind
// that was asked for and does not exist, else "".
func IndexPage(dst []byte, unknown string, v View) []byte {
	p := indexPage{Unknown: unknown}
	for _, g := range groups() {
		rows := make([]indexRow, len(g.rows))
		for i := range g.rows {
			e := &g.rows[i]
			rows[i] = indexRow{URL: v.typeURL(e.Kind), Title: e.Title, Status: e.statusText(), Kind: e.Kind}
		}
		p.Groups = append(p.Groups, indexGroup{g.name, rows})
	}
	return page(dst, "index", p)
}

// AppendIndex appends every row as a JSON object {"failures": [...]}, for FailuresPath alone.
func AppendIndex(dst []byte, v View) []byte {
	dst = append(dst, `{"failures":[`...)
	for i := range catalogue {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendEntry(dst, &catalogue[i], v)
	}
	return append(dst, "]}"...)
}

// statusText is the status of the row as documentation tells it.
func (e *Entry) statusText() string {
	switch {
	case e.Kind == CallerGone:
		return "499, in the log only"
	case e.Status == 0 && e.Kind == GatewayKilled:
		return "none: the connection was lost"
	case e.Status == 0:
		return "the upstream's own"
	default:
		return statusText(e.Status)
	}
}

func statusText(status int) string { return strconv.Itoa(status) }

// text says what the letter means for the gateway's own attempts.
func (a Again) text() string {
	switch a {
	case Always:
		return "always: nothing had reached the application"
	case Idempotent:
		return "only if the method is idempotent or the call carries Idempotency-Key"
	case Delayed:
		return "after a pause"
	case Elsewhere:
		return "not on this target; another one may answer"
	default:
		return "never"
	}
}
