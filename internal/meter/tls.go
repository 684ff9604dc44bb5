package meter

import "time"

// TLS is the state of the door's certificates and what became of handshakes with callers. Counters
// count since the start.
type TLS struct {
	Certificates   []Certificate
	Handshakes     []Handshakes
	Failures       map[string]int64 // by failure kind
	ReloadFailures int64            // certificates whose files changed and could not be loaded
}

// Certificate is the state of one certificate.
type Certificate struct {
	Name      string    // its first name
	Source    string    // its file as configured, or "acme"
	NotAfter  time.Time // zero while there is none
	OCSPUntil time.Time // when what is stapled goes out of date, zero when nothing is
	OK        bool      // what its files, or the authority, last gave is in force
}

// Handshakes counts handshakes that went well.
type Handshakes struct {
	Version string // "1.2" | "1.3"
	Resumed bool
	Count   int64
}

// The metrics of TLS with callers.
var (
	certificateLabels = []string{"name", "source"}

	descCertExpiry = desc("certificate_expiry_timestamp_seconds",
		"When the certificate in force ends, as Unix time. source is its file, or acme.", certificateLabels...)
	descCertOK = desc("certificate_last_reload_successful",
		"1 when what the certificate's files, or the authority, gave last is in force; 0 when an older one is, or none.", certificateLabels...)
	descCertOCSP = desc("certificate_ocsp_expiry_timestamp_seconds",
		"When the OCSP answer that is stapled goes out of date, as Unix time; missing while none is stapled.", certificateLabels...)
	descCertFailures = desc("certificate_reload_failures_total",
		"Certificates whose files changed and could not be loaded; the ones before stayed in force.")
	descHandshakes = desc("tls_handshakes_total",
		"TLS handshakes with callers that went well.", "version", "resumed")
	descHandshakeFailures = desc("tls_handshake_failures_total",
		"TLS handshakes with callers that failed, by failure kind; kinds are explained under /.causeway/failures/ on the gateway.", "kind")
)

func (t TLS) collect(e emitter) {
	seen := map[[2]string]bool{} // the same file may be named twice
	for _, c := range t.Certificates {
		key := [2]string{c.Name, c.Source}
		if seen[key] {
			continue
		}
		seen[key] = true
		if !c.NotAfter.IsZero() {
			e.gauge(descCertExpiry, float64(c.NotAfter.Unix()), c.Name, c.Source)
		}
		e.gauge(descCertOK, flag(c.OK), c.Name, c.Source)
		if !c.OCSPUntil.IsZero() {
			e.gauge(descCertOCSP, float64(c.OCSPUntil.Unix()), c.Name, c.Source)
		}
	}
	e.counter(descCertFailures, float64(t.ReloadFailures))
	for _, h := range t.Handshakes {
		resumed := "false"
		if h.Resumed {
			resumed = "true"
		}
		if h.Count > 0 {
			e.counter(descHandshakes, float64(h.Count), h.Version, resumed)
		}
	}
	for kind, n := range t.Failures {
		e.counter(descHandshakeFailures, float64(n), kind)
	}
}
