package catalog

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestListenersAreReadInBothForms(t *testing.T) {
	c := mustParse(t, `version: 1
server:
  listen:
    - "*:8080"
    - "[0:0::1]:8081"
    - "[::ffff:127.0.0.1]:8082"
    - {address: "127.0.0.1:80", tls: false}
    - {address: "unix:/run/cw.sock", mode: "0600"}
    - {address: "unix:///run/cw2.sock", mode: 640}
    - systemd:web
  reuse_port: 3
  proxy_protocol: {from: [10.1.2.3/8, unix, "::ffff:192.0.2.0/120"], required: false}
services:
  a: {access: open, routes: [{path: /a}], upstream: {targets: [{url: "http://h"}], proxy_protocol: v1}}
`)
	want := []Listener{
		{Address: ":8080"},
		{Address: "[::1]:8081"},
		{Address: "127.0.0.1:8082"},
		{Address: "127.0.0.1:80", Plain: true},
		{Address: "unix:/run/cw.sock", Mode: 0o600},
		{Address: "unix:/run/cw2.sock", Mode: 0o640},
		{Address: "systemd:web"},
	}
	if !reflect.DeepEqual(c.Server.Listen, want) || c.Server.ReusePort != 3 {
		t.Errorf("%+v, %d", c.Server.Listen, c.Server.ReusePort)
	}
	proxy := &ProxyProtocol{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")}, Unix: true, Timeout: 5 * time.Second}
	if !reflect.DeepEqual(c.Server.ProxyProtocol, proxy) {
		t.Errorf("%+v", c.Server.ProxyProtocol)
	}
	if v := c.Services["a"].Upstream.ProxyProtocol; v != 1 {
		t.Errorf("version %d", v)
	}
}

func TestAListenAddressFromTheCommandLine(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1:8080", "localhost:0": "localhost:0", ":80": ":80", "unix:/tmp/x": "unix:/tmp/x", "systemd": "systemd",
	} {
		if l, err := ParseListener(text); err != nil || l != (Listener{Address: want}) {
			t.Errorf("%s: %+v, %v", text, l, err)
		}
	}
	for text, says := range map[string]string{
		"8080": ":8080", "": "HOST:PORT", "::1": "[::1]:8080", "127.0.0.1:0x50": "port", "unix:": "relative", "unix:/run/x.sock:/y": "behind the socket's path", "http://h:80": "URL",
		"127.0.0.1:080": "port", "a b:80": "host", "systemd:..": "systemd:NAME",
	} {
		if l, err := ParseListener(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v; want %q in it", text, l, err, says)
		}
	}
}
