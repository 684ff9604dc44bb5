package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// Health checks by gRPC, of grpc-go's own health server, over h2c and TLS: what serves is called, what does
// not is told apart in the log.
func TestGRPCHealthChecks(t *testing.T) {
	t.Parallel()
	cert := newCertificate(t, "localhost")
	plain, secure, without := grpcServer(t, "-health"), grpcServer(t, "-health", "-cert", cert.certFile, "-key", cert.keyFile), grpcServer(t)
	service := func(name, url, protocol, asks, more string) string {
		return openService(name, fmt.Sprintf("protocol: %s, health: {type: grpc, interval: 50ms, unhealthy_after: 1, healthy_after: 1%s}, targets: [{url: %q}]%s", protocol, asks, url, more))
	}
	tls := fmt.Sprintf(", tls: {ca_file: %q, server_name: localhost}", cert.certFile)
	g := serve(t, "version: 1\nservices:\n"+
		service("whole", "http://"+plain, "h2c", "", "")+
		service("up", "http://"+plain, "h2c", ", service: shop.Up", "")+
		service("secure", "https://"+secure, "auto", ", service: shop.Up", tls)+
		service("down", "http://"+plain, "h2c", ", service: shop.Down", "")+
		service("unknown", "https://"+secure, "h2", ", service: shop.Nothing", tls)+
		service("without", "http://"+without, "h2c", "", ""))
	for name, said := range map[string]string{
		"down": "gRPC health check of shop.Down: NOT_SERVING", "unknown": "gRPC health check of shop.Nothing: NOT_FOUND", "without": "gRPC health check: UNIMPLEMENTED",
	} {
		eventually(t, name+" to be unhealthy", func() bool { return strings.Contains(g.errs.all(), said) })
	}
	for _, name := range []string{"whole", "up", "secure"} {
		if strings.Contains(g.errs.all(), `"upstream":"`+name+`"`) {
			t.Errorf("%s: %s", name, g.errs.all())
		}
	}
}
