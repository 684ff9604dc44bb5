package fetch

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// maxRedirects is how many redirects are followed, and atOnce how many URLs are got at the same time: what is got is held in
// memory.
const (
	maxRedirects = 3
	atOnce       = 16
)

// Fetcher gets media. It is safe for many goroutines at once.
type Fetcher struct {
	rules  atomic.Pointer[Rules]
	client *http.Client
	dialer net.Dialer
	places chan struct{}
}

// New returns a Fetcher that goes by rules. resolver looks names up; nil is the system's.
func New(rules Rules, resolver *net.Resolver) *Fetcher {
	f := &Fetcher{places: make(chan struct{}, atOnce), dialer: net.Dialer{Resolver: resolver, KeepAlive: -1}}
	f.SetRules(rules)
	f.client = &http.Client{
		CheckRedirect: redirected,
		// No proxy of the environment, no cookies, no connection that is used again: each address is judged for the URL that
		// leads to it. No compression, which would hide the size of what comes.
		Transport: &http.Transport{
			DialContext: f.dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2: false,
		},
	}
	return f
}

// SetRules changes the rules for the URLs that are asked for from now on.
func (f *Fetcher) SetRules(r Rules) {
	r.fill()
	f.rules.Store(&r)
}

// refusal is an error in one phrase that may be told to whoever wrote the URL: it holds no address.
type refusal string

func (r refusal) Error() string { return string(r) }

// Get gets what stands at address: its type, without parameters, and its bytes in base64 (RFC 4648 section 4). The error says
// in one phrase why it was not got, and holds nothing of what lies behind the address.
func (f *Fetcher) Get(ctx context.Context, address string) (mediaType, data string, err error) {
	r := f.rules.Load()
	if r.From == Nowhere {
		return "", "", refusal("fetching is turned off (llm.fetch.from)")
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", "", refusal("it is no URL")
	}
	if err := plain(u); err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, rulesKey{}, r), r.Timeout)
	defer cancel()
	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	case <-ctx.Done():
		return "", "", phrase(ctx, r, ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", "", refusal("it is no URL")
	}
	req.Header.Set("Accept", "image/*, application/pdf, audio/*, video/*, text/*")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "causeway")
	resp, err := f.client.Do(req)
	if err != nil {
		return "", "", phrase(ctx, r, err)
	}
	defer resp.Body.Close()
	return read(ctx, r, resp)
}

// read reads a good answer within its limits.
func read(ctx context.Context, r *Rules, resp *http.Response) (mediaType, data string, err error) {
	switch coding := resp.Header.Get("Content-Encoding"); {
	case resp.StatusCode != http.StatusOK:
		return "", "", refusal(fmt.Sprintf("its server answers with status %d", resp.StatusCode))
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return "", "", refusal("its server sends it compressed, which was not asked for")
	}
	tooLarge := refusal("it is larger than " + sizeText(r.MaxSize) + " (llm.fetch.max_size)")
	if resp.ContentLength > r.MaxSize {
		return "", "", tooLarge
	}
	said, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if said != "" && !unsaid(said) && !allowedType(said) {
		return "", "", refusal("it is " + clip(said) + ", and no image, document, recording or text")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.MaxSize+1))
	switch {
	case err != nil:
		return "", "", phrase(ctx, r, err)
	case int64(len(body)) > r.MaxSize:
		return "", "", tooLarge
	case len(body) == 0:
		return "", "", refusal("it is empty")
	}
	if unsaid(said) { // what many a store of files says of everything
		said, _, _ = mime.ParseMediaType(http.DetectContentType(body))
		if !allowedType(said) {
			return "", "", refusal("its server does not say what it is, and it does not look like an image, document, recording or text")
		}
	}
	return said, base64.StdEncoding.EncodeToString(body), nil
}

func unsaid(mediaType string) bool {
	switch mediaType {
	case "", "application/octet-stream", "binary/octet-stream", "application/binary":
		return true
	}
	return false
}

func allowedType(mediaType string) bool {
	kind, _, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "image", "audio", "video", "text":
		return true
	}
	return mediaType == "application/pdf"
}

// clip bounds a word of a stranger's server.
func clip(s string) string {
	if len(s) > 60 {
		s = s[:60]
	}
	return strconv.QuoteToASCII(s)
}

func sizeText(n int64) string {
	for _, u := range [...]struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// plain refuses URLs of other kinds than a public file has.
func plain(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refusal("its scheme is neither http nor https")
	case u.Hostname() == "":
		return refusal("it has no host")
	case u.User != nil:
		return refusal("it has a user in it")
	}
	return nil
}

// redirected judges a redirect; where it leads to is judged again when it is dialled.
func redirected(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer")
	switch {
	case len(via) > maxRedirects:
		return refusal(fmt.Sprintf("it is redirected more than %d times", maxRedirects))
	case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http":
		return refusal("it is redirected from https to http")
	}
	return plain(req.URL)
}

// rulesKey is the place of the rules in the context of a dial.
type rulesKey struct{}

// dial connects to a host, to no address that the rules forbid: the check stands between the name's lookup and the
// connection, so that no second lookup can give another address.
func (f *Fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	r, _ := ctx.Value(rulesKey{}).(*Rules)
	if r == nil {
		r = f.rules.Load()
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, refusal("it has no port")
	}
	listed := r.listsHost(host)
	if n, err := strconv.Atoi(port); err != nil || !listed && n < 1024 && n != 80 && n != 443 {
		return nil, refusal("its port is none of the web's")
	}
	d := f.dialer
	d.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := addrOf(address)
		if err != nil || !r.permits(at, listed) {
			return refusal("its host is at an address where nothing may be fetched (llm.fetch)")
		}
		return nil
	}
	return d.DialContext(ctx, network, address)
}

// phrase says in a few words why something was not got.
func phrase(ctx context.Context, r *Rules, err error) error {
	var said refusal
	var dns *net.DNSError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(err, &said):
		return said
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return refusal("it took longer than " + r.Timeout.String() + " (llm.fetch.timeout)")
	case ctx.Err() != nil:
		return refusal("nobody waits for it any more")
	case errors.As(err, &dns):
		return refusal("its host is not known")
	case errors.As(err, &verify):
		return refusal("its server's certificate can't be verified")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refusal("it broke off")
	}
	return refusal("its server can't be reached")
}
