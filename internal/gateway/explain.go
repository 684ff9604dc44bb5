package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/policy"
	"causeway/internal/wire"
)

// failure is what a room knows when it ends a call.
type failure struct {
	kind      fault.Kind
	status    int
	detail    string
	safe      string
	evidence  []string
	advice    []string
	keyHeader string        // for a 401: how a key is sent
	limit     time.Duration // the limit that passed, 0 when none did
	param     string        // LLM: the parameter at fault
}

// fail ends the call with a fault that a room found itself. It returns false, so that a room can
// end with it.
func (c *call) fail(f failure) bool {
	in := diagnose.Input{
		Kind: f.kind, Status: f.status, Detail: f.detail, SafeDetail: f.safe, Evidence: f.evidence, Advice: f.advice,
		KeyHeader: f.keyHeader, RetryAfter: c.retryIn, Attempts: c.j.Attempts, Limit: f.limit,
	}
	if f.keyHeader != "" {
		in.URL = c.ownURL()
	}
	c.param = f.param
	c.failWith(in)
	return false
}

func (c *call) failWith(in diagnose.Input) {
	if e := fault.Lookup(in.Kind); e == nil || e.Cause != fault.Caller || len(e.DependsOn) > 0 {
		c.j.GatewayHost = c.g.host(c.began) // it may have to do with it
	}
	c.finding = diagnose.Judge(c.input(in))
	c.j.Finding, c.retryIn = c.finding, in.RetryAfter
	if c.finding != nil {
		c.j.Status = c.finding.Status
	}
}

// input fills in what is known of every call.
func (c *call) input(in diagnose.Input) diagnose.Input {
	in.Method, in.Idempotent, in.LLM, in.Time = c.j.Method, c.idempotent, c.dialect != nil, c.j.Start
	in.Service, in.Provider, in.Model, in.Host = c.j.Service, c.j.Provider, c.j.Model, c.j.GatewayHost
	for i := range in.Evidence {
		in.Evidence[i] = c.key.Without(in.Evidence[i]) // a provider's message may quote it
	}
	if c.g.child != nil && c.svc != nil {
		in.Child = c.g.child(c.began, c.broke(in.Kind))
	}
	if n := len(c.j.Attempts); n > 0 {
		c.toItsEnd(&c.j.Attempts[n-1])
	}
	in.Past = c.past(in.Kind)
	if up := c.upstream; up != nil {
		in.Backoff = up.Retries.Backoff
		in.Healthy, in.Targets = up.Healthy()
		in.Unjudged = !up.Judged()
		if n := len(c.j.Attempts); n > 0 {
			at, ever, known := up.LastGood(c.j.Attempts[n-1].Target)
			in.History = diagnose.History{Known: known, EverGood: ever}
			if ever {
				in.History.LastGood = time.Since(at)
			}
		}
	}
	return in
}

// toItsEnd has the time of an attempt that broke in its answer's body run to that moment: until then it ended with
// the answer's head.
func (c *call) toItsEnd(a *journey.Attempt) {
	if a.Phase == journey.PhaseBody && a.End != journey.EndOpen && a.End != journey.EndComplete && a.Tunnel == nil {
		a.Total = max(a.Total, c.since()-a.Start)
	}
}

// ownURL is the address that the caller called, without query.
func (c *call) ownURL() string {
	scheme, authority := c.origin()
	host := c.j.Host
	if c.trustedPeer && len(authority) > 0 {
		host = string(authority)
	}
	if public := c.gen.PublicURL; public != "" {
		_, authority, _ := strings.Cut(public, "://")
		authority, _, _ = strings.Cut(authority, "/")
		if host == "" || strings.EqualFold(host, authority) {
			return public + c.j.Path
		}
	}
	if host == "" {
		host = c.ex.Local().String()
	}
	return scheme + "://" + host + c.j.Path
}

// fullDetails tells whether the caller may know addresses and evidence (contract section 6).
func (c *call) fullDetails() bool {
	details := c.details
	team := ""
	if c.svc != nil {
		team = c.svc.Team
	}
	if c.caller != nil && c.caller.Details != "" && c.caller.Details != "auto" && (details == "" || details == "auto") {
		details = c.caller.Details
	}
	switch details {
	case "full":
		return true
	case "safe":
		return false
	}
	return c.local || c.caller != nil && team != "" && c.caller.Team == team
}

func (c *call) faultView() fault.View {
	return fault.View{CallID: c.j.ID.String(), Full: c.fullDetails(), PublicURL: c.gen.PublicURL, Time: c.j.Start}
}

// explain is room 13: the failure in the caller's own format. The record is committed before the
// last byte of it is sent.
func (c *call) explain() {
	if c.leg != nil && !c.leg.speaks() {
		return
	}
	f := c.finding
	if f == nil {
		c.fail(failure{kind: fault.GatewayBug})
		f = c.finding
	}
	if (f.Kind == fault.CallerGone || f.Kind == fault.RequestBodyAborted) && !c.pretended || c.ex.Gone() {
		c.j.Status = statusCallerGone // whatever failed: nobody was there to get it
		c.commit()
		c.ex.Abort()
		return
	}
	c.note("explain", string(f.Kind))
	c.speak()
	if c.rpc.form != rpcNone && c.dialect == nil {
		c.explainRPC(f)
		return
	}
	v := c.faultView()
	body, contentType := c.failureBody(f, v)
	c.willSend(body)
	h := &c.answer
	h.Reset()
	h.Add(wire.ContentType, nameContentType, contentType)
	h.Add(wire.CacheControl, nameCacheControl, valueNoStore)
	h.Add(wire.Vary, nameVary, c.failureVary())
	c.addGuards(contentType)
	c.addOurs()
	c.addFailureFields(f, v)
	c.commit()
	c.logFailure()
	if c.unread() {
		c.ex.Close()
	}
	c.ex.WriteLimit(10 * time.Second)
	if f.Kind == fault.BodyTooLarge || c.rq.Length-c.ex.BytesIn() > keepBody {
		c.ex.Close() // the rest of the body will not be read
	}
	length := int64(len(body))
	if c.ex.Start(f.Status, fault.Reason(f), h, length, length) != nil {
		c.ex.Abort()
		return
	}
	if c.ex.Write(body) != nil || c.ex.End(nil) != nil {
		c.ex.Abort()
		return
	}
}

// statusCallerGone is in the log only.
const statusCallerGone = 499

// willSend notes how much of an answer of ours the caller gets.
func (c *call) willSend(body []byte) {
	if c.j.Method != "HEAD" {
		c.j.BytesOut = int64(len(body))
	}
}

// speak finds the dialect of a caller whose call failed before it was routed, so that its SDK can
// read the failure.
func (c *call) speak() {
	if c.dialect != nil || c.svc != nil || c.own || c.gen.LLMOff {
		return
	}
	path, ok := strings.CutPrefix(c.j.Path, c.gen.LLMPrefix)
	if !ok || !c.gen.LLMHost(c.j.Host) {
		return
	}
	for _, d := range c.gen.Dialects {
		if m, found := d.Lookup(c.j.Method, path); (found || m.Allow != "") && !c.hostIsNamed() {
			c.dialect, c.j.Dialect = d, d.Name()
			return
		}
	}
}

// addGuards keeps browsers from reading more into an answer of ours than what it is.
func (c *call) addGuards(contentType []byte) {
	c.answer.Add(wire.Other, nameNoSniff, valueNoSniff)
	if &contentType[0] == &typeHTML[0] {
		c.answer.Add(wire.Other, nameCSP, valueCSP)
	}
}

var (
	nameContentType  = []byte("Content-Type")
	nameCacheControl = []byte("Cache-Control")
	nameVary         = []byte("Vary")
	nameProxyStatus  = []byte("Proxy-Status")
	nameRetryAfter   = []byte("Retry-After")
	nameShouldRetry  = []byte("x-should-retry")
	nameAllow        = []byte("Allow")
	nameNoSniff      = []byte("X-Content-Type-Options")
	valueNoSniff     = []byte("nosniff")
	nameCSP          = []byte("Content-Security-Policy")
	valueCSP         = []byte(fault.ContentSecurityPolicy)
	nameAuthenticate = []byte("WWW-Authenticate")
	valueNoStore     = []byte("no-store")
	valueAccept      = []byte("Accept")
	valueAcceptOrig  = []byte("Accept, Origin")
	typeProblem      = []byte("application/problem+json")
	typeJSON         = []byte("application/json")
	typeHTML         = []byte("text/html; charset=utf-8")
	valueTrue        = []byte("true")
	valueFalse       = []byte("false")
	valueBearer      = []byte("Bearer")
)

func (c *call) failureVary() []byte {
	if c.svc != nil && c.svc.CORS() != nil {
		return valueAcceptOrig
	}
	return valueAccept
}

// usualBody is room for what most failures have to say.
const usualBody = 2 << 10

func (c *call) failureBody(f *fault.Finding, v fault.View) (body, contentType []byte) {
	if c.dialect != nil && !c.prompt.asked {
		return c.dialect.AppendError(nil, c.modelFailure(f, v)), typeJSON
	}
	if fault.PrefersHTML(string(c.rq.Header.Get(wire.Accept))) {
		return fault.HTML(nil, f, v), typeHTML
	}
	if c.prompt.call != nil {
		return c.prompt.call.AppendError(make([]byte, 0, usualBody), c.modelFailure(f, v)), typeProblem
	}
	return fault.Problem(make([]byte, 0, usualBody), f, v), typeProblem
}

// modelFailure is the finding as a dialect's error tells it.
func (c *call) modelFailure(f *fault.Finding, v fault.View) *llm.Failure {
	sentence := f.SafeDetail
	if v.Full {
		sentence = f.Detail
	}
	return &llm.Failure{
		Kind: f.Kind, Status: f.Status, Sentence: sentence, CallID: v.CallID, Param: c.param,
		Members: fault.Members(nil, f, v),
	}
}

func (c *call) addFailureFields(f *fault.Finding, v fault.View) {
	h := &c.answer
	if s := fault.ProxyStatus(f, v); s != "" {
		h.Add(wire.ProxyStatus, nameProxyStatus, []byte(s))
	}
	if f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable {
		if c.retryIn > 0 { // only what somebody knows: our own pause between attempts is no promise
			h.Add(wire.RetryAfter, nameRetryAfter, strconv.AppendInt(nil, policy.Seconds(c.retryIn), 10))
		}
	}
	if c.dialect != nil {
		h.Add(wire.XShouldRetry, nameShouldRetry, c.shouldRetry(f))
	}
	if c.allow != "" {
		h.Add(wire.Other, nameAllow, []byte(c.allow))
	}
	if f.Status == http.StatusUnauthorized {
		h.Add(wire.Other, nameAuthenticate, valueBearer)
	}
	if c.svc != nil {
		c.svc.CORS().Append(h, c.rq.Header.Get(wire.OriginField))
	}
}

// shouldRetry is what SDKs obey before their own rules: true only when the fault does not last and no
// attempt was made. After one a provider may have got the call, or our own retries or their budget
// are spent, or the settings say not to repeat it.
func (c *call) shouldRetry(f *fault.Finding) []byte {
	if f.Retry != fault.Safe || f.Cause == fault.Caller || f.Cause == fault.Configuration || len(c.j.Attempts) > 0 {
		return valueFalse
	}
	return valueTrue
}

// logFailure writes one line for a failed call, at most some a second: the rest are counted.
func (c *call) logFailure() {
	f := c.finding
	if f == nil || f.Kind == fault.CallerGone || c.silent() {
		return
	}
	ok, skipped := c.g.failLog.allow(f.Kind, time.Now())
	if !ok {
		return
	}
	level := slog.LevelWarn
	if f.Cause == fault.Caller {
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{
		slog.String("call", c.j.ID.String()), slog.String("kind", string(f.Kind)), slog.String("cause", string(f.Cause)),
		slog.Int("status", f.Status), slog.String("method", c.j.Method), slog.String("path", strings.ToValidUTF8(c.j.Path, "?")),
		slog.String("detail", f.Detail), slog.Int("attempts", len(c.j.Attempts)),
	}
	if f.Pattern != "" {
		attrs = append(attrs, slog.String("pattern", f.Pattern), slog.String("confidence", f.Confidence))
		if f.Because != "" {
			attrs = append(attrs, slog.String("because", f.Because))
		}
	}
	if c.j.Service != "" {
		attrs = append(attrs, slog.String("service", c.j.Service))
	}
	if c.j.Model != "" {
		attrs = append(attrs, slog.String("model", c.j.Model))
	}
	if p := c.j.RPC; p != nil && p.Ended {
		attrs = append(attrs, slog.String("grpc_status", p.Code.String()))
	}
	if skipped > 0 {
		attrs = append(attrs, slog.Int64("lines_left_out", skipped))
	}
	c.g.log.LogAttrs(context.Background(), level, "call failed", attrs...)
}
