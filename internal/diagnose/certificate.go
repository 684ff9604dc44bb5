package diagnose

import (
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
