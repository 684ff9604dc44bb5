package diagnose

import (
	"strings"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// certificateKind names why a server's certificate was not accepted, "" for what is not about one.
func certificateKind(reason string) fault.Kind {
	switch reason {
	case "unknown_authority", "self_signed":
		return fault.TLSUnknownAuthority
	case "missing_intermediate":
		return fault.TLSIntermediateMissing
	case "expired", "issuer_expired":
		return fault.TLSCertificateExpired
	case "not_yet_valid", "issuer_not_yet_valid":
		return fault.TLSCertificateNotYet
	case "name_mismatch":
		return fault.TLSNameMismatch
	case "pin_mismatch":
		return fault.TLSPinMismatch
	case "wrong_usage", "name_constraint", "weak_signature", "not_an_authority", "chain_too_long", "invalid":
		return fault.TLSCertificateInvalid
	}
	return ""
}

// certificate tells the kinds about a server's certificate.
func (t teller) certificate(k fault.Kind, facts *journey.TLSFacts) string {
	of := "the certificate of " + t.peer()
	issuer := of
	if facts.Reason == "issuer_expired" || facts.Reason == "issuer_not_yet_valid" {
		issuer = "a certificate that " + t.peer() + " sent with its own, of the authority that signed it" + t.named(" (", facts.Subject)
		if t.named(" (", facts.Subject) != "" {
			issuer += "),"
		} else {
			issuer += ","
		}
	}
	switch k {
	case fault.TLSUnknownAuthority:
		if facts.Reason == "self_signed" {
			return of + " is signed by itself, and the gateway does not trust it" + t.named(", ", facts.Subject) + "."
		}
		return of + " is signed by an authority that the gateway does not trust" + t.named(", ", facts.Issuer) + "."
	case fault.TLSIntermediateMissing:
		return t.peer() + " sent its own certificate without that of the authority that signed it" + t.named(", ", facts.Issuer) + "."
	case fault.TLSCertificateExpired:
		if facts.NotAfter.IsZero() {
			return issuer + " has expired."
		}
		return issuer + t.date(" expired on ", facts.NotAfter) + "."
	case fault.TLSCertificateNotYet:
		return issuer + " is not valid" + t.date(" before ", facts.NotBefore) + "."
	case fault.TLSNameMismatch:
		return of + " is not for the name asked for" + t.named(", ", facts.ServerName) + "."
	case fault.TLSPinMismatch:
		return of + " has a key that is not among upstream.tls.pins."
	case fault.TLSCertificateInvalid:
		return of + " cannot be accepted: " + invalidReason(facts.Reason) + "."
	}
	return ""
}

// second is what else is wrong with a server's certificate that was refused for another reason: verifying stops at the
// first, and who mends that alone meets the other next. It is "" where nothing is.
func (c *judgement) second(full bool) string {
	a := c.about
	if a == nil || a.TLS == nil || certificateKind(a.TLS.Reason) != c.kind {
		return ""
	}
	t := a.TLS
	switch c.kind {
	case fault.TLSCertificateExpired, fault.TLSCertificateNotYet, fault.TLSUnknownAuthority, fault.TLSIntermediateMissing:
		if t.ServerName == "" || len(t.Names) == 0 || isFor(t.Names, t.ServerName) || strings.HasPrefix(t.Reason, "issuer_") {
			break
		}
		if full {
			return "it is not for the name asked for either, " + t.ServerName + " (it is for " + nameList(t.Names) + ")"
		}
		return "it is not for the name asked for either"
	}
	if c.in.Time.IsZero() || t.NotAfter.IsZero() || dateKind(c.kind) {
		return ""
	}
	teller := teller{c: c, full: full}
	switch {
	case c.in.Time.After(t.NotAfter):
		return "it has expired as well" + teller.date(", on ", t.NotAfter)
	case c.in.Time.Before(t.NotBefore):
		return "it is not valid yet as well" + teller.date(", but from ", t.NotBefore)
	}
	return ""
}

// isFor tells whether one of a certificate's names is the one asked for (RFC 9525 section 6.3: a wildcard stands for
// one whole label, the first).
func isFor(names []string, asked string) bool {
	asked = strings.ToLower(strings.TrimSuffix(asked, "."))
	_, parent, _ := strings.Cut(asked, ".")
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if name == asked || parent != "" && name == "*."+parent {
			return true
		}
	}
	return false
}

// invalidReason is the rule that a certificate breaks.
func invalidReason(reason string) string {
	switch reason {
	case "wrong_usage":
		return "it is not meant for servers (its extended key usage lacks serverAuth)"
	case "name_constraint":
		return "its authority may not sign this name (name constraints)"
	case "weak_signature":
		return "a signature in its chain is too weak (SHA-1 or MD5)"
	case "not_an_authority":
		return "what signed it is no authority (basic constraints)"
	case "chain_too_long":
		return "more authorities stand above it than the topmost allows (path length)"
	}
	return "the handshake's error, in the evidence, says which rule it breaks"
}
