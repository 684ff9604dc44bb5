package main

import (
	"fmt"
	"regexp"

	"causeway/internal/faulty"
)

// provoked is one fault, running.
type provoked struct {
	name, title string
	// names is what a text must say to name this fault, in whichever words.
	names *regexp.Regexp
	up    *faulty.Upstream
}

// startFaults starts the faults that are compared, and returns the resolver that the name's fault is behind.
func startFaults(lab *faulty.Lab) ([]provoked, string, error) {
	list := []provoked{
		{name: "dns_nxdomain", title: "The upstream's name does not exist", names: regexp.MustCompile(`(?i)resol|no such host|does not exist|dns`)},
		{name: "connection_refused", title: "Nothing listens on the port", names: regexp.MustCompile(`(?i)refused|\bSC`)},
		{name: "connect_timeout", title: "The SYN is never answered", names: regexp.MustCompile(`(?i)connect_timeout|while connecting|dial tcp.*timeout|\bsC|timeout specified has expired.*connect|attempt to connect`)},
		{name: "tls_expired", title: "The upstream's certificate has expired", names: regexp.MustCompile(`(?i)expired on|has expired \(|certificate has expired|certificate_expired`)},
		{name: "tls_unknown_authority", title: "Its certificate is of an unknown authority", names: regexp.MustCompile(`(?i)unknown.authority|unable to get local issuer|self.signed|issuer certificate|unable to verify the first`)},
		{name: "tls_name_mismatch", title: "Its certificate is for another name", names: regexp.MustCompile(`(?i)not valid for|does not match|name_mismatch|certificate is valid for|not for the name|does not match peer|CN.*mismatch`)},
		{name: "tls_to_plain", title: "https:// to a port that speaks plain HTTP", names: regexp.MustCompile(`(?i)plain|wrong version number|HTTP response to HTTPS|first record does not look`)},
		{name: "plain_to_tls_alert", title: "http:// to a port that speaks TLS", names: regexp.MustCompile(`(?i)plain_to_tls|speaks TLS|HTTPS port|TLS port|no valid HTTP|\bPH`)},
		{name: "banner_ssh", title: "The port is an SSH server's", names: regexp.MustCompile(`(?i)SSH|no valid HTTP|\bPH`)},
		{name: "close_before_response", title: "The upstream closes without an answer", names: regexp.MustCompile(`(?i)closed_before|prematurely closed connection while reading response header|EOF|\bSH|closed the connection without|Error reading from remote server`)},
		{name: "reset_before_response", title: "The upstream resets without an answer", names: regexp.MustCompile(`(?i)reset|\bSH`)},
		{name: "header_cut_fin", title: "The upstream dies in its header", names: regexp.MustCompile(`(?i)truncated_header|prematurely closed connection while reading response header|broke off in its header|unexpected EOF|End of file|\bSH`)},
		{name: "header_without_colon", title: "A line of its header has no colon", names: regexp.MustCompile(`(?i)colon|invalid header|malformed MIME|bad header|bad HTTP/1.1 header|header line|\bPH`)},
		{name: "header_too_large", title: "Its header is too large", names: regexp.MustCompile(`(?i)too (big|large)|header_too_large|exceeded|over the limit|larger than|\bPH`)},
		{name: "no_answer", title: "The upstream takes the call and never answers", names: regexp.MustCompile(`(?i)first_byte|timed out.*reading response header|awaiting response headers|\bsH|timeout specified has expired`)},
		{name: "stall_mid_body", title: "It stops in the middle of its answer", names: regexp.MustCompile(`(?i)idle_timeout|timed out.*reading upstream|stalled|\bsD|timeout specified has expired|i/o timeout`)},
		{name: "body_cut_fin", title: "Its answer ends short of Content-Length", names: regexp.MustCompile(`(?i)truncated|prematurely closed.*reading upstream|unexpected EOF|\bSD|incomplete|\d+ of \d+ bytes|expected \d+`)},
		{name: "chunk_cut_fin", title: "Its chunked answer ends without the last chunk", names: regexp.MustCompile(`(?i)truncated|prematurely closed.*reading upstream|unexpected EOF|\bSD|incomplete|InvalidChunkLength|in the middle of its answer`)},
		{name: "status_502_nginx", title: "The 502 is of an nginx behind the gateway", names: regexp.MustCompile(`(?i)behind|made by nginx|upstream_bad_gateway`)},
	}
	resolver := ""
	for i := range list {
		up, err := lab.Start(list[i].name, faulty.Params{})
		if err != nil {
			return nil, "", fmt.Errorf("starting a fault: %w", err)
		}
		list[i].up = up
		if up.Resolver != "" {
			resolver = up.Resolver
		}
	}
	return list, resolver, nil
}
