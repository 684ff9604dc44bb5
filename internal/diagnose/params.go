package diagnose

import (
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// proxyParams are the extra parameters that RFC 9209 section 2.3 defines for the kind's error type.
func (c *judgement) proxyParams() []fault.Param {
	a := c.about
	if a == nil {
		return nil
	}
	switch c.entry.Proxy {
	case "dns_error":
		if a.DNS != nil && a.DNS.RCode != "" {
			return []fault.Param{{Name: "rcode", Str: a.DNS.RCode}}
		}
	case "tls_alert_received":
		if a.TLS != nil && a.TLS.Alert >= 0 {
			return []fault.Param{
				{Name: "alert-id", Int: int64(a.TLS.Alert), IsInt: true},
				{Name: "alert-message", Str: alertName(a.TLS.Alert), Token: true},
			}
		}
	case "http_response_header_section_size":
		if a.Fault == journey.FaultHeadTooLarge && a.BytesIn > 0 {
			return []fault.Param{{Name: "header-section-size", Int: a.BytesIn, IsInt: true}}
		}
	case "http_response_transfer_coding":
		if c.kind == fault.MalformedChunking {
			return []fault.Param{{Name: "coding", Str: "chunked", Token: true}}
		}
		if coding := codingOf(a.Line); coding != "" {
			return []fault.Param{{Name: "coding", Str: coding, Token: true}}
		}
	case "http_response_body_size":
		if a.BodyIn > 0 {
			return []fault.Param{{Name: "body-size", Int: a.BodyIn, IsInt: true}}
		}
	}
	return nil
}

// codings are the names that may be told to strangers: those of the HTTP Transfer Coding Registry
// and of content codings that servers put there by mistake. An upstream could write anything.
var codings = []string{"gzip", "x-gzip", "deflate", "compress", "x-compress", "identity", "br", "zstd", "trailers"}

// codingOf is the coding named in a Transfer-Encoding line that is not chunked, "" when it is none
// that is known.
func codingOf(line []byte) string {
	name, value, _ := strings.Cut(string(line), ":")
	if !strings.EqualFold(strings.TrimSpace(name), "transfer-encoding") {
		return ""
	}
	for part := range strings.SplitSeq(value, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		if slices.Contains(codings, part) {
			return part
		}
	}
	return ""
}
