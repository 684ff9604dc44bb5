package faulty

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"time"

	"causeway/internal/fault"
)

func tlsFaults() []Fault {
	return []Fault{
		{
			Name: "tls_unknown_authority", Kind: fault.TLSUnknownAuthority, Row: "14",
			About: "the certificate is signed by an authority that nobody trusts", start: https(strangersCertificate),
		},
		{
			Name: "tls_self_signed", Kind: fault.TLSUnknownAuthority, Row: "14",
			About: "the certificate is signed by itself", start: https(selfSigned),
		},
		{
			Name: "tls_intermediate_missing", Kind: fault.TLSIntermediateMissing, Row: "14",
			About: "the authority is trusted, but the server leaves out the intermediate between", start: https(missingIntermediate),
		},
		{
			Name: "tls_expired", Kind: fault.TLSCertificateExpired, Row: "15",
			About: "the certificate ended a day ago", start: https(certificate(func(t *x509.Certificate) {
				t.NotBefore, t.NotAfter = time.Now().AddDate(0, 0, -91), time.Now().AddDate(0, 0, -1)
			})),
		},
		{
			Name: "tls_not_yet_valid", Kind: fault.TLSCertificateNotYet, Row: "15",
			About: "the certificate begins tomorrow", start: https(certificate(func(t *x509.Certificate) {
				t.NotBefore, t.NotAfter = time.Now().AddDate(0, 0, 1), time.Now().AddDate(0, 0, 91)
			})),
		},
		{
			Name: "tls_name_mismatch", Kind: fault.TLSNameMismatch, Row: "16",
			About: "the certificate is for other.test, the name asked for is orders.test", start: https(otherName),
		},
		{
			Name: "tls_wrong_usage", Kind: fault.TLSCertificateInvalid, Row: "17",
			About: "the certificate is for clients only (extended key usage)", start: https(certificate(func(t *x509.Certificate) {
				t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			})),
		},
		{
			Name: "tls_client_certificate", Kind: fault.TLSClientCertificate, Row: "18",
			About: "a client certificate is demanded under TLS 1.3: the alert comes after the handshake is done for the client",
			start: https(demandClient(tls.VersionTLS13)),
		},
		{
			Name: "tls_client_certificate_12", Kind: fault.TLSClientCertificate, Row: "18",
			About: "a client certificate is demanded under TLS 1.2: alert 40, handshake_failure, inside the handshake", start: https(demandClient(tls.VersionTLS12)),
		},
		{
			Name: "tls_old_versions", Kind: fault.TLSVersionMismatch, Row: "19",
			About: "the server speaks TLS 1.0 and 1.1 only and refuses with alert 70, protocol_version", start: https(oldVersions),
		},
		{
			Name: "tls_old_hello", Kind: fault.TLSVersionMismatch, Row: "19",
			About: "an old server chooses TLS 1.0 in its ServerHello: the client has to refuse", start: handshake(something, send(serverHello10), fin),
		},
		{
			Name: "tls_unrecognized_name", Kind: fault.TLSUnrecognizedName, Row: "20",
			About: "alert 112, unrecognized_name, for the name asked for",
			start: func(s *site) error {
				s.up.ServerName = "gone.test"
				return handshake(something, send(alert(112)), fin)(s)
			},
		},
		{
			Name: "tls_alert", Kind: fault.TLSAlert, Row: "19",
			About: "alert 80, internal_error", start: handshake(something, send(alert(80)), fin),
		},
		{
			Name: "tls_alert_handshake", Kind: fault.TLSAlert, Also: []fault.Kind{fault.TLSVersionMismatch}, Row: "19",
			About: "alert 40, handshake_failure: no cipher in common", start: handshake(something, send(alert(40)), fin),
		},
		{
			Name: "tls_alert_protocol", Kind: fault.TLSAlert, Also: []fault.Kind{fault.TLSProtocolError}, Row: "48",
			About: "alert 120, no_application_protocol: ALPN has nothing in common", start: handshake(something, send(alert(120)), fin),
		},
		{
			Name: "tls_handshake_closed", Kind: fault.TLSHandshakeClosed, Row: "23",
			About: "the ClientHello is read, then FIN", start: handshake(something, fin),
		},
		{
			Name: "tls_handshake_cut", Kind: fault.TLSHandshakeClosed, Row: "23",
			About: "half a ServerHello, then FIN", start: handshake(something, send(serverHello10[:20]), fin),
		},
		{
			Name: "tls_handshake_reset", Kind: fault.TLSHandshakeReset, Row: "23",
			About: "the ClientHello is read, then RST", start: handshake(something, rst),
		},
		{
			Name: "tls_handshake_timeout", Kind: fault.TLSHandshakeTimeout, Also: []fault.Kind{fault.ConnectTimeout}, Row: "24",
			About: "the ClientHello is read, then nothing", start: handshake(something, silence),
		},
		{
			Name: "tls_garbage", Kind: fault.TLSProtocolError, Row: "23",
			About: "a handshake record full of nonsense", start: handshake(something, send("\x16\x03\x03\x00\x20"+nonsense), fin),
		},
		{
			Name: "tls_not_tls", Kind: fault.TLSProtocolError, Also: []fault.Kind{fault.TLSToPlainPort, fault.NotHTTP}, Row: "23",
			About: "bytes that are neither TLS nor HTTP", start: handshake(something, send(nonsense), fin),
		},
	}
}

// secureFaults are faults of HTTP inside a good TLS connection.
func secureFaults() []Fault {
	return []Fault{
		{
			Name:  "tls",
			About: "a healthy https server", start: https(certificate(nil)),
		},
		{
			Name: "tls_body_cut_rst", Kind: fault.ResetMidBody, Row: "41",
			About: "over TLS: Content-Length 100, ten bytes, RST",
			start: https(certificate(nil), request, send(cutBody), settle, rst),
		},
		{
			Name: "tls_close_before_response", Kind: fault.ClosedBeforeResponse, Row: "32",
			About: "over TLS: the request is read, then close_notify and FIN",
			start: https(certificate(nil), request, fin),
		},
	}
}

// alert is a fatal alert as a plaintext record, as a server sends it before any key is agreed
// (RFC 8446 section 6).
func alert(description byte) string {
	return "\x15\x03\x03\x00\x02\x02" + string([]byte{description})
}

// serverHello10 chooses TLS 1.0 with TLS_RSA_WITH_AES_128_CBC_SHA (RFC 2246 section 7.4.1.3).
const serverHello10 = "\x16\x03\x01\x00\x2a" + "\x02\x00\x00\x26" + "\x03\x01" +
	"causeway-fault-lab-server-random" + "\x00" + "\x00\x2f" + "\x00"

// nonsense is 32 bytes that mean nothing.
const nonsense = "\xfe\xed\xfa\xce\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b" +
	"\x9c\x9d\x9e\x9f\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab"

// handshake is the start of a fault in the bytes of a handshake.
func handshake(script ...step) func(*site) error {
	return func(s *site) error {
		ca, err := s.lab.authority()
		if err != nil {
			return err
		}
		s.up.CAFile = ca.file
		addr, err := s.listen("tcp", "127.0.0.1:0", script...)
		s.up.URL = "https://" + addr
		return err
	}
}

// tlsConfig makes a server's configuration and may say more in the upstream.
type tlsConfig func(*site, *authority) (*tls.Config, error)

// https is the start of a fault of a real TLS server. Without a script it answers well.
func https(config tlsConfig, script ...step) func(*site) error {
	if script == nil {
		script = []step{serveWell}
	}
	return func(s *site) error {
		ca, err := s.lab.authority()
		if err != nil {
			return err
		}
		cfg, err := config(s, ca)
		if err != nil {
			return err
		}
		if cfg.NextProtos == nil {
			cfg.NextProtos = []string{"http/1.1"}
		}
		return handshake(append([]step{secure(cfg)}, script...)...)(s)
	}
}

// secure shakes hands. When that fails the alert is on its way, and FIN follows it.
func secure(cfg *tls.Config) step {
	return func(c *peer) error {
		c.hold()
		conn := tls.Server(c.raw, cfg)
		if err := conn.Handshake(); err != nil {
			return fin(c)
		}
		c.speak(conn)
		return nil
	}
}

// certificate serves one of the lab's own leaves, issued anew for each handshake so that its
// dates stay what they are meant to be however long the lab runs.
func certificate(alter func(*x509.Certificate)) tlsConfig {
	return func(_ *site, ca *authority) (*tls.Config, error) {
		return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return ca.issue(alter)
		}}, nil
	}
}

func strangersCertificate(s *site, _ *authority) (*tls.Config, error) {
	stranger, err := newAuthority("Nobody's CA")
	if err != nil {
		return nil, err
	}
	return certificate(nil)(s, stranger)
}

func selfSigned(s *site, _ *authority) (*tls.Config, error) {
	return certificate(nil)(s, nil)
}

func missingIntermediate(s *site, ca *authority) (*tls.Config, error) {
	between, err := ca.intermediate("Faulty Lab Intermediate")
	if err != nil {
		return nil, err
	}
	// As every public authority does, it says where its own certificate can be had.
	return certificate(func(t *x509.Certificate) {
		t.IssuingCertificateURL = []string{"http://authority.test/intermediate.der"}
	})(s, between)
}

func otherName(s *site, ca *authority) (*tls.Config, error) {
	s.up.ServerName = "orders.test"
	return certificate(func(t *x509.Certificate) {
		t.Subject.CommonName, t.DNSNames, t.IPAddresses = "other.test", []string{"other.test", "*.other.test"}, nil
	})(s, ca)
}

func oldVersions(s *site, ca *authority) (*tls.Config, error) {
	cfg, err := certificate(nil)(s, ca)
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	return cfg, err
}

// client puts a client certificate of an authority into files; alter may be nil.
func (s *site) client(ca *authority, alter func(*x509.Certificate)) (certFile, keyFile string, err error) {
	dir, err := os.MkdirTemp(s.lab.dir, "client-")
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return certFile, keyFile, ca.writeClient(certFile, keyFile, alter)
}

// demandClient demands a client certificate of the lab's authority under one version of TLS.
func demandClient(version uint16) tlsConfig {
	return func(s *site, ca *authority) (*tls.Config, error) {
		var err error
		if s.up.ClientCertFile, s.up.ClientKeyFile, err = s.client(ca, nil); err != nil {
			return nil, err
		}
		cfg, err := certificate(nil)(s, ca)
		cfg.MinVersion, cfg.MaxVersion = version, version
		cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool()
		return cfg, err
	}
}
