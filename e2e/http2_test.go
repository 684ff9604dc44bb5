package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// over2 is a client that speaks HTTP/2 alone: over TLS, or by prior knowledge.
func over2(t *testing.T) *http.Client {
	t.Helper()
	tr := &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: &http.Protocols{}}
	tr.Protocols.SetHTTP2(true)
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// Callers may speak HTTP/2 on every listener: agreed on over TLS, by prior knowledge without; the file
// can say no, and takes that back without a restart.
func TestHTTP2Callers(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s via %q", r.Proto, r.Header.Get("Via"))
	}))
	t.Cleanup(up.Close)
	services := "services:\n" + openService("s", fmt.Sprintf("targets: [{url: %q}]", up.URL))
	cert := newCertificate(t, "one.test")
	secureServer := strings.TrimSuffix(strings.TrimPrefix(tlsConfig(cert), "server: {"), "}\n")
	for name, server := range map[string]string{"plain": "", "TLS": secureServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := func(more string) string {
				return "version: 1\nserver: {" + strings.Trim(server+", "+more, ", ") + "}\n" + services
			}
			g := serve(t, config("http2: {max_streams: 17}"))
			a := fetch(t, over2(t), "GET", g.URL+"/s/x", nil)
			want(t, "status", a.status, 200)
			contains(t, "what the upstream saw", string(a.body), `HTTP/1.1 via "2.0 causeway-`)
			a = fetch(t, over2(t), "GET", g.URL+"/nowhere", nil)
			want(t, "status", a.status, 404)
			contains(t, "the failure", string(a.body), "route_not_found")
			status, explained := g.get(t, "/api/v1/calls/"+a.id, "application/json")
			want(t, "the admin API's status", status, 200)
			contains(t, "the call's record", string(explained), `"HTTP/2"`)

			before := g.generation(t)
			g.configure(t, config("http2: {enabled: false}"))
			g.awaitGeneration(t, before+1)
			if _, err := over2(t).Get(g.URL + "/s/x"); err == nil {
				t.Error("HTTP/2 is spoken while it is off")
			}
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
			t.Cleanup(tr.CloseIdleConnections)
			res, err := (&http.Client{Transport: tr}).Get(g.URL + "/s/x")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			want(t, "the protocol", res.Proto, "HTTP/1.1")
		})
	}
}

// A stop sends GOAWAY, and the streams that are open end as they would have.
func TestHTTP2StreamsOutliveAStop(t *testing.T) {
	t.Parallel()
	step := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/s/x" {
			return // asked only whether the gateway still accepts: the steps are the stream's
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-step
		}
	}))
	t.Cleanup(up.Close)
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}]", up.URL)))
	c := over2(t)
	res, err := c.Get(g.URL + "/s/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatal(err)
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "the gateway to stop accepting", func() bool {
		_, err := over2(t).Get(g.URL + "/s/y")
		return err != nil
	})
	for range 3 {
		step <- struct{}{}
	}
	rest, err := io.ReadAll(res.Body)
	if err != nil || string(rest) != "data: 1\n\ndata: 2\n\n" {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
	select {
	case <-g.done:
	case <-time.After(patience):
		t.Fatal("the gateway does not end")
	}
	want(t, "exit code", g.cmd.ProcessState.ExitCode(), 0)
}
