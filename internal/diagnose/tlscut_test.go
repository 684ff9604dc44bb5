package diagnose

import (
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// A TLS connection that fails or ends under an answer is told as what it is, and not as a refused handshake.
func TestTLSThatBreaksLaterIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		phase journey.Phase
		facts journey.TLSFacts
		says  []string
		not   []string
	}{
		"damaged in the body": {
			journey.PhaseBody,
			journey.TLSFacts{Reason: "protocol", Alert: -1, Err: "local error: tls: bad record MAC", AfterComplete: true},
			[]string{"truncated_body", "broke the TLS connection in the middle of its answer (bad record MAC), after 10 bytes", `the error: "local error: tls: bad record MAC"`},
			[]string{"closed the connection", "refused", "the handshake's error"},
		},
		"damaged instead of an answer": {
			journey.PhaseWait,
			journey.TLSFacts{Reason: "protocol", Alert: -1, Err: "local error: tls: bad record MAC", AfterComplete: true},
			[]string{"tls_protocol_error", "broke the TLS connection while the answer was awaited (bad record MAC)"},
			[]string{"neither TLS nor HTTP", "refused", "the handshake's error"},
		},
		"an alert": { // may be about the handshake: TLS 1.3 refuses a certificate only then
			journey.PhaseWait,
			journey.TLSFacts{Reason: "alert", Alert: 116, Asked: true, AfterComplete: true, Err: "remote error: tls: certificate required"},
			[]string{"tls_client_certificate", "on the gateway's side; refused while the answer was awaited", "the handshake's error"},
			nil,
		},
	} {
		a := inBody(journey.EndTLS, 10, -1)
		a.Target, a.Phase, a.TLS = "https://"+canaryHost, c.phase, &c.facts
		j := &journey.Journey{Attempts: []journey.Attempt{a}, Finding: Judge(get(a))}
		text := string(fault.Text(nil, Explain(j), true))
		for _, says := range c.says {
			if !strings.Contains(text, says) {
				t.Errorf("%s: %q is missing in\n%s", name, says, text)
			}
		}
		for _, not := range c.not {
			if strings.Contains(text, not) {
				t.Errorf("%s: %q is in\n%s", name, not, text)
			}
		}
	}
}
