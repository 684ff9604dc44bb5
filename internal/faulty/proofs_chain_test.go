package faulty

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// chainProofs are those of chainFaults.
func chainProofs() map[string]proof {
	invalid := func(want x509.InvalidReason) proof {
		return rejected(func(e x509.CertificateInvalidError) bool { return e.Reason == want })
	}
	return map[string]proof{
		"tls_intermediate_expired":       rejectedFor("expired"),
		"tls_intermediate_not_yet_valid": rejectedFor("not yet valid"),
		"tls_name_constraint":            invalid(x509.CANotAuthorizedForThisName),
		"tls_not_an_authority":           rejectedFor("unknown authority"),
		"tls_weak_signature":             rejectedFor("unknown authority"),
		"tls_chain_too_long":             invalid(x509.TooManyIntermediates),
		"tls_pin_mismatch":               pinned,
		"tls_client_unknown":             refusesShown("unknown certificate authority"),
		"tls_client_unknown_12":          refusesShown("unknown certificate authority"),
		"tls_client_expired":             refusesShown("expired certificate"),
		"tls_client_wrong_usage":         refusesShown("bad certificate"),
	}
}

// rejectedFor: the client does not accept the certificate, and its error says so.
func rejectedFor(want string) proof {
	return func(t *testing.T, u *Upstream) {
		_, _, err := fetch(t, client(t, u), get(t, u))
		var verify *tls.CertificateVerificationError
		if !errors.As(err, &verify) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// pinned: the certificate is good, and the pin is another key's.
func pinned(t *testing.T, u *Upstream) {
	answers(200, "ok\n")(t, u)
	if len(u.Pins) != 1 {
		t.Errorf("%d keys are pinned", len(u.Pins))
	}
}

// refusesShown: the server answers the certificate that it is to be shown with an alert, and takes
// another one.
func refusesShown(alert string) proof {
	return func(t *testing.T, u *Upstream) {
		for _, show := range []struct{ cert, key, want string }{{u.ShowCertFile, u.ShowKeyFile, alert}, {u.ClientCertFile, u.ClientKeyFile, ""}} {
			cert, err := tls.LoadX509KeyPair(show.cert, show.key)
			if err != nil {
				t.Fatal(err)
			}
			c := client(t, u)
			c.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &cert, nil
			}
			_, body, err := fetch(t, c, get(t, u))
			if show.want == "" && (err != nil || body != "ok\n") || show.want != "" && (err == nil || !strings.Contains(err.Error(), show.want)) {
				t.Errorf("got %q, %v, want %q", body, err, show.want)
			}
		}
	}
}
