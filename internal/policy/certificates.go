package policy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// certificates finds applications by their client certificates.
type certificates struct {
	byHash    map[[sha256.Size]byte]*Caller
	bySAN     map[string]*Caller // as catalog.PlainSAN writes them
	bySubject map[string]*Caller // common names
}

func (t *certificates) add(c *Caller, list []catalog.CallerCertificate) error {
	for _, k := range list {
		var had *Caller
		switch {
		case k.SAN != "":
			had = put(&t.bySAN, k.SAN, c)
		case k.Subject != "":
			had = put(&t.bySubject, k.Subject, c)
		default:
			had = put(&t.byHash, k.SHA256, c)
		}
		if had != nil && had != c {
			return fmt.Errorf("applications %s and %s have the same certificate; give one of them a certificate of its own", had.Name, c.Name)
		}
	}
	return nil
}

// put files c under a key and returns who was there.
func put[K comparable](m *map[K]*Caller, key K, c *Caller) *Caller {
	if *m == nil {
		*m = map[K]*Caller{}
	}
	had := (*m)[key]
	(*m)[key] = c
	return had
}

// Certificates tells whether any application is known by a client certificate.
func (r *KeyRing) Certificates() bool {
	return len(r.certs.byHash)+len(r.certs.bySAN)+len(r.certs.bySubject) > 0
}

// ByCertificate finds the application whose client certificate a connection was opened with: by its
// SHA-256, else by one of its alternative names in their order in the certificate (DNS, e-mail, URI,
// IP), else by its subject's common name. Names count only in a certificate that an authority of ours
// has signed. A certificate that has ended since the connection was opened lets nobody in. It is
// key_missing where the connection shows none, and what other failures say is complete but for Example.
func (r *KeyRing) ByCertificate(st *tls.ConnectionState) Found {
	if st == nil || len(st.PeerCertificates) == 0 {
		return Found{Kind: fault.KeyMissing}
	}
	leaf := st.PeerCertificates[0]
	now := r.now()
	if now.After(leaf.NotAfter) {
		return Found{
			Kind: fault.ClientCertExpired, Detail: "The client certificate that this connection was opened with has expired.",
			Evidence: []string{identify(leaf), "valid until " + leaf.NotAfter.UTC().Format(time.RFC3339)},
		}
	}
	if c := r.certs.find(leaf, len(st.VerifiedChains) > 0); c != nil {
		return Found{Caller: c}
	}
	return Found{
		Kind: fault.ClientCertUnknown, Detail: "The call has no key, and its client certificate belongs to no application.",
		Evidence: []string{identify(leaf)},
	}
}

func (t *certificates) find(leaf *x509.Certificate, verified bool) *Caller {
	if len(t.byHash) > 0 {
		if c := t.byHash[sha256.Sum256(leaf.Raw)]; c != nil {
			return c
		}
	}
	if !verified {
		return nil
	}
	if c := t.named(leaf); c != nil {
		return c
	}
	return t.bySubject[leaf.Subject.CommonName]
}

// named goes by the alternative names.
func (t *certificates) named(leaf *x509.Certificate) *Caller {
	if len(t.bySAN) == 0 {
		return nil
	}
	for _, name := range leaf.DNSNames {
		if c := t.bySAN[catalog.PlainSAN(name)]; c != nil {
			return c
		}
	}
	for _, name := range leaf.EmailAddresses {
		if c := t.bySAN[name]; c != nil {
			return c
		}
	}
	for _, u := range leaf.URIs {
		if c := t.bySAN[u.String()]; c != nil {
			return c
		}
	}
	for _, ip := range leaf.IPAddresses {
		if c := t.bySAN[catalog.PlainSAN(ip.String())]; c != nil {
			return c
		}
	}
	return nil
}

// names are a certificate's alternative names.
func names(leaf *x509.Certificate) []string {
	var list []string
	for _, name := range leaf.DNSNames {
		list = append(list, catalog.PlainSAN(name))
	}
	list = append(list, leaf.EmailAddresses...)
	for _, u := range leaf.URIs {
		list = append(list, u.String())
	}
	for _, ip := range leaf.IPAddresses {
		list = append(list, catalog.PlainSAN(ip.String()))
	}
	return list
}

// identify tells all that an operator needs to let a certificate in.
func identify(leaf *x509.Certificate) string {
	sum := sha256.Sum256(leaf.Raw)
	text := fmt.Sprintf("client certificate of %q, issued by %q, sha256 %s", leaf.Subject.String(), leaf.Issuer.String(), hex.EncodeToString(sum[:]))
	if list := names(leaf); len(list) > 0 {
		const most = 8
		more := ""
		if len(list) > most {
			list, more = list[:most], ", ..."
		}
		text += ", alternative names " + strings.ToValidUTF8(strings.Join(list, ", "), "?") + more
	}
	return text
}
