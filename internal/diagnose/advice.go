package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// advice puts what can be said about this very call before the catalogue's advice for its kind.
func (c *judgement) advice(f *fault.Finding) {
	own := append(clipped(c.in.Advice), c.childAdvice()...)
	if c.found != nil {
		own = append(own, clipped(c.found.advice)...)
	}
	own = append(own, c.foreignAdvice()...)
	own = append(own, c.operatorAdvice()...)
	if e, _ := c.beneath(); e != nil {
		own = append(own, e.OperatorAdvice...)
	}
	if len(own) > 0 {
		f.Advice = append(own, c.entry.OperatorAdvice...)
	}
	caller := clipped(c.in.CallerAdvice)
	if curl := c.curl(); curl != "" {
		caller = append(caller, curl)
	}
	general := c.entry.CallerAdvice
	if f.Retry == fault.Safe && slices.Contains(general, fault.RepeatCareful) {
		general = slices.DeleteFunc(slices.Clone(general), func(s string) bool { return s == fault.RepeatCareful })
		if caller = append(caller, general...); len(caller) == 0 {
			caller = []string{"The same call may be sent again: done twice it is the same as done once."}
		}
		f.CallerAdvice = caller
		return
	}
	if len(caller) > 0 {
		f.CallerAdvice = append(caller, general...)
	}
}

// operatorAdvice names this call's addresses and settings.
func (c *judgement) operatorAdvice() []string {
	a := c.about
	if a == nil {
		return nil
	}
	addr, target := address(a), cleanTarget(a.Target)
	switch c.kind {
	case fault.DNSNotFound, fault.DNSNoAddress, fault.DNSServerFailure, fault.DNSRefused, fault.DNSTimeout:
		return []string{"On the gateway's host: getent hosts " + hostOf(a.Target)}
	case fault.ConnectionRefused:
		if isUnix(a) {
			return []string{"Check that the service runs and listens on " + addr + "."}
		}
		return []string{"Check that the service runs on " + addr + ": on its host, ss -ltnp shows who listens there; from the gateway's host, try curl -v " + target + "/"}
	case fault.ConnectTimeout, fault.Unroutable, fault.ConnectReset:
		return []string{"From the gateway's host: nc -vz -w 5 " + hostAndPort(addr)}
	case fault.TLSUnknownAuthority, fault.TLSCertificateExpired, fault.TLSCertificateNotYet, fault.TLSNameMismatch, fault.TLSCertificateInvalid,
		fault.TLSIntermediateMissing, fault.TLSPinMismatch, fault.TLSClientCertRejected, fault.TLSClientCertificate, fault.TLSVersionMismatch, fault.TLSUnrecognizedName, fault.TLSAlert, fault.TLSHandshakeClosed, fault.TLSHandshakeReset:
		look := []string{"Look at the handshake from the gateway's host: " + openssl(a)}
		if also := c.second(true); also != "" {
			return append([]string{"Mend both at once: " + also + ". A new certificate has to be in date, for the right name (or " + c.key("tls.server_name") + " has to name what it is for), and of an authority that the gateway trusts."}, look...)
		}
		return look
	case fault.TLSToPlainPort:
		return []string{"Change the target " + target + " to " + strings.Replace(target, "https://", "http://", 1) + "."}
	case fault.PlainToTLSPort:
		return []string{"Change the target " + target + " to " + strings.Replace(target, "http://", "https://", 1) + "."}
	case fault.FirstByteTimeout, fault.IdleTimeout, fault.SendTimeout, fault.TotalTimeout, fault.TunnelIdleTimeout:
		return c.limitAdvice()
	case fault.ClosedBeforeResponse, fault.ResetBeforeResponse, fault.ResetMidBody, fault.TunnelReset, fault.TunnelClosed:
		return roundSilence(a)
	case fault.TruncatedBody:
		return append(roundSilence(a), roundSize(a)...)
	case fault.StaleConnection:
		if a.ConnIdle > 0 {
			return []string{"This connection had been idle for " + fault.Span(a.ConnIdle) + ": set the upstream's keep-alive timeout well above that."}
		}
	}
	return nil
}

// limitAdvice names the setting that fired, where it stands, and its value.
func (c *judgement) limitAdvice() []string {
	a := c.about
	if a.End != journey.EndTimeout || a.LimitValue <= 0 {
		return nil
	}
	where := "upstream.timeouts."
	switch {
	case c.in.LLM && c.in.Provider != "":
		where = "providers." + c.in.Provider + ".timeouts."
	case c.in.Service != "":
		where = "services." + c.in.Service + ".upstream.timeouts."
	}
	return []string{fmt.Sprintf("%s%s is %s now: raise it if calls like this one may take longer.", where, lastKey(a.Limit), limit(a.LimitValue))}
}

// usualTimeouts are values that programs and middleboxes come with, in seconds.
var usualTimeouts = []int{10, 15, 30, 60, 90, 100, 120, 180, 240, 300, 350, 600, 900, 3600}

// roundSilence points out that a connection broke after a time that somebody has configured.
func roundSilence(a *journey.Attempt) []string {
	for _, s := range usualTimeouts {
		at := time.Duration(s) * time.Second
		if a.Silence >= at && a.Silence < at+at/50 {
			return []string{fmt.Sprintf("It broke after %s of silence: so round a time is usually somebody's timeout, of the upstream's server (gunicorn: --timeout 30) or of a balancer between (AWS: 60 s, 350 s). Raise that one.", fault.Span(a.Silence))}
		}
	}
	return nil
}

// roundSize points out that a body broke at a size that looks like a buffer or a limit.
func roundSize(a *journey.Attempt) []string {
	if n := a.BodyIn; n >= 4096 && n&(n-1) == 0 {
		return []string{fmt.Sprintf("It broke at exactly %s: so round a size is usually a limit or a buffer, of the upstream or of a proxy between.", bytesText(n))}
	}
	return nil
}

// hostAndPort is an address as nc takes it.
func hostAndPort(addr string) string {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return addr
	}
	return strings.Trim(addr[:i], "[]") + " " + addr[i+1:]
}

func openssl(a *journey.Attempt) string {
	addr, name := address(a), ""
	if !strings.Contains(addr, ":") {
		addr += ":443"
	}
	if a.TLS != nil {
		name = a.TLS.ServerName
	}
	if name == "" {
		name = hostOf(a.Target)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "openssl s_client -connect " + addr + " </dev/null" // an address is no server name (RFC 6066 section 3)
	}
	return "openssl s_client -connect " + addr + " -servername " + name + " </dev/null"
}

// curl is a command that works once YOUR_KEY is replaced, for a call that came without a good key.
func (c *judgement) curl() string {
	if c.in.KeyHeader == "" || c.in.URL == "" {
		return ""
	}
	parts := []string{"Send your key like this: curl"}
	if c.in.Method != "" && c.in.Method != "GET" && c.in.Method != "POST" {
		parts = append(parts, "-X "+shell(c.in.Method))
	}
	if strings.ContainsAny(c.in.URL, "[]{}") {
		parts = append(parts, "-g") // else curl makes several addresses of them
	}
	parts = append(parts, shell(clip(c.in.URL, quoteLimit*2)), "-H "+shell(c.in.KeyHeader))
	if c.in.Method == "POST" {
		parts = append(parts, "-H 'Content-Type: application/json' -d '{}'")
		if strings.HasSuffix(c.in.URL, "/chat/completions") {
			parts[len(parts)-1] = `-H 'Content-Type: application/json' -d '{"model":"sandbox/echo","messages":[{"role":"user","content":"hello"}]}'`
		}
	}
	return strings.Join(parts, " ")
}

// shell quotes s for a POSIX shell. Control characters, which would break a terminal, are dropped.
func shell(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, s)
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
