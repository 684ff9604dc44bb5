package catalog

import (
	"crypto/tls"
	"encoding/base64"
	"net/mail"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// TLSOptions are how the gateway's own listener speaks TLS.
type TLSOptions struct {
	MinVersion string // "1.2" | "1.3"
	// Ciphers are the TLS 1.2 suites by their IANA names, none = this version's own choice. Those of
	// TLS 1.3 can't be chosen.
	Ciphers []string
	// UnknownNames is "default" (the first certificate is shown) or "refuse" (alert 112).
	UnknownNames string
}

// ClientAuth says what is asked of callers' certificates.
type ClientAuth struct {
	CAFile string // the authorities that sign them; "" takes any, which then counts by its SHA-256 alone
	Mode   string // optional | require
}

// ACME says how certificates are got from an authority (RFC 8555).
type ACME struct {
	Hosts       []string // lower case, without wildcards
	Email       string
	Directory   string // "" is Let's Encrypt's
	CAFile      string // what the directory's own certificate is verified with; "" is the system's
	AcceptTerms bool
	HTTPPort    int // where HTTP-01 is answered; 0: not by a listener of its own
}

// CallerCertificate is a client certificate that lets an application in: by its SHA-256, or by a
// name in one that server.client_auth.ca_file has signed.
type CallerCertificate struct {
	SHA256  [32]byte // of the whole certificate (DER); zero when a name is set
	Subject string   // its common name
	SAN     string   // a DNS name, e-mail address, URI or IP address among its alternative names
}

// tlsOptionKeys are the rows of server.tls_options.
func tlsOptionKeys() []key {
	return []key{
		{
			name: "min_version", def: "1.2", shape: scalarOf(tlsVersion()), aka: []string{"minVersion", "protocols", "versions"},
			doc: "The oldest version of TLS that callers may speak.",
		},
		{
			name: "ciphers", shape: listOf("a list such as [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]", scalarOf(cipherSuite())), aka: []string{"cipher_suites", "cipherSuites"},
			doc: "The cipher suites of TLS 1.2, by their IANA names; none = the ECDHE suites with AES-GCM or ChaCha20-Poly1305. Those of TLS 1.3 are all good and can't be chosen.",
		},
		{
			name: "unknown_names", def: "default", aka: []string{"sni_strict", "sniStrict"}, shape: scalarOf(oneOf(nil,
				choice{value: "default", doc: "the first certificate is shown, and the caller judges it"},
				choice{value: "refuse", doc: "the handshake ends with the alert unrecognized_name"})),
			doc: "What a caller gets that asks for a name (SNI) that no certificate has. One that asks for no name gets the first certificate.",
		},
	}
}

// clientAuthKeys are the rows of server.client_auth.
func clientAuthKeys() []key {
	return []key{
		{
			name: "ca_file", shape: scalarOf(orEmpty(fileName())), aka: []string{"ca", "trust", "client_ca"},
			doc: "A PEM file of the authorities that sign callers' certificates. Without it any certificate is taken, and `applications.*.certificates` can name it by its `sha256` alone.",
		},
		{
			name: "mode", def: "optional", shape: scalarOf(oneOf(nil,
				choice{value: "optional", doc: "a certificate is asked for, and a call without one needs a key where one is needed"},
				choice{value: "require", doc: "a handshake without a certificate ends with an alert"})),
			doc: "Whether callers must show a certificate. One that is shown must be valid in both modes.",
		},
	}
}

// acmeKeys are the rows of server.acme.
func acmeKeys() []key {
	return []key{
		{
			name: "hosts", required: true, example: "hosts: [api.example.com]", aka: []string{"domains", "names", "host"},
			shape: listOf("a list of hosts such as [api.example.com]", scalarOf(publicName())).notEmpty(),
			doc:   "The names to get certificates for. The authority must reach this gateway under each: on port 80 (HTTP-01) or on port 443 (TLS-ALPN-01).",
		},
		{
			name: "accept_terms", required: true, example: "accept_terms: true, once you have read the authority's terms", shape: scalarOf(boolean()), aka: []string{"agree", "terms", "accept_tos"},
			doc: "That you accept the authority's terms of service; it must be `true`.",
		},
		{name: "email", shape: scalarOf(orEmpty(mailAddress())), doc: "Where the authority writes to when something is wrong."},
		{
			name: "directory", def: "https://acme-v02.api.letsencrypt.org/directory", shape: scalarOf(acmeDirectory()), aka: []string{"ca", "server", "url"},
			doc: "The authority's ACME directory.",
		},
		{
			name: "ca_file", shape: scalarOf(orEmpty(fileName())),
			doc: "A PEM file of certificates to trust when speaking to the directory, for an authority of your own.",
		},
		{
			name: "http_port", def: "0", shape: scalarOf(integer("a port", 0, 65535)), aka: []string{"port", "alt_http_port"},
			doc: "A plain port on which HTTP-01 is answered while an order waits for it; a public authority comes to 80. 0 = the authority is answered by TLS-ALPN-01 on the gateway's own port, where a public one comes to 443, and on the gateway's plain addresses if it has any.",
		},
	}
}

// callerCertificateShape is one entry of applications.*.certificates.
func callerCertificateShape() shape {
	return objectOf("{san: billing.internal}", []key{
		{
			name: "sha256", shape: scalarOf(fingerprint()), aka: []string{"fingerprint", "hash"},
			doc: "The SHA-256 of the certificate itself (DER), 64 hexadecimal digits, with or without colons: `openssl x509 -noout -fingerprint -sha256`.",
		},
		{
			name: "san", shape: scalarOf(certificateName("a name")), aka: []string{"dns", "name", "uri", "email"},
			doc: "A DNS name, e-mail address, URI or IP address among the alternative names of a certificate that `server.client_auth.ca_file` has signed.",
		},
		{
			name: "subject", shape: scalarOf(certificateName("a common name")), aka: []string{"cn", "common_name"},
			doc: "The common name of such a certificate.",
		},
	}).checked(checkCallerCertificate)
}

func checkCallerCertificate(c *checker, v *value) {
	var have []string
	for _, name := range []string{"sha256", "san", "subject"} {
		if v.fields[name] != nil {
			have = append(have, name)
		}
	}
	switch {
	case len(have) == 0 && len(v.meant) == 0:
		c.faults.add(v.at, "`"+v.path+"` names no certificate", "add sha256: DIGITS, san: NAME or subject: NAME")
	case len(have) > 1:
		c.faults.add(v.get(have[1]).name, "`"+v.path+"` has both `"+have[0]+"` and `"+have[1]+"`", "keep one of the two: each entry stands for itself")
	}
}

// checkApplication: a caller needs something that says who it is.
func checkApplication(c *checker, v *value) {
	if v.fields["keys"] == nil && v.fields["certificates"] == nil && !v.meant["keys"] && !v.meant["certificates"] {
		c.faults.add(v.name, "`"+v.path+"` has no `keys`", `add keys: ["${WEB_KEY}"]`)
	}
}

// certificates checks what client certificates mean to each other and to server.client_auth.
func (c *checker) certificates(root *value) {
	auth := root.get("server").get("client_auth")
	apps := root.get("applications")
	first := map[CallerCertificate]*value{}
	for _, name := range apps.names {
		for _, v := range apps.get(name).get("certificates").items {
			if v.bad || len(v.fields) == 0 {
				continue
			}
			switch named := v.get("san").set() || v.get("subject").set(); {
			case !auth.set():
				c.faults.add(v.at, "`"+v.path+"` names a certificate, and callers are not asked for any", "add server.client_auth: {ca_file: clients.pem}")
			case named && as[string](auth.get("ca_file")) == "" && !auth.get("ca_file").bad:
				c.faults.add(v.at, "`"+v.path+"` goes by a name, and without server.client_auth.ca_file anybody can make a certificate with that name", "add ca_file to server.client_auth, or name the certificate by its sha256")
			}
			k := callerCertificate(v)
			if k == (CallerCertificate{}) {
				continue
			}
			if before, taken := first[k]; taken {
				c.faults.add(v.at, "`"+v.path+"` is the same certificate as `"+before.path+"` at line "+strconv.Itoa(before.at.line), "give each application certificates of its own")
				continue
			}
			first[k] = v
		}
	}
	server := root.get("server")
	c.doorTLS(server)
	if auth.set() && len(server.get("tls").items) == 0 && !server.get("acme").set() {
		c.faults.add(auth.name, "`server.client_auth` asks for certificates, and the gateway doesn't speak TLS", "add server.tls or server.acme, or remove it")
	}
	if a := server.get("acme"); a.set() {
		if terms := a.get("accept_terms"); terms.set() && !terms.bad && !as[bool](terms) {
			c.faults.add(terms.at, "`server.acme.accept_terms: false` leaves nothing to do", "write true once you have read the authority's terms, or remove server.acme")
		}
	}
}

// checkUpstreamTLS checks that a client certificate for an upstream comes with its key.
func checkUpstreamTLS(c *checker, v *value) {
	cert, key := v.fields["cert_file"], v.fields["key_file"]
	switch {
	case v.meant["cert_file"] || v.meant["key_file"]:
	case cert != nil && as[string](cert) != "" && (key == nil || as[string](key) == "" && !key.bad):
		c.faults.add(cert.name, "`"+v.path+".cert_file` comes without its key", "add key_file: FILE")
	case key != nil && as[string](key) != "" && (cert == nil || as[string](cert) == "" && !cert.bad):
		c.faults.add(key.name, "`"+v.path+".key_file` comes without its certificate", "add cert_file: FILE")
	}
}

// tlsVersion is a version that is still fit for use.
func tlsVersion() scalar {
	s := oneOf(nil, choice{value: "1.2"}, choice{value: "1.3"})
	s.kinds = []nodeKind{stringNode, numberNode}
	s.schema = map[string]any{"enum": []any{"1.2", "1.3", 1.2, 1.3}}
	inner := s.parse
	s.parse = func(text string) (any, *wrong) {
		plain := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(text), "tls"), "v")
		switch plain {
		case "1.0", "1.1", "1", "ssl3":
			return nil, &wrong{message: "is a version that is broken (RFC 8996)", fix: "write 1.2 or 1.3"}
		}
		return inner(plain)
	}
	return s
}

// cipherSuite is a suite of TLS 1.2 that crypto/tls holds secure.
func cipherSuite() scalar {
	var names []string
	for _, s := range tls.CipherSuites() {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			names = append(names, s.Name)
		}
	}
	return scalar{
		noun: "a cipher suite such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", kinds: []nodeKind{stringNode},
		schema: map[string]any{"enum": names},
		parse: func(s string) (any, *wrong) {
			if slices.Contains(names, s) {
				return s, nil
			}
			for _, c := range tls.InsecureCipherSuites() {
				if c.Name == s {
					return nil, &wrong{message: "is insecure", fix: "remove it; " + nearestSuite(s, names)}
				}
			}
			for _, c := range tls.CipherSuites() {
				if c.Name == s {
					return nil, &wrong{message: "belongs to TLS 1.3, whose suites are always on", fix: "remove it"}
				}
			}
			return nil, &wrong{message: "is not a cipher suite of this version", fix: nearestSuite(s, names)}
		},
	}
}

// nearestSuite also understands OpenSSL's way to write a suite: ECDHE-RSA-AES128-GCM-SHA256.
func nearestSuite(s string, names []string) string {
	flat := strings.NewReplacer("TLS_", "", "_WITH", "", "_", "", "-", "")
	for _, name := range names {
		if strings.TrimSuffix(flat.Replace(name), "SHA256") == strings.TrimSuffix(flat.Replace(strings.ToUpper(s)), "SHA256") {
			return "write " + name
		}
	}
	best, _ := nearest(s, names)
	return "the nearest that is good is " + best
}

// publicName is a host that an authority can give a certificate for.
func publicName() scalar {
	host := hostName()
	s := scalar{noun: "a host such as api.example.com", kinds: []nodeKind{stringNode}, schema: host.schema}
	s.parse = func(text string) (any, *wrong) {
		v, w := host.parse(text)
		if w != nil {
			return nil, w
		}
		name, _ := v.(string)
		switch {
		case strings.HasPrefix(name, "*"):
			return nil, &wrong{message: "is a wildcard, which neither HTTP-01 nor TLS-ALPN-01 can prove", fix: "write each name, or get the certificate by DNS with another tool and name its files in server.tls"}
		case isAddress(name):
			return nil, &wrong{message: "is an address, and authorities certify names", fix: "write a host such as api.example.com"}
		}
		return name, nil
	}
	return s
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return err == nil
}

func mailAddress() scalar {
	return scalar{
		noun: "an e-mail address such as ops@example.com", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^[^@ ]+@[^@ ]+$"},
		parse: func(s string) (any, *wrong) {
			a, err := mail.ParseAddress(s)
			if err != nil || a.Address != s {
				return nil, &wrong{message: "is not an e-mail address", fix: "write one such as ops@example.com"}
			}
			return s, nil
		},
	}
}

func acmeDirectory() scalar {
	s := webURL()
	inner := s.parse
	s.noun = "an https URL such as https://acme-v02.api.letsencrypt.org/directory"
	s.schema = map[string]any{"type": "string", "pattern": "^https://.+"}
	s.parse = func(text string) (any, *wrong) {
		v, w := inner(text)
		if w == nil && !strings.HasPrefix(text, "https://") {
			return nil, &wrong{message: "is not an https URL, and an account's requests must not go out in the open", fix: "write https://HOST/directory"}
		}
		return v, w
	}
	return s
}

// fingerprint is the SHA-256 of a certificate.
func fingerprint() scalar {
	h := hash()
	return scalar{
		noun: h.noun, kinds: h.kinds,
		schema: map[string]any{"type": "string", "pattern": "^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$"},
		parse: func(s string) (any, *wrong) {
			v, w := h.parse(strings.ReplaceAll(s, ":", ""))
			if w != nil {
				return nil, &wrong{message: w.message, fix: "write what openssl x509 -in CERTIFICATE -noout -fingerprint -sha256 prints after the =, in quotes"}
			}
			return v, nil
		},
	}
}

// pin is the SHA-256 of a public key in the form of RFC 7469: sha256/BASE64.
func pin() scalar {
	return scalar{
		noun: "a pin such as sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^sha256/[A-Za-z0-9+/]{43}=$"},
		parse: func(s string) (any, *wrong) {
			text, ok := strings.CutPrefix(s, "sha256/")
			b, err := base64.StdEncoding.Strict().DecodeString(text)
			if !ok || err != nil || len(b) != 32 {
				return nil, &wrong{message: "is not a pin", fix: "write sha256/ and the base64 of the SHA-256 of the public key: openssl x509 -in CERTIFICATE -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"}
			}
			return [32]byte(b), nil
		},
	}
}

func tlsOptions(v *value) TLSOptions {
	return TLSOptions{
		MinVersion: as[string](v.get("min_version")), Ciphers: texts(v.get("ciphers")), UnknownNames: as[string](v.get("unknown_names")),
	}
}

func (b builder) clientAuth(v *value) *ClientAuth {
	if !v.set() {
		return nil
	}
	return &ClientAuth{CAFile: b.file(as[string](v.get("ca_file"))), Mode: as[string](v.get("mode"))}
}

func (b builder) acme(v *value) *ACME {
	if !v.set() {
		return nil
	}
	a := &ACME{
		Email: as[string](v.get("email")), Directory: as[string](v.get("directory")),
		CAFile: b.file(as[string](v.get("ca_file"))), AcceptTerms: as[bool](v.get("accept_terms")), HTTPPort: number(v.get("http_port")),
	}
	for _, host := range texts(v.get("hosts")) {
		if !slices.Contains(a.Hosts, host) {
			a.Hosts = append(a.Hosts, host)
		}
	}
	return a
}

// callerCertificate is the entry as it is compared.
func callerCertificate(v *value) CallerCertificate {
	return CallerCertificate{
		SHA256: as[[32]byte](v.get("sha256")), Subject: as[string](v.get("subject")), SAN: PlainSAN(as[string](v.get("san"))),
	}
}

// PlainSAN is the one form of an alternative name of a certificate by which names are compared: DNS
// has no case, addresses have many spellings, and URIs and e-mail addresses stand as they are.
func PlainSAN(name string) string {
	colon := strings.IndexByte(name, ':') >= 0
	if colon || strings.Trim(name, "0123456789.") == "" {
		if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
			return a.Unmap().String()
		}
	}
	if colon || strings.IndexByte(name, '@') >= 0 {
		return name
	}
	return strings.ToLower(name)
}

func pinsOf(v *value) [][32]byte {
	var pins [][32]byte
	for _, item := range v.items {
		pins = append(pins, as[[32]byte](item))
	}
	return pins
}
