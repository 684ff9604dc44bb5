package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/journey"
)

// ReproOptions say how a kept call is sent again.
type ReproOptions struct {
	// Options' Config and Compile must be set; Gateway and Key are where callers call and an application's key.
	Options
	Call *journey.Journey // with its kept bodies
	Kind fault.Kind       // what the rules say of it, "" when nothing failed
	// Unsafe allows a method that may write, or bill, once more for each way.
	Unsafe bool
	// Only is "direct", "gateway", or "" for both.
	Only string
	// Query is sent in place of the kept one, Headers ("Name: value") in place of kept fields of the same names and
	// beside the others.
	Query   string
	Headers []string
	// Body is sent in place of the kept one, when not nil.
	Body []byte
}

// Repro is what came of sending a call again.
type Repro struct {
	CallID      string       `json:"call_id"`
	Method      string       `json:"method"`
	Path        string       `json:"path"`
	Service     string       `json:"service,omitempty"`
	Model       string       `json:"model,omitempty"` // as the caller named it, of a call to a model
	Target      string       `json:"target"`
	Kept        ReproAnswer  `json:"kept"`
	Direct      *ReproAnswer `json:"direct,omitempty"`
	Gateway     *ReproAnswer `json:"gateway,omitempty"`
	Differences []string     `json:"differences,omitempty"` // between direct and gateway
	Meaning     string       `json:"meaning"`
	Advice      []string     `json:"advice,omitempty"`
	Notes       []string     `json:"notes,omitempty"` // what was not sent as the caller had sent it
	Script      string       `json:"script"`          // for the upstream's owner: POSIX sh with curl, without secrets

	sent time.Time
}

// ReproAnswer is an answer, or why there was none.
type ReproAnswer struct {
	Status      int        `json:"status"` // 0: none came
	Kind        fault.Kind `json:"kind,omitempty"`
	Detail      string     `json:"detail,omitempty"`
	MS          float64    `json:"ms"`
	FirstByteMS float64    `json:"first_byte_ms,omitempty"`
	Phases      string     `json:"phases,omitempty"`
	Bytes       int        `json:"bytes"`
	Body        string     `json:"body,omitempty"` // its beginning
	CallID      string     `json:"call_id,omitempty"`

	header http.Header
	body   []byte
	whole  bool
}

// UnsafeError says that a call is not sent again unasked.
type UnsafeError struct{ Method string }

func (e *UnsafeError) Error() string {
	return e.Method + " is not sent again unasked: the work may have been done, and would be done, or billed, once more for each way it is sent"
}

// reproLimits are longer than an examination's: the call may be meant to take its time.
var reproLimits = Limits{Connect: 20 * time.Second, FirstByte: 90 * time.Second, Idle: 90 * time.Second, Total: 100 * time.Second}

// Reproduce sends a kept call again, directly to its upstream and through the gateway, and compares. The error
// wraps ErrCannotLook when it can't be sent as it was, or is an *UnsafeError.
func Reproduce(ctx context.Context, o ReproOptions) (*Repro, error) {
	o.Options.Limits = reproLimits
	d := &doctor{o: o.Options, began: time.Now(), direct: map[string]*look{}}
	svc, err := d.reproducible(&o)
	if err != nil {
		return nil, err
	}
	s := o.again()
	if d.gen, err = o.Compile(o.Config); err != nil {
		return nil, cannotf("the configuration cannot be put together: %v", err)
	}
	defer d.gen.Retire(nil)
	if svc == nil {
		return d.reproduceModel(ctx, &o)
	}
	p, err := d.target(&o, svc)
	if err != nil {
		return nil, err
	}
	j := o.Call
	r := &Repro{CallID: j.ID.String(), Method: j.Method, Path: j.Path, Service: j.Service, Target: p.target(), Kept: keptAnswer(j, o.Kind), sent: d.began}
	rq := request{method: j.Method, body: o.Body, fields: s.fields}
	r.Notes = append(r.Notes, s.notes(&o, "services."+svc.Name+".keep_bodies")...)
	r.Notes = append(r.Notes, p.notes(&o, svc)...)
	if rq.body == nil {
		rq.body = j.RequestBody
	}
	if len(rq.body) > 0 && headField(rq.fields, "content-type") == "" {
		kind := contentType(rq.body)
		rq.fields = append(rq.fields, "Content-Type: "+kind+"\r\n"...)
		r.Notes = append(r.Notes, "no Content-Type is kept: "+kind+" is sent, by the looks of the body (--header)")
	}
	if len(rq.body) == 0 {
		rq.body = nil
	}
	route := routeOf(svc, j.Route)
	if o.Only != "gateway" {
		direct := rq
		direct.path, direct.fields = d.upstreamPath(p, j, route)+query(s.query), without(rq.fields, &svc.Upstream.Headers)
		r.Direct = answerOfRepro(d.send(ctx, p, direct))
		r.Script = script(&o, svc, p, &direct, r)
	}
	if o.Only != "direct" && o.Gateway != "" {
		rq.path = j.Path + query(s.query)
		if r.Gateway, err = d.throughIt(ctx, &o, route, rq, "apikey: "); err != nil {
			return nil, err
		}
	}
	if r.Direct != nil && r.Gateway != nil {
		r.Differences = differences(r.Direct, r.Gateway)
	}
	r.conclude(&o)
	return r, nil
}

// reproducible says why a call can't be sent again, and finds its service.
func (d *doctor) reproducible(o *ReproOptions) (*catalog.Service, error) {
	j := o.Call
	switch {
	case j.Service == "" && j.Model == "":
		return nil, cannotf("the call reached no service and no model: nothing was sent to an upstream, and its explanation says why")
	case j.RPC != nil:
		return nil, cannotf("it is a gRPC call, whose messages are not kept whole")
	case o.Config == nil:
		return nil, cannotf("no configuration is known")
	case j.Service != "" && o.Config.Services[j.Service] == nil:
		return nil, cannotf("%s has no service %q any more", d.configName(), j.Service)
	}
	svc := o.Config.Services[j.Service] // nil for a model
	s, keep := o.again(), keepModels
	if svc != nil {
		keep = "services." + svc.Name + ".keep_bodies"
	}
	if err := o.wholeBody(keep, &s); err != nil {
		return nil, err // before it is asked whether it may be sent
	}
	switch j.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
	default:
		if !o.Unsafe {
			return nil, &UnsafeError{j.Method}
		}
	}
	for _, h := range o.Headers {
		name, _, ok := strings.Cut(h, ":")
		if !ok || name == "" || strings.ContainsAny(h, "\r\n\x00") || strings.ContainsAny(name, " \t") {
			return nil, cannotf("the header %q is not NAME: VALUE", clip(name))
		}
		switch strings.ToLower(name) {
		case "host", "content-length", "transfer-encoding", "connection":
			return nil, cannotf("the header %s is not the caller's to choose here", name)
		}
	}
	if strings.ContainsAny(o.Query, " \r\n\x00#") || strings.ContainsAny(o.Key, "\r\n\x00") {
		return nil, cannotf("the query or the key has a character that it can't have")
	}
	return svc, nil
}

// target is the place that the call went to last.
func (d *doctor) target(o *ReproOptions, svc *catalog.Service) (*place, error) {
	chosen, went := -1, ""
	for i := range o.Call.Attempts {
		went = o.Call.Attempts[i].Target
	}
	for i, t := range svc.Upstream.Targets {
		if went != "" && TargetAuthority(t.URL) == TargetAuthority(went) {
			chosen = i
		}
	}
	if chosen < 0 {
		if len(svc.Upstream.Targets) == 0 {
			return nil, cannotf("%s has no target", svc.Name)
		}
		chosen = 0
	}
	p, err := d.place(svc.Upstream.Targets[chosen].URL, &svc.Upstream.Timeouts)
	if err != nil {
		return nil, err
	}
	prefix := *p.url
	if err := d.dress(p, svc); err != nil {
		return nil, err
	}
	p.url = &prefix // dress asks for the health path
	if svc.Upstream.Host == "caller" && o.Call.Host != "" {
		p.host = o.Call.Host
	}
	return p, nil
}

// notes are what is not as the caller had it.
func (p *place) notes(o *ReproOptions, svc *catalog.Service) []string {
	var list []string
	if o.Body != nil {
		list = append(list, "the body is the one that was given, not the kept one")
	}
	if n := len(o.Call.Attempts); n == 0 {
		list = append(list, "the call never reached an upstream: "+p.target()+" was not asked then")
	} else if went := o.Call.Attempts[n-1].Target; TargetAuthority(went) != authorityOfPlace(p) {
		list = append(list, "the call's target is not in the configuration any more; "+p.target()+" is asked")
	}
	if len(svc.Upstream.Targets) > 1 {
		list = append(list, "the gateway may choose another target of "+svc.Name)
	}
	return list
}

func routeOf(svc *catalog.Service, pattern string) *catalog.Route {
	for i := range svc.Routes {
		if svc.Routes[i].Path == pattern {
			return &svc.Routes[i]
		}
	}
	return &catalog.Route{Path: pattern}
}

// upstreamPath is the path that the gateway sends for the call.
func (d *doctor) upstreamPath(p *place, j *journey.Journey, r *catalog.Route) string {
	path := j.Path
	if r.StripPrefix {
		found := d.gen.Routes.Match(j.Method, []byte(j.Host), []byte(path), func(string) []byte { return nil })
		if found.Rule >= 0 {
			path = string(d.gen.Routes.Strip(found.Rule, []byte(path)))
		}
	}
	if p.unix() {
		return path
	}
	return strings.TrimRight(p.url.EscapedPath(), "/") + path
}

// send makes one request to a place; what keeps it from being made is in the answer.
func (d *doctor) send(ctx context.Context, p *place, rq request) *answer {
	var at netip.AddrPort
	fail := func() *answer {
		g := &answer{method: rq.method, fields: map[string]string{}}
		g.finding = d.steps[len(d.steps)-1].finding
		if g.finding == nil {
			g.finding = &fault.Finding{Kind: fault.Unclassified, Detail: d.steps[len(d.steps)-1].Text}
		}
		return g
	}
	if !p.unix() {
		list, ok := d.names(ctx, p)
		if !ok {
			return fail()
		}
		open, ok := d.connections(ctx, p, list)
		if !ok {
			return fail()
		}
		at = open[0]
	}
	road, err := d.open(p, at)
	if err != nil {
		return &answer{method: rq.method, fields: map[string]string{}, finding: &fault.Finding{Kind: fault.Unclassified, Detail: err.Error()}}
	}
	defer road.Close()
	return d.exchange(ctx, p, road, rq)
}

// throughIt sends the call to the gateway as a caller does.
// The application's key goes in the field that key names.
func (d *doctor) throughIt(ctx context.Context, o *ReproOptions, route *catalog.Route, rq request, key string) (*ReproAnswer, error) {
	p, err := d.place(o.Gateway, nil)
	if err != nil {
		return nil, err
	}
	p.named = true
	if len(route.Hosts) > 0 && o.Call.Host != "" {
		p.host = o.Call.Host
	}
	for name, value := range route.MatchHeaders {
		if value != "*" && headField(rq.fields, name) == "" && !strings.ContainsAny(value, "\r\n\x00") {
			rq.fields = append(rq.fields, name+": "+value+"\r\n"...)
		}
	}
	if o.Key != "" {
		p.fields = []byte(key + o.Key + "\r\n")
	}
	return answerOfRepro(d.send(ctx, p, rq)), nil
}

func query(q string) string {
	if q = strings.TrimPrefix(q, "?"); q == "" {
		return ""
	}
	return "?" + q
}

// contentType guesses what a body is.
func contentType(body []byte) string {
	trimmed := bytes.TrimSpace(body)
	switch {
	case json.Valid(trimmed):
		return "application/json"
	case bytes.HasPrefix(trimmed, []byte("<")):
		return "application/xml"
	case bytes.ContainsRune(trimmed, '=') && !bytes.ContainsAny(trimmed, " \n{"):
		return "application/x-www-form-urlencoded"
	}
	return "text/plain"
}

// keptAnswer is the answer that the call log has.
func keptAnswer(j *journey.Journey, kind fault.Kind) ReproAnswer {
	a := ReproAnswer{Status: j.Status, Kind: kind, MS: millis(j.Total), FirstByteMS: millis(j.FirstByte), Bytes: int(j.BytesOut), Body: excerpt(j.ResponseBody), body: j.ResponseBody}
	a.whole = int64(len(j.ResponseBody)) == j.BytesOut
	return a
}

// answerOfRepro is what came of an exchange.
func answerOfRepro(g *answer) *ReproAnswer {
	a := &ReproAnswer{Status: g.status, MS: millis(g.took), FirstByteMS: millis(g.attempt.FirstByte), Phases: phaseLine(&g.attempt), header: http.Header{}, whole: g.whole, CallID: clip(g.fields["causeway-call-id"])}
	if f := g.finding; f != nil {
		a.Kind, a.Detail = f.Kind, f.Detail
	}
	for name, value := range g.fields {
		a.header.Set(name, value)
	}
	text, ok := g.text()
	if !ok {
		text = g.body
	}
	a.body, a.Bytes, a.Body = text, len(g.body), excerpt(text)
	if k := fault.Kind(g.fields["causeway-finding"]); fault.Lookup(k) != nil { // what a gateway has read in an answer
		a.Kind = k
	}
	var llm struct{ Error struct{ Causeway own } }
	if a.CallID != "" && json.Unmarshal(g.body, &llm) == nil && fault.Lookup(llm.Error.Causeway.Kind) != nil {
		a.Kind, a.Detail = llm.Error.Causeway.Kind, clip(llm.Error.Causeway.Detail)
	}
	var o own
	if strings.HasPrefix(g.fields["content-type"], "application/problem+json") && json.Unmarshal(g.body, &o) == nil && fault.Lookup(o.Kind) != nil && a.CallID != "" {
		a.Kind, a.Detail = o.Kind, clip(o.Detail)
	}
	return a
}

// excerpt is the beginning of a body as a report shows it.
func excerpt(body []byte) string {
	const most = 1000
	if len(body) > most {
		return fault.Clean(string(body[:most])) + "..."
	}
	return fault.Clean(string(body))
}

// asked is what the call was for, as causeway doctor names it.
func (r *Repro) asked() string {
	if r.Model != "" {
		return "model:" + r.Model
	}
	return "service:" + r.Service
}

// conclude says what the two answers mean.
func (r *Repro) conclude(o *ReproOptions) {
	d, g, k := r.Direct, r.Gateway, &r.Kept
	failed := func(a *ReproAnswer) bool { return a.Kind != "" || a.Status == 0 || a.Status >= 500 }
	told := func(a *ReproAnswer) string {
		switch {
		case a.Status == 0:
			return "fails (" + string(a.Kind) + ")"
		case a.Kind != "":
			return fmt.Sprintf("is %d (%s)", a.Status, a.Kind)
		}
		return fmt.Sprintf("is %d", a.Status)
	}
	then := fmt.Sprintf("The call was answered with %d", k.Status)
	if k.Kind != "" {
		then += " (" + string(k.Kind) + ")"
	}
	switch {
	case d == nil || g == nil:
		one, way := d, "directly"
		if one == nil {
			one, way = g, "through the gateway"
		}
		if one == nil {
			r.Meaning = then + ". It was not sent again: no gateway is known (--gateway)."
			return
		}
		r.Meaning = fmt.Sprintf("%s; sent again %s it %s.", then, way, told(one))
	case g.Kind == fault.KeyMissing || g.Kind == fault.KeyUnknown || g.Kind == fault.KeyExpired || g.Kind == fault.NotSubscribed:
		r.Meaning = fmt.Sprintf("%s. Directly it %s. The gateway wants a key of an application that may call %s, which is not kept: the two can't be compared without one.", then, told(d), r.asked())
		r.Advice = []string{"Give a key with --key or CAUSEWAY_KEY."}
	case failed(d) && failed(g):
		r.Meaning = fmt.Sprintf("It fails both ways: directly it %s, through the gateway it %s. The upstream fails by itself, and the gateway tells it.", told(d), told(g))
		r.Advice = []string{"Hand the script to the upstream's owner: it shows the failure without the gateway."}
	case failed(d):
		r.Meaning = fmt.Sprintf("Directly it %s, and through the gateway it %s: another target, a retry or the next moment answered. The failure comes and goes.", told(d), told(g))
		r.Advice = []string{"Repeat it: the share that fails tells how often.", "causeway doctor " + r.asked() + " asks each target."}
	case failed(g):
		r.Meaning = fmt.Sprintf("Directly it %s, and through the gateway it %s: the difference is in the gateway, or in what it sends.", told(d), told(g))
		r.Advice = []string{differs(g.Kind)}
		if g.CallID != "" {
			r.Advice = append(r.Advice, "causeway explain "+g.CallID+" tells what the gateway met.")
		}
	case d.Status != g.Status:
		r.Meaning = fmt.Sprintf("Directly it %s, and through the gateway it %s: a header that one way lacks, another target, or the upstream's state between the two.", told(d), told(g))
	case k.Kind != "" || k.Status >= 500:
		r.Meaning = fmt.Sprintf("%s, and now both ways it is %d: the cause is over, or lies in what is not kept (credentials, what the upstream had in mind), or in the moment.", then, d.Status)
		r.Advice = []string{"causeway explain " + r.CallID + " tells what was seen then."}
	default:
		r.Meaning = fmt.Sprintf("Both ways it is %d, as it was.", d.Status)
	}
	if d != nil && g != nil && d.FirstByteMS > 0 && g.FirstByteMS-d.FirstByteMS > 50 {
		r.Advice = append(r.Advice, fmt.Sprintf("Through the gateway the first byte takes %.0f ms longer; causeway explain %s has the time of each phase.", g.FirstByteMS-d.FirstByteMS, g.CallID))
	}
	if len(o.Call.Attempts) == 0 {
		r.Advice = append(r.Advice, "The gateway had ended the call without asking an upstream: its explanation says which rule did.")
	}
}
