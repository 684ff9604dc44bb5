package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/sign"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// asking is what a model's provider is asked for.
type asking struct {
	provider string
	model    string // as TARGET names it
	p        *snapshot.Provider
	models   []string // the provider's own names of what TARGET resolves to there
}

// modelSubject finds the providers behind model:NAME, each once.
func (d *doctor) modelSubject(name string) (*subject, error) {
	if err := d.needConfig("model:" + name); err != nil {
		return nil, err
	}
	if d.gen == nil {
		return nil, cannotf("models can't be looked at without their dialects")
	}
	m, several := d.gen.Resolve(name)
	switch {
	case len(several) > 1:
		return nil, cannotf("several providers have a model %q: write model:PROVIDER/%s, with one of %s", name, name, strings.Join(several, ", "))
	case m == nil:
		return nil, cannotf("%s has no model %q; it has %s, and PROVIDER/MODEL for the providers %s", d.configName(), name, namesOf(d.o.Config.Models), namesOf(d.o.Config.Providers))
	}
	s := &subject{name: "model:" + name, model: name}
	for i := range m.Targets {
		t := &m.Targets[i]
		at := slices.IndexFunc(s.places, func(p *place) bool { return p.asking.p == t.Provider })
		if at >= 0 {
			s.places[at].asking.models = append(s.places[at].asking.models, t.Model)
			continue
		}
		c := d.o.Config.Providers[t.Provider.Name]
		if c == nil || t.Provider.Sandbox {
			d.note(Status, "provider", t.Provider.Name, Step{Result: OK, Text: t.Name + " is built in: it needs no network and no key"})
			continue
		}
		p, err := d.providerPlace(c, t.Provider)
		if err != nil {
			return nil, err
		}
		p.asking = &asking{provider: c.Name, model: name, p: t.Provider, models: []string{t.Model}}
		s.places = append(s.places, p)
	}
	return s, nil
}

// askProvider asks a provider for its list of models, with each key: that costs no tokens.
func (d *doctor) askProvider(ctx context.Context, p *place, at netip.AddrPort, road *wire.Origin, l *look) {
	a := p.asking
	path := strings.TrimRight(p.url.EscapedPath(), "/") + a.p.Dialect.Path(llm.ListModels)
	if path == "" {
		path = "/"
	}
	keys := a.p.Upstream.Keys
	var first *snapshot.Credential
	if len(keys) > 0 {
		first = &keys[0]
	}
	name := "key"
	if p.secure() {
		name = "tls"
	}
	end := d.begin(Status, name, p.shown)
	g := d.exchange(ctx, p, road, withKey(request{method: http.MethodGet, path: path}, first))
	l.get = g
	if p.secure() {
		if l.failed = g.finding != nil && beforeHTTP(&g.attempt); !d.security(ctx, p, at, g, end) {
			return
		}
		end = d.begin(Status, "key", p.shown)
	}
	listed := d.listing(p, g, first, l, end)
	for i := 1; i < len(keys) && !d.late(ctx, "key", p); i++ {
		end := d.begin(Status, "key", p.shown)
		d.listing(p, d.exchange(ctx, p, road, withKey(request{method: http.MethodGet, path: path}, &keys[i])), &keys[i], l, end)
	}
	d.knows(p, listed, l)
	if !d.o.Ask {
		return
	}
	for _, model := range a.models {
		if !d.late(ctx, "ask", p) {
			d.question(ctx, p, road, model, first, l)
		}
	}
}

// withKey is a request with a credential, which is made for this host alone.
func withKey(rq request, k *snapshot.Credential) request {
	switch {
	case k == nil:
	case k.Signer == nil:
		rq.fields = append(bytes.Clone(rq.fields), k.Line...)
	default:
		rq.sign = func(head []byte, method, path string, body []byte) ([]byte, error) {
			path, query, _ := strings.Cut(path, "?")
			return k.Signer.Append(head, &sign.Request{
				Method: method, Host: headField(head, "host"), Path: path, Query: query, Body: body, Now: time.Now(),
				Header: func(name string) string { return headField(head, name) },
			})
		}
	}
	return rq
}

// headField is the value of a field in a head that is being written.
func headField(head []byte, name string) string {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if k, v, ok := bytes.Cut(line, []byte{':'}); ok && strings.EqualFold(string(k), name) {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}

// listing tells what came of asking for the list, and returns the models in it.
func (d *doctor) listing(p *place, g *answer, k *snapshot.Credential, l *look, end func(Step)) []string {
	with := "without a key"
	if k != nil {
		with = "with the key " + strings.TrimSpace(k.Name+" "+k.Hint)
	}
	if g.status == 0 || g.finding != nil && !g.finding.Passed {
		l.failed = true
		step := failed(g.finding)
		step.Lines = []string{phaseLine(&g.attempt)}
		end(step)
		return nil
	}
	if f := d.refusal(p, g, k, llm.ListModels); f != nil {
		if g.status == http.StatusNotFound || g.status == http.StatusMethodNotAllowed {
			end(Step{Result: Warning, Text: fmt.Sprintf("%s has no list of models (%d), so that keys and names can't be checked without a question (--ask)", p.asking.provider, g.status), Lines: []string{phaseLine(&g.attempt)}})
			return nil
		}
		if f.Kind == fault.ProviderKeyRejected && p.asking.p.CallerKey {
			end(Step{Result: OK, Text: p.asking.provider + " answers, and wants the caller's own key"})
			return nil
		}
		l.failed = true
		step := failed(f)
		step.Lines = []string{with, phaseLine(&g.attempt)}
		end(step)
		return nil
	}
	text, _ := g.text()
	list := modelNames(text)
	end(Step{Result: OK, Text: fmt.Sprintf("%s takes the call %s and lists %s in %s", p.asking.provider, with, many(len(list), "model"), fault.Span(g.took)), Lines: []string{phaseLine(&g.attempt)}})
	return list
}

// refusal is what a provider's answer says was wrong, nil when it is a good one of its dialect.
func (d *doctor) refusal(p *place, g *answer, k *snapshot.Credential, op llm.Operation) *fault.Finding {
	text, ok := g.text()
	dialect := p.asking.p.Dialect
	in := diagnose.Input{Answer: &diagnose.Answer{Status: g.status, Header: g.header, Body: text[:min(len(text), 1024)]}}
	switch {
	case g.status >= 200 && g.status < 300 && op == llm.ListModels:
		if ok && json.Valid(text) || g.endless {
			return nil
		}
		in.Kind, in.Evidence = fault.IncompatibleResponse, []string{"the list of models is " + llm.DescribeBody(text)}
	case g.status >= 200 && g.status < 300:
		read := dialect.ReadAnswer(op, text)
		if read.Kind == "" {
			return nil
		}
		in.Kind, in.Evidence = read.Kind, append([]string{read.Problem}, read.Error.Evidence()...)
	default:
		pe := dialect.ReadError(g.status, g.header, text, time.Now())
		in.Kind, in.Evidence, in.RetryAfter = pe.Kind, pe.Evidence(), pe.RetryAfter
		if in.Kind == "" {
			in.Kind = fault.ProviderError
		}
	}
	for i := range in.Evidence {
		in.Evidence[i] = k.Without(in.Evidence[i])
	}
	if k != nil && k.Hint != "" {
		in.Evidence = append(in.Evidence, "the key that was used: "+k.Hint)
	}
	g.attempt.End, g.attempt.Phase = journey.EndComplete, journey.PhaseDone
	return d.judge(p, g, in)
}

// modelNames reads the names out of a list of models of any dialect here.
func modelNames(body []byte) (names []string) {
	type entry struct{ ID, Name, Model string }
	var doc struct {
		Data   []entry
		Models []entry
	}
	if json.Unmarshal(body, &doc) != nil {
		return nil
	}
	for _, e := range append(doc.Data, doc.Models...) {
		for _, name := range []string{e.ID, e.Model, e.Name} {
			if name != "" {
				names = append(names, strings.TrimPrefix(name, "models/"))
				break
			}
		}
	}
	return names
}

// knows says whether the provider's list has the models.
func (d *doctor) knows(p *place, listed []string, l *look) {
	if len(listed) == 0 || p.asking.p.Kind == "azure-openai" || p.asking.p.Kind == "bedrock" {
		return // no list, or one of other names than calls use
	}
	for _, model := range p.asking.models {
		has := func(name string) bool {
			return name == model || strings.TrimSuffix(name, ":latest") == model || strings.HasSuffix(name, "/"+model)
		}
		if slices.ContainsFunc(listed, has) {
			d.note(Status, "model", p.shown, Step{Result: OK, Text: fmt.Sprintf("%s has %s", p.asking.provider, clip(model))})
			continue
		}
		l.failed = true
		g := &answer{method: http.MethodGet, attempt: journey.Attempt{Target: p.target(), End: journey.EndComplete, Phase: journey.PhaseDone}}
		in := diagnose.Input{
			Kind:   fault.ModelNotFound,
			Detail: fmt.Sprintf("%s lists %s, and %s is not among them.", p.asking.provider, many(len(listed), "model"), clip(model)),
		}
		in.SafeDetail = "The provider's list does not have the model."
		if near := likely(model, listed); near != "" {
			in.Evidence = append(in.Evidence, "it has "+near+", which is nearly the name")
			in.Advice = append(in.Advice, "If "+clip(near)+" is meant, write that name; if the model was retired, choose its successor.")
		}
		f := d.judge(p, g, in)
		f.Confidence = "likely" // a list need not be complete
		d.note(Status, "model", p.shown, failed(f))
	}
}

// likely is the listed name that shares the longest beginning with a name, "" when none is near.
func likely(name string, listed []string) (best string) {
	length := 0
	for _, l := range listed {
		n := 0
		for n < len(l) && n < len(name) && l[n] == name[n] {
			n++
		}
		if n > length {
			best, length = l, n
		}
	}
	if length*2 < len(name) {
		return ""
	}
	return clip(best)
}

// question sends one short question, as a caller's call would go.
func (d *doctor) question(ctx context.Context, p *place, road *wire.Origin, model string, k *snapshot.Credential, l *look) {
	end := d.begin(Status, "ask", p.shown)
	rq, err := d.chat(p.asking.p, model)
	if err != nil {
		end(Step{Result: Skipped, Text: "no question can be put: " + err.Error()})
		return
	}
	if prefix := strings.TrimRight(p.url.EscapedPath(), "/"); prefix != "" {
		rq.path = prefix + rq.path
	}
	g := d.exchange(ctx, p, road, withKey(rq, k))
	f := g.finding
	if g.status != 0 && (f == nil || f.Passed) {
		f = d.refusal(p, g, k, llm.Chat)
	}
	if f != nil {
		l.failed = true
		step := failed(f)
		step.Lines = []string{phaseLine(&g.attempt)}
		end(step)
		return
	}
	text, _ := g.text()
	u := p.asking.p.Dialect.ReadAnswer(llm.Chat, text).Usage
	end(Step{Result: OK, Text: fmt.Sprintf("%s answers a question in %s (%d tokens in, %d out)", clip(model), fault.Span(g.took), max(u.Input, 0), max(u.Output, 0)), Lines: []string{phaseLine(&g.attempt)}})
}

// chat is a question of one word in the provider's dialect.
func (d *doctor) chat(p *snapshot.Provider, model string) (request, error) {
	speaker, ok := p.Dialect.(canon.Speaker)
	if !ok || speaker.Codec(llm.Chat) == nil {
		return request{}, fmt.Errorf("the dialect %s has no chat", p.Dialect.Name())
	}
	q := &canon.Request{
		Op: llm.Chat, Model: model,
		Messages: []canon.Message{{Role: canon.User, Parts: []canon.Part{{Kind: canon.Text, Text: "Reply with OK."}}}},
	}
	report := canon.NewReport(q)
	body, err := speaker.Codec(llm.Chat).WriteRequest(q, &canon.Target{Provider: p.Name, Vendor: vendorOf(p), Model: model}, report)
	if err != nil {
		return request{}, err
	}
	report.Close()
	path := p.Dialect.Path(llm.Chat)
	if placer, ok := p.Placer(); ok {
		var query string
		if path, query = placer.Place(llm.Chat, model, false); query != "" {
			path += "?" + query
		}
	}
	return request{method: http.MethodPost, path: path, body: body}, nil
}

func vendorOf(p *snapshot.Provider) *catalog.Vendor { return p.Vendor }
