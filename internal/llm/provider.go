package llm

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"causeway/internal/fault"
)

// ProviderError is what a provider's refusal says.
type ProviderError struct {
	Kind fault.Kind // "" when there was no error
	// Valid tells that the body is an error of the dialect, which its SDKs can read.
	Valid   bool
	Status  int    // the HTTP status; of an error inside a 200, the one that the body names, or 0
	Message string // at most 2 KiB; a credential that a provider quoted is taken out
	Type    string
	Code    string
	Param   string
	// RequestID is the provider's own name for the call, for its support.
	RequestID string
	// RetryAfter is how long the provider asks to wait, 0 when it does not say.
	RetryAfter time.Duration
	// ShouldRetry is the provider's x-should-retry, "" when it sent none.
	ShouldRetry string
	Problem     string // why the body is not Valid, one phrase
}

// Passable tells whether the provider's body may go to the caller as it came: it is an error of the
// dialect, and it is not about our credential, which such a body may quote.
func (e *ProviderError) Passable() bool { return e.Valid && e.Kind != fault.ProviderKeyRejected }

// Evidence lists what was observed, one fact a line.
func (e *ProviderError) Evidence() []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if e.Status != 0 {
		add("status %d from the provider", e.Status)
	}
	if e.Type != "" || e.Code != "" {
		add("error.type %q, error.code %q", e.Type, e.Code)
	}
	if e.Param != "" {
		add("error.param %q", e.Param)
	}
	if e.Message != "" {
		add("error.message %q", cutText(e.Message, 300))
	}
	if e.Problem != "" {
		add("the body is %s", e.Problem)
	}
	if e.RequestID != "" {
		add("the provider's request id is %s", e.RequestID)
	}
	if e.RetryAfter > 0 {
		add("the provider asks to wait %s", e.RetryAfter)
	}
	return lines
}

func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// requestIDs are the fields in which providers name a call, best first.
var requestIDs = [...]string{
	"x-request-id",           // OpenAI, Groq, xAI, Together
	"request-id",             // Anthropic
	"apim-request-id",        // Azure
	"mistral-correlation-id", // Mistral
	"x-ds-trace-id",          // DeepSeek
	"x-amzn-requestid",       // Bedrock
	"cf-ray",                 // anything behind Cloudflare
}

// ReadHeader fills in what an error's header fields say: the provider's name for the call, its
// retry advice and the wait that it asks for.
func (e *ProviderError) ReadHeader(header func(name string) string, now time.Time) {
	for _, name := range requestIDs {
		if e.RequestID = header(name); e.RequestID != "" {
			break
		}
	}
	e.ShouldRetry = header("x-should-retry")
	e.RetryAfter = RetryAfter(header, now)
}

// RetryAfter reads how long a provider asks to wait: retry-after-ms, Retry-After (seconds or a
// date, RFC 9110 section 10.2.3), else of a limit that is spent the time to its reset
// (x-ratelimit-reset-requests and -tokens; OpenRouter's x-ratelimit-reset). 0 when it does not say,
// or says something that can't be meant: a time past, or more than a week.
func RetryAfter(header func(name string) string, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header("retry-after-ms"), 64); err == nil && ms > 0 {
		return sane(time.Duration(ms * float64(time.Millisecond)))
	}
	if v := header("retry-after"); v != "" {
		if s, err := strconv.ParseFloat(v, 64); err == nil {
			return sane(time.Duration(s * float64(time.Second)))
		}
		if at, err := httpDate(v); err == nil {
			return sane(at.Sub(now))
		}
	}
	var wait time.Duration
	for _, limit := range [...]string{"requests", "tokens"} {
		if header("x-ratelimit-remaining-"+limit) == "0" {
			wait = max(wait, resetIn(header("x-ratelimit-reset-"+limit), now))
		}
	}
	if wait == 0 && header("x-ratelimit-remaining") == "0" {
		wait = resetIn(header("x-ratelimit-reset"), now)
	}
	return wait
}

// httpDate reads the date formats of RFC 9110 section 5.6.7.
func httpDate(v string) (t time.Time, err error) {
	for _, layout := range [...]string{time.RFC1123, time.RFC850, time.ANSIC} {
		if t, err = time.Parse(layout, v); err == nil {
			return t, nil
		}
	}
	return t, err
}

// resetIn reads a reset time as OpenAI and Groq ("6m0s", "20ms", "7.66s"), as seconds ("12"), as Unix
// seconds or as Unix milliseconds (OpenRouter).
func resetIn(v string, now time.Time) time.Duration {
	if d, err := time.ParseDuration(v); err == nil {
		return sane(d)
	}
	n, err := strconv.ParseFloat(v, 64)
	switch {
	case err != nil:
		return 0
	case n > 1e12:
		return sane(time.UnixMilli(int64(n)).Sub(now))
	case n > 1e9:
		return sane(time.Unix(int64(n), 0).Sub(now))
	}
	return sane(time.Duration(n * float64(time.Second)))
}

func sane(d time.Duration) time.Duration {
	if d < 0 || d > 7*24*time.Hour {
		return 0
	}
	return d
}
