package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/snapshot"
)

// keepModels is the setting that keeps the bodies of calls to models.
const keepModels = "llm.keep_bodies"

// modelCall is a kept call to a model as its provider is asked.
type modelCall struct {
	provider *snapshot.Provider
	model    string // the provider's own name for it
	op       llm.Operation
	match    llm.Match
	dialect  llm.Dialect // the caller's
	crossed  bool        // it is put in another dialect
}

// reproduceModel sends a kept call to a model again, straight to its provider with the configured key and through the
// gateway.
func (d *doctor) reproduceModel(ctx context.Context, o *ReproOptions) (*Repro, error) {
	j, s := o.Call, o.again()
	m, err := d.modelCall(o)
	if err != nil {
		return nil, err
	}
	body := o.Body
	if body == nil {
		body = j.RequestBody
	}
	r := &Repro{CallID: j.ID.String(), Method: j.Method, Path: j.Path, Model: j.Model, Kept: keptAnswer(j, o.Kind), sent: d.began}
	r.Notes = s.notes(o, keepModels)
	rq := request{method: j.Method, body: body, fields: s.fields}
	if len(rq.body) == 0 {
		rq.body = nil
	}
	if o.Only != "gateway" {
		if err := d.directModel(ctx, o, m, rq, &s, r); err != nil {
			return nil, err
		}
	}
	if o.Only != "direct" && o.Gateway != "" {
		through := rq
		through.path = j.Path + query(s.query)
		if r.Gateway, err = d.throughIt(ctx, o, &catalog.Route{}, through, "Authorization: Bearer "); err != nil {
			return nil, err
		}
	}
	if r.Direct != nil && r.Gateway != nil && !m.crossed {
		r.Differences = differences(r.Direct, r.Gateway)
	}
	if r.Direct == nil && r.Gateway == nil {
		return nil, cannotf("%s", or(strings.Join(r.Notes[len(r.Notes)-1:], ""), "there is no way to send it: no gateway is known (--gateway)"))
	}
	r.conclude(o)
	return r, nil
}

// modelCall finds the provider that a call went to last, and what it was asked for.
func (d *doctor) modelCall(o *ReproOptions) (*modelCall, error) {
	j := o.Call
	m := &modelCall{provider: d.gen.Providers[j.Provider], model: j.TargetModel, dialect: d.gen.Dialect(j.Dialect)}
	if m.provider == nil || m.model == "" { // the call had ended before one was chosen, or the provider is gone
		found, _ := d.gen.Resolve(j.Model)
		if found == nil || len(found.Targets) == 0 {
			return nil, cannotf("%s has no model %q any more", d.configName(), clip(j.Model))
		}
		m.provider, m.model = found.Targets[0].Provider, found.Targets[0].Model
	}
	var ok bool
	if m.match, ok = m.dialect.Lookup(j.Method, strings.TrimPrefix(j.Path, d.gen.LLMPrefix)); !ok {
		return nil, cannotf("%s is no address of a model's that is known here", clip(j.Path))
	}
	m.op = m.match.Op
	if j.Sent != nil {
		m.match.Query, m.match.ContentType = j.Sent.Query, headField(j.Sent.Header, "content-type")
	}
	return m, nil
}

// callersFields are those of a caller's that a provider is sent, beside the ones that the configuration adds.
var callersFields = []string{"content-type", "accept", "anthropic-beta", "anthropic-version", "openai-beta", "user-agent", "idempotency-key"}

// directModel asks the provider. What can't be asked of it directly is a note.
func (d *doctor) directModel(ctx context.Context, o *ReproOptions, m *modelCall, rq request, s *sent, r *Repro) error {
	if m.provider.Sandbox {
		r.Notes = append(r.Notes, m.provider.Name+" is built in: there is no provider to ask without the gateway")
		return nil
	}
	c := d.o.Config.Providers[m.provider.Name]
	p, err := d.providerPlace(c, m.provider)
	if err != nil {
		return err
	}
	p.asking = &asking{provider: c.Name, model: o.Call.Model, p: m.provider, models: []string{m.model}}
	r.Target = p.target()
	direct := request{method: rq.method}
	if direct.body, err = d.modelBody(m, rq.body, r); err != nil {
		r.Notes = append(r.Notes, "it was not asked directly: "+err.Error())
		return nil
	}
	direct.path = strings.TrimRight(p.url.EscapedPath(), "/") + m.path(o.Call.Stream)
	if m.match.Op != llm.Chat && !m.crossed && s.query != "" {
		direct.path += query(s.query)
	}
	for line := range bytes.SplitAfterSeq(rq.fields, []byte("\r\n")) {
		name, _, _ := strings.Cut(string(line), ":")
		for _, f := range callersFields {
			if strings.EqualFold(f, name) && headField(p.fields, f) == "" && (!m.crossed || f == "accept") {
				direct.fields = append(direct.fields, line...)
			}
		}
	}
	var key *snapshot.Credential
	if keys := m.provider.Upstream.Keys; len(keys) > 0 {
		key = &keys[0]
		if len(keys) > 1 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s has %d keys: directly the first is used", m.provider.Name, len(keys)))
		}
	}
	g := d.send(ctx, p, withKey(direct, key))
	if g.status != 0 && (g.finding == nil || g.finding.Passed) && (g.status >= 400 || !g.events() && direct.method == http.MethodPost) {
		g.finding = d.refusal(p, g, key, m.op)
	}
	r.Direct = answerOfRepro(g)
	r.Direct.Body = key.Without(r.Direct.Body)
	r.Script = modelScript(p, &direct, key, m.provider.Name, o, r)
	return nil
}

// path is where the provider is asked, below its base URL.
func (m *modelCall) path(stream bool) string {
	placer, ok := m.provider.Placer()
	if !ok {
		return m.provider.Dialect.Path(m.op)
	}
	path, query := placer.Place(m.op, m.model, stream)
	if query != "" {
		path += "?" + query
	}
	return path
}

// modelBody is the caller's body as the provider is sent it: with its own name for the model, or in its own dialect.
func (d *doctor) modelBody(m *modelCall, body []byte, r *Repro) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	if m.provider.Dialect.Name() != m.dialect.Name() || !m.provider.ServesModel(m.op, m.model) {
		m.crossed = true
		return m.translate(body, r)
	}
	var rq llm.Request
	if err := m.dialect.ReadRequest(&rq, m.match, body); err != nil {
		r.Notes = append(r.Notes, "the body can't be read, and is sent as it is: "+clip(err.Error()))
		return body, nil
	}
	if string(rq.Model) != m.model {
		body = rq.Rewrite(nil, body, m.model, false)
	}
	if reshape := m.provider.Reshape(); reshape != nil {
		body = reshape.AppendBody(nil, body, m.op)
	}
	return body, nil
}

// translate puts a chat into the provider's dialect, as the gateway does.
func (m *modelCall) translate(body []byte, r *Repro) ([]byte, error) {
	from, ok := m.dialect.(canon.Speaker)
	to, speaks := m.provider.Dialect.(canon.Speaker)
	if !ok || !speaks || from.Codec(m.op) == nil || to.Codec(llm.Chat) == nil {
		return nil, fmt.Errorf("%s is asked for %s in another dialect (%s), which only the gateway can do", m.provider.Name, strings.ReplaceAll(m.op.String(), "_", " "), m.provider.Dialect.Name())
	}
	q, err := from.Codec(m.op).ReadRequest(m.match, body)
	if err != nil {
		return nil, fmt.Errorf("the body can't be read: %s", clip(err.Error()))
	}
	report := canon.NewReport(q)
	out, err := to.Codec(llm.Chat).WriteRequest(q, &canon.Target{Provider: m.provider.Name, Vendor: vendorOf(m.provider), Model: m.model}, report)
	if err != nil {
		return nil, err
	}
	report.Close()
	m.op = llm.Chat
	if reshape := m.provider.Reshape(); reshape != nil {
		out = reshape.AppendBody(nil, out, m.op)
	}
	r.Notes = append(r.Notes, "directly the request is sent in the provider's own dialect ("+to.Name()+"), as the gateway writes it")
	return out, nil
}

// modelScript is the direct request as a POSIX shell script with curl. The key is an environment variable.
func modelScript(p *place, rq *request, key *snapshot.Credential, provider string, o *ReproOptions, r *Repro) string {
	w := newScript(p, rq, r)
	variable := keyVariable(provider)
	shown := map[string]bool{}
	switch {
	case key == nil:
	case key.Signer != nil:
		w.line("# The provider's requests are signed: Authorization is made for each (curl --aws-sigv4, gcloud auth print-access-token).")
		w.args = append(w.args, fmt.Sprintf(`-H "Authorization: ${%s:?the value of Authorization for %s}"`, variable, provider))
	default:
		name, value, _ := strings.Cut(strings.TrimSpace(string(key.Line)), ": ")
		scheme, _, two := strings.Cut(value, " ")
		if two {
			scheme += " "
		} else {
			scheme = ""
		}
		shown[strings.ToLower(name)] = true
		w.args = append(w.args, fmt.Sprintf(`-H "%s: %s${%s:?the key of %s}"`, name, scheme, variable, provider))
	}
	w.configured(p.fields, shown)
	w.given(o, shown)
	w.callers(rq.fields, shown)
	w.body(rq, o.Body != nil && !bytes.Equal(rq.body, nil) && bytes.Equal(rq.body, o.Body))
	return w.finish(p, rq.path)
}

// keyVariable is the environment variable for a provider's key: OPENAI_API_KEY.
func keyVariable(provider string) string {
	return strings.TrimPrefix(variable(provider), "UPSTREAM_") + "_API_KEY"
}

// providerPlace is where a provider is asked.
func (d *doctor) providerPlace(c *catalog.Provider, provider *snapshot.Provider) (*place, error) {
	p, err := d.place(c.BaseURL, &c.Timeouts)
	if err != nil {
		return nil, err
	}
	p.named, p.protocol = true, protocolOf(c.Protocol)
	if p.tls, err = snapshot.UpstreamTLS(c.TLS); err != nil {
		return nil, cannotf("%s: %v", c.Name, err)
	}
	p.fields = bytes.Clone(provider.Upstream.ExtraFields)
	for _, f := range provider.Upstream.IfMissing {
		p.fields = append(p.fields, f.Line...)
	}
	return p, nil
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
