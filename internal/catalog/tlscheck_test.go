package catalog

import (
	"strings"
	"testing"
)

func TestTLSSettingsThatDoNotGoTogether(t *testing.T) {
	const pair = "{cert_file: c.pem, key_file: k.pem}"
	for _, c := range []struct{ name, text, want string }{
		{"options and a certificate", "server: {tls: [" + pair + "], tls_options: {min_version: 1.3}}", ""},
		{"options and an authority", "server: {acme: {hosts: [a.test], accept_terms: true}, tls_options: {min_version: 1.3}}", ""},
		{"options without TLS", "server: {tls_options: {min_version: 1.3}}", "x.yaml:2:10: `server.tls_options` says how TLS is spoken, and the gateway doesn't speak it; add server.tls or server.acme, or remove it"},
		{"suites of TLS 1.2 without it", "server: {tls: [" + pair + "], tls_options: {min_version: 1.3, ciphers: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}}", "x.yaml:2:86: `server.tls_options.ciphers` chooses among the suites of TLS 1.2, which `min_version: 1.3` leaves out; remove it, or write min_version: 1.2"},
		{"an address that speaks TLS", "server: {tls: [" + pair + "], listen: [{address: '127.0.0.1:1', tls: true}]}", ""},
		{"an address that would", "server: {listen: [{address: '127.0.0.1:1', tls: true}]}", "x.yaml:2:49: `server.listen[0].tls: true` asks for TLS, and there is no certificate; add server.tls or server.acme, or remove it"},
		{"an address that would not", "server: {listen: [{address: '127.0.0.1:1', tls: false}]}", ""},
		{"a pair twice", "server: {tls: [" + pair + ", " + pair + "]}", "x.yaml:2:53: `server.tls[1]` is the same as `server.tls[0]` at line 2; remove one of the two"},
		{"a key twice", "server: {tls: [" + pair + ", {cert_file: d.pem, key_file: k.pem}]}", ""},
	} {
		checkText(t, c.name, "version: 1\n"+c.text+"\n", c.want)
	}
}

func TestNamesInCertificates(t *testing.T) {
	app := func(entry string) string {
		return "version: 1\nserver: {tls: [{cert_file: c.pem, key_file: k.pem}], client_auth: {ca_file: ca.pem}}\napplications: {a: {certificates: [" + entry + "]}}\n"
	}
	checkText(t, "an empty name", app(`{san: ""}`), "x.yaml:3:41: `applications.a.certificates[0].san: \"\"` is empty, and would name no certificate; write a name that the certificate has")
	checkText(t, "an empty subject", app(`{subject: " "}`), "x.yaml:3:45: `applications.a.certificates[0].subject:  ` is empty, and would name no certificate; write a common name that the certificate has")
	checkText(t, "a whole subject", app(`{subject: "O=lab, CN=a"}`), "x.yaml:3:45: `applications.a.certificates[0].subject: O=lab, CN=a` is a whole subject; write its common name alone, what follows CN=")
	checkText(t, "a common name", app(`{subject: "Billing Service 2"}`), "")
	up := func(name string) string {
		return "version: 1\nproviders: {p: {kind: ollama, base_url: https://a.test, tls: {server_name: '" + name + "'}}}\n"
	}
	const at, fix = "x.yaml:2:76: `providers.p.tls.server_name: ", "; write one name that the upstream's certificate is for, such as api.example.com"
	checkText(t, "a server name", up("a.test"), "")
	checkText(t, "an address", up("10.0.0.1"), "")
	checkText(t, "an address of IPv6", up("::1"), "")
	checkText(t, "a wildcard", up("*.a.test"), at+"*.a.test` is no single name"+fix)
	checkText(t, "a port", up("a.test:443"), at+"a.test:443` has a port; write the name alone; the port stands in the target's URL")
	checkText(t, "a port behind an address", up("10.0.0.1:443"), at+"10.0.0.1:443` has a port; write the name alone; the port stands in the target's URL")
	checkText(t, "two words", up("a b"), at+"a b` is not a host"+fix)
}

// checkText parses a configuration and compares its faults, one a line.
func checkText(t *testing.T, name, text, want string) {
	t.Helper()
	_, faults := Parse("x.yaml", []byte(text), noEnv)
	if got := strings.TrimSuffix(faults.String(), "\n"); got != want {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}
