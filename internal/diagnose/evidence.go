package diagnose

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// evidence is what was observed, in the order in which it happened: only facts, numbers with
// their units, and the past they are compared with. It is for the full view and names addresses.
func (c *judgement) evidence() []string {
	var lines []string
	if n := len(c.in.Attempts); n > 1 {
		for i := range n {
			lines = append(lines, attemptLine(&c.in.Attempts[i], i+1, n))
		}
	}
	if a := c.about; a != nil {
		lines = append(lines, nameAndConnection(a)...)
		lines = append(lines, tlsLines(c, a)...)
		lines = append(lines, requestLines(a)...)
		lines = append(lines, http2Lines(a)...)
		lines = append(lines, responseLines(a)...)
		lines = append(lines, limitLine(a)...)
	}
	lines = append(lines, answerEvidence(c.in.Answer)...)
	for _, r := range c.in.HealthReasons {
		lines = append(lines, reasonLine(r))
	}
	lines = append(lines, c.childLines()...)
	lines = append(lines, c.hostLines()...)
	lines = append(lines, c.pastLines()...)
	return append(lines, c.history()...)
}

// attemptLine is one attempt of several.
func attemptLine(a *journey.Attempt, i, n int) string {
	what := string(kindOf(a))
	if what == "" {
		what = "status " + strconv.Itoa(a.Status)
	}
	line := fmt.Sprintf("attempt %d of %d, %s: %s after %s", i, n, cleanTarget(a.Target), what, fault.Span(a.Total))
	if a.Again != "" {
		line += "; " + a.Again
	}
	return line
}

// nameAndConnection tells the lookup and each address tried, or the connection used again.
func nameAndConnection(a *journey.Attempt) []string {
	var lines []string
	if a.Reused {
		return []string{fmt.Sprintf("kept-alive connection to %s: %s before this one, idle for %s, %s old",
			address(a), plural(int64(a.ConnUses), "call"), fault.Span(a.ConnIdle), fault.Span(a.ConnAge))}
	}
	if d := a.DNS; d != nil {
		lines = append(lines, dnsLine(a, d))
	} else if !isUnix(a) && (a.DNSTime > 0 || a.Phase == journey.PhaseDNS) {
		lines = append(lines, fmt.Sprintf("DNS lookup of %s: %s", hostOf(a.Target), dnsEnd(a)))
	}
	for _, t := range a.Tries {
		lines = append(lines, connectLine(a, t))
	}
	if len(a.Tries) == 0 && a.Phase >= journey.PhaseConnect {
		lines = append(lines, connectLine(a, journey.AddressTry{Address: address(a), Errno: connectErrno(a), Timeout: a.Phase == journey.PhaseConnect && a.End == journey.EndTimeout, Took: connectTook(a)}))
	}
	return lines
}

func dnsEnd(a *journey.Attempt) string {
	switch {
	case a.Phase > journey.PhaseDNS:
		return "answered in " + fault.Span(a.DNSTime)
	case a.DNSTime > 0:
		return "no answer after " + fault.Span(a.DNSTime)
	default:
		return "no answer after " + fault.Span(a.Total)
	}
}

func dnsLine(a *journey.Attempt, d *journey.DNSFacts) string {
	what := d.RCode
	switch {
	case d.Timeout:
		what = "no answer"
	case what == "NOERROR":
		what = "NOERROR, no A or AAAA record"
	case what == "" && d.NotFound:
		what = "no such host"
	case what == "":
		what = quote([]byte(d.Err), quoteLimit)
	}
	line := fmt.Sprintf("DNS lookup of %s: %s after %s", d.Name, what, fault.Span(a.DNSTime))
	if d.Server != "" {
		line += ", asked of " + d.Server
	}
	return line
}

// connectErrno is the error of the connection attempt, 0 when it succeeded.
func connectErrno(a *journey.Attempt) syscall.Errno {
	switch {
	case a.Phase > journey.PhaseConnect:
		return 0
	case a.End == journey.EndReset && a.Errno == 0:
		return syscall.ECONNRESET
	default:
		return a.Errno
	}
}

// connectLine tells one connection attempt.
func connectLine(a *journey.Attempt, t journey.AddressTry) string {
	how := "TCP connect to "
	if isUnix(a) {
		how = "connect to the Unix socket "
	}
	switch {
	case t.Timeout:
		return how + t.Address + ": no answer after " + fault.Span(t.Took)
	case t.Errno != 0:
		return how + t.Address + ": " + errnoName(t.Errno) + " after " + fault.Span(t.Took)
	case a.Phase == journey.PhaseConnect:
		return how + t.Address + ": not finished after " + fault.Span(t.Took)
	default:
		return how + t.Address + ": connected in " + fault.Span(t.Took)
	}
}

// tlsLines tell the handshake, if there was one.
func tlsLines(c *judgement, a *journey.Attempt) []string {
	t := a.TLS
	if t == nil {
		// What began HTTP/2 on a plain connection took its time, too, and was no handshake.
		if a.TLSTime > 0 && a.Phase > journey.PhaseTLS && overTLS(a.Target) {
			return []string{"TLS handshake: done in " + fault.Span(a.TLSTime)}
		}
		return nil
	}
	line := "TLS handshake"
	if t.ServerName != "" {
		line += " for " + t.ServerName
	}
	switch {
	case a.End != journey.EndTLS && a.Phase > journey.PhaseTLS:
		return []string{line + ": done in " + fault.Span(a.TLSTime)}
	case a.Phase > journey.PhaseTLS:
		if brokenLater(a) {
			line += ": done in " + fault.Span(a.TLSTime) + "; TLS broke " + phaseText(a.Phase)
			break
		}
		line += ": done in " + fault.Span(a.TLSTime) + " on the gateway's side; refused " + phaseText(a.Phase)
	default:
		line += ": failed after " + fault.Span(a.TLSTime)
	}
	lines := []string{line}
	if t.Alert >= 0 && t.Reason == "alert" {
		name := alertName(t.Alert)
		if name == "unknown" && t.AlertText != "" {
			name = quote([]byte(t.AlertText), quoteLimit)
		}
		lines = append(lines, fmt.Sprintf("alert received: %d %s", t.Alert, name))
	}
	switch {
	case t.Own != "":
		lines = append(lines, "the upstream asked for a client certificate and was shown that of "+t.Own)
	case t.Asked:
		lines = append(lines, "the upstream asked for a client certificate; the gateway has none (upstream.tls.cert_file)")
	}
	if t.Subject != "" || len(t.Names) > 0 {
		lines = append(lines, certificateLines(c, t)...)
	}
	if len(t.First) > 0 {
		lines = append(lines, "first bytes instead of TLS: "+quote(t.First, bannerLimit))
	}
	if t.Err != "" {
		whose := "the handshake's error: "
		if brokenLater(a) {
			whose = "the error: "
		}
		lines = append(lines, whose+quote([]byte(t.Err), quoteLimit))
	}
	return lines
}

// brokenLater tells whether TLS failed on a connection that stood, other than by a server's alert, which may still be
// about the handshake.
func brokenLater(a *journey.Attempt) bool {
	return a.End == journey.EndTLS && a.TLS != nil && a.Phase > journey.PhaseTLS && a.TLS.Reason != "alert"
}

// overTLS tells whether a target is spoken to in TLS.
func overTLS(target string) bool {
	scheme, _, _ := strings.Cut(target, "://")
	return scheme == "https" || scheme == "wss" || scheme == "grpcs"
}

func certificateLines(c *judgement, t *journey.TLSFacts) []string {
	lines := []string{fmt.Sprintf("certificate of %q, issued by %q, for the names %s; %s sent",
		t.Subject, t.Issuer, nameList(t.Names), plural(int64(t.Chain), "certificate"))}
	if t.NotBefore.IsZero() && t.NotAfter.IsZero() {
		return lines
	}
	const day = "2006-01-02 15:04 UTC"
	line := "valid from " + t.NotBefore.UTC().Format(day) + " to " + t.NotAfter.UTC().Format(day)
	now := c.in.Time
	switch {
	case now.IsZero():
	case now.After(t.NotAfter):
		line += ": expired " + fault.Span(now.Sub(t.NotAfter)) + " before the call"
	case now.Before(t.NotBefore):
		line += ": begins " + fault.Span(t.NotBefore.Sub(now)) + " after the call"
	}
	return append(lines, line)
}

func nameList(names []string) string {
	const most = 8
	if len(names) == 0 {
		return "(none)"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// requestLines tell how much of the request was sent.
func requestLines(a *journey.Attempt) []string {
	if a.Phase < journey.PhaseSend {
		return nil
	}
	if a.SendComplete || a.Phase > journey.PhaseSend && a.BodyOutLen <= 0 {
		return []string{"request sent: " + bytesText(a.BytesOut) + " in " + fault.Span(a.SendTime)}
	}
	line := "request not sent to its end: " + sentProgress(a)
	if a.SendTime > 0 {
		line += " in " + fault.Span(a.SendTime)
	}
	return []string{line}
}

// responseLines tell what came back, and how it ended.
func responseLines(a *journey.Attempt) []string {
	var lines []string
	if a.Status != 0 {
		line := fmt.Sprintf("status %d received", a.Status)
		if a.FirstByte > 0 {
			line += ", first byte after " + fault.Span(a.FirstByte)
		}
		lines = append(lines, line)
	}
	switch {
	case a.Tunnel != nil:
		lines = append(lines, tunnelLines(a)...)
	case a.End == journey.EndParse:
		lines = append(lines, parseLines(a)...)
	case a.Phase == journey.PhaseWait && (a.End == journey.EndEOF || a.End == journey.EndReset):
		lines = append(lines, fmt.Sprintf("no byte of an answer, then %s, %s after the last byte sent", finOrRst(a), silence(a)))
	case a.Phase == journey.PhaseSend && (a.End == journey.EndEOF || a.End == journey.EndReset):
		lines = append(lines, finOrRst(a)+" while sending")
	case a.Phase == journey.PhaseHead:
		lines = append(lines, fmt.Sprintf("got %s of the answer's header, then %s", bytesText(a.BytesIn), endName(a)))
	case a.Phase == journey.PhaseBody && a.BodyInLen >= 0:
		lines = append(lines, fmt.Sprintf("got %d of %d body bytes, then %s", a.BodyIn, a.BodyInLen, endName(a)))
	case a.Phase == journey.PhaseBody:
		lines = append(lines, fmt.Sprintf("got %s of a body without declared length, then %s", bytesText(a.BodyIn), endName(a)))
	case a.End == journey.EndErrno && a.Phase > journey.PhaseConnect:
		lines = append(lines, errnoName(a.Errno)+" "+phaseText(a.Phase))
	}
	return lines
}

func endName(a *journey.Attempt) string {
	if s := http2End(a); s != "" {
		return s
	}
	switch a.End {
	case journey.EndEOF:
		return "FIN" + afterSilence(a)
	case journey.EndReset:
		return "RST" + afterSilence(a)
	case journey.EndTimeout:
		if k := lastKey(a.Limit); k == "total" || k == RPCLimit {
			return "the call's time was over"
		}
		return "nothing for " + silence(a)
	case journey.EndErrno:
		return errnoName(a.Errno)
	case journey.EndCaller:
		return "the caller left"
	case journey.EndCancelled:
		return "given up by the gateway"
	case journey.EndHedged:
		return "given up because another target answered first"
	case journey.EndTLS:
		return "a TLS error"
	case journey.EndOpen:
		return "the gateway stopped reading"
	default:
		return "its end"
	}
}

func finOrRst(a *journey.Attempt) string {
	if a.End == journey.EndEOF {
		return "FIN"
	}
	return "RST"
}

// afterSilence tells a pause that is long enough to mean something.
func afterSilence(a *journey.Attempt) string {
	if a.Silence < time.Second {
		return ""
	}
	return " after " + fault.Span(a.Silence) + " of silence"
}

// parseLines show what could not be read. Only the offending line of a header is shown, and no
// value of a field that carries secrets.
func parseLines(a *journey.Attempt) []string {
	lines := []string{fmt.Sprintf("byte %d of the answer: %s", a.Offset, faultText(a.Fault))}
	if a.HTTP2 != nil {
		lines[0] = "the answer: " + faultText(a.Fault) // its offset in frames says nothing
	}
	switch a.Fault {
	case journey.FaultNotHTTP, journey.FaultTLSBytes, journey.FaultStatusLine:
		if len(a.First) > 0 && len(a.Line) == 0 {
			first, _, _ := bytes.Cut(a.First, []byte("\n"))
			lines = append(lines, "first bytes: "+quote(bytes.TrimSuffix(first, []byte("\r")), bannerLimit))
		}
	case journey.FaultHeadTooLarge, journey.FaultTooManyFields:
		lines = append(lines, "header read so far: "+bytesText(a.BytesIn))
	}
	if len(a.Line) > 0 {
		lines = append(lines, "the line: "+quoteLine(a.Line))
	}
	return lines
}

// limitLine names the limit that fired, its value and what was seen.
func limitLine(a *journey.Attempt) []string {
	if a.End != journey.EndTimeout || a.Limit == "" || resolverGaveUp(a) {
		return nil
	}
	key := lastKey(a.Limit)
	line := "timeouts." + key + ": " + limit(a.LimitValue) + "; "
	if key == RPCLimit {
		return []string{"the caller's " + RPCLimit + ": " + limit(a.LimitValue) + "; not done " + fault.Span(a.Start+a.Total) + " after the call's start"}
	}
	switch key {
	case "first_byte":
		line += "nothing came for " + silence(a) + " after the last request byte"
	case "idle":
		line += "no byte in either direction for " + silence(a)
	case "send":
		line += "the upstream took nothing for " + silence(a)
	case "connect":
		line += "not connected after " + fault.Span(a.Total)
	case "total":
		line += "not done " + fault.Span(a.Start+a.Total) + " after the call's start"
	default:
		line += "fired after " + fault.Span(a.Total)
	}
	return []string{line}
}

func reasonLine(r TargetReason) string {
	line := cleanTarget(r.Target) + ": "
	switch {
	case r.Kind != "" && r.Text != "":
		return line + string(r.Kind) + ", " + r.Text
	case r.Kind != "":
		return line + string(r.Kind)
	case r.Text != "":
		return line + r.Text
	default:
		return line + "not healthy"
	}
}

// history compares with what the target did before.
func (c *judgement) history() []string {
	var lines []string
	if h := c.in.History; h.Known && c.about != nil {
		switch {
		case h.EverGood && h.LastGood > 0:
			lines = append(lines, "last good answer from this target: "+ago(h))
		case h.EverGood:
			lines = append(lines, "this target has answered before")
		case c.about.Status != 0:
			lines = append(lines, "this target has not given one good answer under this configuration")
		default:
			lines = append(lines, "this target has not answered once under this configuration")
		}
	}
	if c.in.Targets > 1 && !c.in.Unjudged {
		lines = append(lines, fmt.Sprintf("%d of %d targets are healthy", c.in.Healthy, c.in.Targets))
	}
	return lines
}

// ago writes a past moment without false precision: whole seconds below a minute.
func ago(h History) string {
	if s := int(h.LastGood.Seconds()); s >= 1 && s < 60 {
		return strconv.Itoa(s) + " s ago"
	}
	return fault.Span(h.LastGood) + " ago"
}

// silence is how long nothing had moved: at least the limit, when one fired that waits for a byte.
func silence(a *journey.Attempt) string {
	d := a.Silence
	if a.End == journey.EndTimeout && lastKey(a.Limit) != "total" && a.Limit != RPCLimit {
		d = max(d, a.LimitValue)
	}
	return fault.Span(d)
}
