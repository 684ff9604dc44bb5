package fetch_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"causeway/internal/catalog"
	"causeway/internal/fetch"
)

var png = []byte("\x89PNG\r\n\x1a\n0000")

// loopback are rules under which the test's own server may be asked.
func loopback(change func(*fetch.Rules)) fetch.Rules {
	r := fetch.Rules{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Timeout: 5 * time.Second, MaxSize: 1000}
	if change != nil {
		change(&r)
	}
	return r
}

// serve runs a server of media.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	of := func(path, contentType string, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" {
				t.Errorf("%s: more was sent than need be: %v", path, r.Header)
			}
			w.Header()["Content-Type"] = nil
			if contentType != "" {
				w.Header().Set("Content-Type", contentType)
			}
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			w.Write(body)
		})
	}
	of("/png", "image/png; x=y", png)
	of("/pdf", "application/pdf", []byte("%PDF-1.7"))
	of("/text", "text/plain; charset=utf-8", []byte("hello"))
	of("/unsaid", "", png)
	of("/stored", "application/octet-stream", png)
	of("/program", "application/octet-stream", []byte("\x7fELF\x02\x01\x01\x00\x00"))
	of("/json", "application/json", []byte(`{"secret":1}`))
	of("/empty", "image/png", nil)
	of("/large", "image/png", bytes.Repeat([]byte("a"), 1001))
	of("/exact", "image/png", bytes.Repeat([]byte("a"), 1000))
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		for range 100 {
			w.Write(bytes.Repeat([]byte("a"), 100))
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Content-Length", "500")
		w.Write(png)
	})
	mux.HandleFunc("/zipped", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(png)
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/gone", http.NotFound)
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("url"), http.StatusFound)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func to(s *httptest.Server, address string) string {
	return s.URL + "/to?url=" + url.QueryEscape(address)
}

func TestMediaAreGot(t *testing.T) {
	s := serve(t)
	f := fetch.New(loopback(nil), nil)
	for path, want := range map[string]string{
		"/png": "image/png", "/pdf": "application/pdf", "/text": "text/plain", "/unsaid": "image/png", "/stored": "image/png", "/exact": "image/png",
		"/to?url=%2Fto%3Furl%3D%2Fpng": "image/png",
	} {
		mediaType, data, err := f.Get(t.Context(), s.URL+path)
		if err != nil || mediaType != want {
			t.Errorf("%s: %s, %v", path, mediaType, err)
		}
		if body, err := base64.StdEncoding.DecodeString(data); err != nil || len(body) == 0 {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
}

func TestWhatIsNoMediaIsRefusedInAPhrase(t *testing.T) {
	s := serve(t)
	for path, want := range map[string]string{
		"/json": "no image", "/program": "does not say what it is", "/empty": "empty", "/large": "larger than 1000 bytes", "/endless": "larger than 1000 bytes",
		"/broken": "broke off", "/zipped": "compressed", "/gone": "status 404",
	} {
		f := fetch.New(loopback(nil), nil)
		if _, data, err := f.Get(t.Context(), s.URL+path); err == nil || data != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	f := fetch.New(loopback(func(r *fetch.Rules) { r.Timeout = 50 * time.Millisecond }), nil)
	if _, _, err := f.Get(t.Context(), s.URL+"/slow"); err == nil || !strings.Contains(err.Error(), "longer than 50ms") {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := f.Get(gone, s.URL+"/png"); err == nil || !strings.Contains(err.Error(), "nobody waits") {
		t.Errorf("%v", err)
	}
	s.Close()
	if _, _, err := f.Get(t.Context(), s.URL+"/png"); err == nil || !strings.Contains(err.Error(), "can't be reached") || strings.Contains(err.Error(), "127.") {
		t.Errorf("%v", err)
	}
}

func TestOnlyTheWebIsAsked(t *testing.T) {
	f := fetch.New(fetch.Rules{}, nil)
	for address, want := range map[string]string{
		"file:///etc/passwd": "scheme", "ftp://example.com/x": "scheme", "gopher://example.com": "scheme", "//example.com/x": "scheme", "http:///x": "no host",
		"https://user:pass@example.com/x": "user", "http://[::1": "no URL", "data:image/png;base64,AAAA": "scheme", "http://192.0.2.1:25/": "port", "https://192.0.2.1:6379/": "where nothing may be fetched",
	} {
		if _, _, err := f.Get(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}

// TestPrivateAddressesAreNotReached asks a server that counts who comes, by every way to write its address.
func TestPrivateAddressesAreNotReached(t *testing.T) {
	var came atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		came.Add(1)
		w.Header().Set("Content-Type", "image/png")
		w.Write(png)
	}))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "169.254.169.254", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "10.0.0.1", "[fe80::1%25lo]"} {
		f := fetch.New(fetch.Rules{Timeout: 2 * time.Second}, nil)
		if _, _, err := f.Get(t.Context(), "http://"+host+":"+port+"/x"); err == nil || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := came.Load(); n != 0 {
		t.Errorf("%d came through", n)
	}
}

func TestRedirectsAreJudgedAgain(t *testing.T) {
	s := serve(t)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	f := fetch.New(loopback(nil), nil)
	for address, want := range map[string]string{
		to(s, "http://127.0.0.2:"+port+"/png"):            "where nothing may be fetched",
		to(s, "http://169.254.169.254/latest/meta-data/"): "where nothing may be fetched",
		to(s, "file:///etc/passwd"):                       "scheme",
		to(s, "http://user@127.0.0.1:"+port+"/png"):       "user",
		to(s, to(s, to(s, to(s, s.URL+"/png")))):          "more than 3 times",
		to(s, "http://127.0.0.1:22/"):                     "port",
	} {
		if _, _, err := f.Get(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}

// TestANameIsJudgedByItsAddress: a name that answers once with a public address and then with a private one is judged each
// time it is dialled; there is no lookup between the judgement and the connection.
func TestANameIsJudgedByItsAddress(t *testing.T) {
	s := serve(t)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	resolver := dns(t, netip.MustParseAddr("127.0.0.1"))
	get := func(r fetch.Rules, host string) error {
		r.Timeout = 5 * time.Second
		_, _, err := fetch.New(r, resolver).Get(t.Context(), "http://"+host+":"+port+"/png")
		return err
	}
	if err := get(fetch.Rules{}, "rebind.example"); err == nil || !strings.Contains(err.Error(), "where nothing may be fetched") {
		t.Errorf("a public name at a private address: %v", err)
	}
	for _, c := range []struct {
		hosts []string
		host  string
		ok    bool
	}{
		{[]string{"media.example"}, "media.example", true},
		{[]string{"media.example"}, "MEDIA.example.", true},
		{[]string{"*.example"}, "a.b.example", true},
		{[]string{"*.example"}, "example", false},
		{[]string{"media.example"}, "xmedia.example", false},
		{[]string{"*.media.example"}, "xmedia.example", false},
	} {
		if err := get(fetch.Rules{Hosts: c.hosts}, c.host); (err == nil) != c.ok {
			t.Errorf("%v, %s: %v", c.hosts, c.host, err)
		}
	}
}

func TestWhereFromIsTheOperatorsToSay(t *testing.T) {
	s := serve(t)
	f := fetch.New(loopback(func(r *fetch.Rules) { r.From = fetch.Listed }), nil)
	if _, _, err := f.Get(t.Context(), s.URL+"/png"); err != nil {
		t.Error(err)
	}
	if _, _, err := f.Get(t.Context(), "https://192.0.2.1/x"); err == nil || !strings.Contains(err.Error(), "where nothing may be fetched") {
		t.Errorf("%v", err)
	}
	f.SetRules(loopback(func(r *fetch.Rules) { r.From = fetch.Nowhere }))
	if _, _, err := f.Get(t.Context(), s.URL+"/png"); err == nil || !strings.Contains(err.Error(), "turned off") {
		t.Errorf("%v", err)
	}
}

func TestRulesOfAConfiguration(t *testing.T) {
	for word, want := range map[string]fetch.From{"public": fetch.Public, "allowed": fetch.Listed, "off": fetch.Nowhere} {
		r := fetch.RulesOf(catalog.Fetch{From: word, Hosts: []string{"h"}, MaxSize: 7, Timeout: time.Second})
		if r.From != want || len(r.Hosts) != 1 || r.MaxSize != 7 || r.Timeout != time.Second {
			t.Errorf("%s: %+v", word, r)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for _, s := range []string{"1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "198.17.255.255", "198.20.0.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"} {
		if !fetch.IsPublic(netip.MustParseAddr(s)) {
			t.Errorf("%s is not public", s)
		}
	}
	for _, s := range []string{
		"0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1",
		"198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "168.63.129.16", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::1", "2001::1", "2001:db8::1", "100::1", "3fff::1", "fe80::1%eth0",
	} {
		if fetch.IsPublic(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
	if fetch.IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// TestManyAtOnceWait: what is fetched is held in memory, so that only so much is fetched at a time.
func TestManyAtOnceWait(t *testing.T) {
	var now, most atomic.Int32
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			continue
		}
		if n == 16 {
			close(release)
		}
		<-release
		now.Add(-1)
		w.Header().Set("Content-Type", "image/png")
		w.Write(png)
	}))
	defer s.Close()
	f := fetch.New(loopback(nil), nil)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if _, _, err := f.Get(t.Context(), s.URL); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := most.Load(); n != 16 {
		t.Errorf("%d at once", n)
	}
}

// dns is a resolver that finds every name at one address.
func dns(t *testing.T, at netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}, Body: &dnsmessage.AResource{A: at.As4()}}}
			}
			if out, err := m.Pack(); err == nil {
				conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}
