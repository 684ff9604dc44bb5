package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"

	"causeway/internal/catalog"
)

// The header fields of a delivery.
const (
	FieldSignature = "Causeway-Signature"
	FieldEvent     = "Causeway-Event"    // opened or closed
	FieldDelivery  = "Causeway-Delivery" // the same for every try of one event
	FieldLeftOut   = "Causeway-Left-Out" // events that the rate limit has left out since the last one
)

func sortedNames(m map[string]catalog.Secret) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Sign is the value of FieldSignature for a body that is sent at a time.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// post delivers an event, with retries after what may pass.
func (r *Runner) post(h *hook, e *Event, left int) (o outcome) {
	client := webClient(h.set.Webhook)
	defer client.CloseIdleConnections()
	pause := r.o.Pause
	for {
		again := false
		o.tries++
		o.status, again, o.err = r.try(client, h, e, left)
		if o.err == nil || !again || o.tries > h.set.Webhook.Retries {
			return o
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			o.err = errStopped
			return o
		}
		pause *= 2
	}
}

// try is one request. again tells whether another may go better.
func (r *Runner) try(client *http.Client, h *hook, e *Event, left int) (status int, again bool, err error) {
	w := h.set.Webhook
	ctx, cancel := context.WithTimeout(r.ctx, h.set.Timeout)
	defer cancel()
	rq, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL.Reveal(), bytes.NewReader(e.Body))
	if err != nil {
		return 0, false, errors.New("its URL cannot be used")
	}
	rq.Header.Set("Content-Type", "application/json")
	rq.Header.Set("User-Agent", "causeway-hook")
	rq.Header.Set(FieldEvent, e.What)
	rq.Header.Set(FieldDelivery, e.ID+"-"+e.What)
	if left > 0 {
		rq.Header.Set(FieldLeftOut, strconv.Itoa(left))
	}
	for name, value := range w.Headers {
		rq.Header.Set(name, value.Reveal())
	}
	if w.Secret != "" {
		rq.Header.Set(FieldSignature, Sign(w.Secret.Reveal(), r.o.Now(), e.Body))
	}
	res, err := client.Do(rq)
	if err != nil {
		var private *privateError
		return 0, !errors.As(err, &private), plain(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	switch s := res.StatusCode; {
	case s >= 200 && s < 300:
		return s, false, nil
	case s >= 300 && s < 400:
		return s, false, fmt.Errorf("it answered %d with a redirect, and redirects are not followed: write the URL that it leads to", s)
	default:
		return s, s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s >= 500, fmt.Errorf("it answered %d", s)
	}
}

// plain is an error without the URL, which may hold a token.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("it did not answer in time")
	}
	return err
}

// privateError is a name that leads where it may not.
type privateError struct{ address string }

func (e *privateError) Error() string {
	return "its name leads to " + e.address + ", which is not a public address: set webhook.allow_private: true if that is meant"
}

// webClient makes a client that reaches only what the configuration allows, and no proxy of the environment.
func webClient(w *catalog.Webhook) *http.Client {
	named := false // the URL itself names an address
	if u, err := url.Parse(w.URL.Reveal()); err == nil {
		_, bad := netip.ParseAddr(u.Hostname())
		named = bad == nil
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if named || w.Private || public(at.Addr().Unmap()) {
			return nil
		}
		return &privateError{at.Addr().String()}
	}}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// special are the networks of special use (RFC 6890 and its registry) that the methods of netip.Addr do not name.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}

func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}
