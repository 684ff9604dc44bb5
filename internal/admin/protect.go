package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"

	"causeway/internal/identity"
)

// visit is what is known of a request before its route is.
type visit struct {
	from    netip.Addr // zero on the socket
	tls     bool
	trusted bool   // came over the socket in the data folder
	route   string // "GET /api/v1/calls"
	session string // the session cookie's value, "" when there is none
	bearer  string // the Authorization field's value
	who     identity.Principal
}

type visitKey struct{}

// visitOf is the visit of a request; protect has put it into every request's context.
func visitOf(ctx context.Context) *visit { return ctx.Value(visitKey{}).(*visit) }

type trustedKey struct{}

// Trusted serves h for those who need no proof of who they are: what comes through it is done as
// the account "admin". It is for the socket in the data folder, which only the owner of the process
// can open (Listen), and for nothing else.
func Trusted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), trustedKey{}, true)))
	})
}

// protect is what every request passes first: headers that tell browsers to be careful, the check
// of the host, and a net under panics.
func (a *api) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")

		v := newVisit(r)
		if a.Loopback && !v.trusted && !loopbackHost(r.Host, a.Hosts) {
			writeProblem(w, &Problem{
				Status: http.StatusMisdirectedRequest,
				Detail: fmt.Sprintf("This console listens on loopback only and does not answer to the host %q: a web page could otherwise reach it under a name of its own (DNS rebinding).", r.Host),
				Advice: []string{
					"Ask for 127.0.0.1, [::1] or localhost.",
					"A reverse proxy in front of the console must send it one of these as Host.",
				},
			})
			return
		}
		out := &started{ResponseWriter: w}
		defer a.recovered(out, r)
		next.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	})
}

func newVisit(r *http.Request) *visit {
	v := &visit{tls: r.TLS != nil, bearer: r.Header.Get("Authorization"), route: r.Method}
	v.trusted, _ = r.Context().Value(trustedKey{}).(bool)
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		// A socket's peer has no address; the zero Addr stands for it.
		v.from, _ = netip.ParseAddr(host)
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		v.session = c.Value
	}
	return v
}

// loopbackHost says whether a Host field names this machine, or one of the names allowed. A missing
// one (HTTP/1.0) is no browser's.
func loopbackHost(hostport string, allowed []string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		return true
	}
	return slices.ContainsFunc(allowed, func(name string) bool { return strings.EqualFold(name, host) })
}

// started is a ResponseWriter that remembers whether an answer has begun.
type started struct {
	http.ResponseWriter
	begun bool
}

func (s *started) WriteHeader(status int) {
	s.begun = true
	s.ResponseWriter.WriteHeader(status)
}

func (s *started) Write(b []byte) (int, error) {
	s.begun = true
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController and huma reach the connection's deadlines.
func (s *started) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// recovered logs a panic and answers 500 if nothing was answered yet.
func (a *api) recovered(w *started, r *http.Request) {
	x := recover()
	if x == nil {
		return
	}
	if r.Context().Err() != nil {
		// The client has left, and huma panics when it cannot write.
		panic(http.ErrAbortHandler)
	}
	a.Log.ErrorContext(r.Context(), "admin request panicked",
		"method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(x), "stack", string(debug.Stack()))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, &Problem{Status: http.StatusInternalServerError, Detail: "Causeway has a bug here; its log has the details."})
}
