package snapshot

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/wire"
)

// TestChecksByGRPC: the answers of a health service, and of what is none, told apart.
func TestChecksByGRPC(t *testing.T) {
	asked := make(chan string, 1)
	var answer func(w http.ResponseWriter)
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type") + " " + r.Header.Get("Te") + " " + string(body)
		w.Header().Set("Content-Type", "application/grpc")
		answer(w)
	}))
	up.Config.Protocols = new(http.Protocols)
	up.Config.Protocols.SetUnencryptedHTTP2(true)
	up.Start()
	t.Cleanup(up.Close)
	says := func(code, message string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Trailer", "Grpc-Status")
			_, _ = io.WriteString(w, message)
			w.Header().Set("Grpc-Status", code)
		}
	}
	only := func(code string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.Header().Set("Grpc-Status", code) }
	}
	o, err := wire.NewOrigin(wire.OriginOptions{URL: up.URL + "/base", Protocol: wire.ProtocolH2C})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	for _, tt := range []struct {
		name, service string
		answer        func(http.ResponseWriter)
		ok            bool
		kind          fault.Kind
		says          string
	}{
		{"serving", "", says("0", "\x00\x00\x00\x00\x02\x08\x01"), true, "", ""},
		{"a service that is serving", "shop.Orders", says("0", "\x00\x00\x00\x00\x02\x08\x01"), true, "", ""},
		{"with fields of a later version", "", says("0", "\x00\x00\x00\x00\x06\x12\x02ab\x08\x01"), true, "", ""},
		{"not serving", "shop.Orders", says("0", "\x00\x00\x00\x00\x02\x08\x02"), false, fault.GRPCUnavailable, "of shop.Orders: NOT_SERVING"},
		{"unknown", "", says("0", "\x00\x00\x00\x00\x00"), false, fault.GRPCUnavailable, "UNKNOWN"},
		{"of a service that it does not know", "shop.Orders", only("5"), false, fault.GRPCUnavailable, "health.service"},
		{"no health service", "", only("12"), false, fault.GRPCUnimplemented, "register it"},
		{"unavailable", "", only("14"), false, fault.GRPCUnavailable, "UNAVAILABLE"},
		{"no status", "", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "hello") }, false, fault.GRPCStatusMissing, "without a grpc-status"},
		{"a status that is none", "", only("fine"), false, fault.GRPCUnknown, "no number"},
		{"half a message", "", says("0", "\x00\x00\x00\x00\x09\x08\x01"), false, fault.GRPCInternal, "no HealthCheckResponse"},
		{"a compressed message", "", says("0", "\x01\x00\x00\x00\x02\x08\x01"), false, fault.GRPCInternal, "no HealthCheckResponse"},
		{"no answer in time", "", func(http.ResponseWriter) { time.Sleep(300 * time.Millisecond) }, false, fault.FirstByteTimeout, "health.timeout is 200ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer = tt.answer
			r := checkGRPC(context.Background(), &Upstream{}, o, &catalog.Health{Type: "grpc", Service: tt.service, Timeout: 200 * time.Millisecond})
			if r.OK != tt.ok || r.Kind != tt.kind || !strings.Contains(r.Text, tt.says) || r.Status != 0 {
				t.Errorf("%+v", r)
			}
			message := "\x00\x00\x00\x00\x00"
			if tt.service != "" {
				message = "\x00\x00\x00\x00\x0d\x0a\x0b" + tt.service
			}
			if got, want := <-asked, "POST /base/grpc.health.v1.Health/Check application/grpc trailers "+message; got != want {
				t.Errorf("asked %q, want %q", got, want)
			}
		})
	}
}

func FuzzReadServing(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x06\x12\x02ab\x08\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := readServing(b); s < -1 || s > 1<<10 {
			t.Errorf("%x reads as %d", b, s)
		}
	})
}
