package diagnose

import (
	"fmt"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Marks of time that the patterns go by.
const (
	fresh      = 10 * time.Second       // news of others that is this young is of now
	soonAfter  = 10 * time.Minute       // what fails so soon after a change may be due to it
	atOnce     = time.Minute            // and what fails this soon is likely to be
	rested     = 200 * time.Millisecond // an idleness that a connection may have been ended for
	clockWrong = 5 * time.Minute        // a clock that is off by less spoils no certificate
	coming     = 30 * time.Second       // how long a server that restarts is commonly away
)

// agoText writes a past moment.
func agoText(d time.Duration) string { return ago(History{LastGood: d}) }

// ourNetwork: upstreams on other hosts fail at the same time, and none answers.
func (c *judgement) ourNetwork(p *journey.Past, _ *journey.Attempt) *pattern {
	o := p.Others
	if !networkKind(c.kind) || o.Failing == 0 || o.Well+o.Reached > 0 || !p.Good && !p.GoodBefore && o.Hosts < 2 {
		return nil
	}
	x := &pattern{word: "our_network", cause: fault.Network, confidence: "possible"}
	if o.Hosts >= 2 {
		x.confidence = "likely"
	}
	x.because = fmt.Sprintf("%s on %s cannot be reached either (%s: %s %s), and none answers: what they have in common is this host's side of the network.",
		plural(int64(o.Failing), "other upstream"), plural(int64(o.Hosts), "other host"), cleanTarget(o.Name), o.Kind, agoText(o.Ago))
	x.check = "From the gateway's host, reach something that has nothing to do with these upstreams: ping the default gateway (ip route), then getent hosts of any name."
	x.advice = []string{"Look at this host's own network first: its link, its default route, its resolver and its firewall. Nothing needs to be changed at the upstreams."}
	return x
}

// wrongClock: the certificate would be valid by everybody else's clock.
func (c *judgement) wrongClock(p *journey.Past, a *journey.Attempt) *pattern {
	if !dateKind(c.kind) || p.ClockSeen == 0 || p.ClockOff.Abs() < clockWrong || c.in.Time.IsZero() || a.TLS == nil {
		return nil
	}
	theirs := c.in.Time.Add(-p.ClockOff)
	if a.TLS.NotAfter.IsZero() || theirs.Before(a.TLS.NotBefore) || theirs.After(a.TLS.NotAfter) {
		return nil
	}
	way := "ahead of"
	if p.ClockOff < 0 {
		way = "behind"
	}
	x := &pattern{word: "wrong_clock", cause: fault.Gateway, confidence: "likely"}
	x.because = fmt.Sprintf("This host's clock is %s %s the Date that %s, and by theirs the certificate is valid.",
		fault.Span(p.ClockOff.Abs()), way, wrote(p.ClockSeen))
	x.check = "On the gateway's host: timedatectl (or chronyc tracking) beside date -u on any other machine."
	x.advice = []string{"Set the clock of the gateway's host, and keep it by NTP (timedatectl set-ntp true). The upstream's certificate needs no change."}
	return x
}

func wrote(n int) string {
	if n == 1 {
		return "another upstream writes"
	}
	return fmt.Sprintf("%d other upstreams write", n)
}

// configChanged: it worked until the settings were changed, and has not since.
func (c *judgement) configChanged(p *journey.Past, _ *journey.Attempt) *pattern {
	if !p.Revised || p.Good || !p.GoodBefore || c.kind == fault.StaleConnection {
		return nil
	}
	x := &pattern{word: "config_changed", cause: fault.Configuration, confidence: "possible"}
	if p.Streak > 1 && p.RevisedAgo-p.RunAgo < soonAfter {
		x.confidence = "likely"
	}
	x.because = fmt.Sprintf("The settings of this upstream were changed %s. Before, it answered (%s for the last time); since, it has not once, and %s failed.",
		agoText(p.RevisedAgo), agoText(p.GoodBeforeAgo), plural(int64(p.Streak), "attempt"))
	x.check = "Put the settings of before back (serve reads the file again when it changes): if it answers then, the difference is the cause."
	x.advice = []string{"Compare the upstream's settings with those of before: " + c.key("targets") + ", host, headers, timeouts, tls and protocol are what a connection depends on."}
	return x
}

// key is a setting of the upstream as the configuration names it.
func (c *judgement) key(name string) string {
	switch {
	case c.in.Provider != "":
		if name == "targets" {
			name = "base_url"
		}
		return "providers." + c.in.Provider + "." + name
	case c.in.Service != "":
		return "services." + c.in.Service + ".upstream." + name
	}
	return "upstream." + name
}

// neverWorked: nothing is known to have been right.
func (c *judgement) neverWorked(p *journey.Past, _ *journey.Attempt) *pattern {
	if p.Good || p.GoodBefore {
		return nil
	}
	for _, r := range refinements {
		if r.kind != c.kind {
			continue
		}
		x := &pattern{word: "never_worked"}
		answered := "answered once"
		if c.about.Status != 0 {
			answered = "given one good answer"
		}
		x.because = fmt.Sprintf("This target has not "+answered+" since the gateway knows it (%s): what was never right is more often a wrong setting than a fault.", fault.Span(p.Watched))
		if reachKind(c.kind) || c.kind == fault.DNSNotFound || c.kind == fault.DNSNoAddress || c.kind == fault.SocketMissing || c.kind == fault.NotHTTP {
			x.advice = []string{"Check " + c.key("targets") + " first."} // of the others the kind's own advice names the setting
		}
		if p.Siblings.Well > 0 {
			x.because += fmt.Sprintf(" Other targets of the same upstream do answer (%s).", cleanTarget(p.Siblings.Name))
		}
		return x
	}
	return nil
}

// upstreamChanged: something about the target changed just before the first failure.
func (c *judgement) upstreamChanged(p *journey.Past, _ *journey.Attempt) *pattern {
	if !p.Good && !p.GoodBefore || p.Streak == 0 || reachKind(c.kind) && c.kind != fault.ConnectTimeout && c.kind != fault.ConnectionRefused {
		return nil
	}
	for _, ch := range p.Changes {
		before := ch.Ago - p.RunAgo
		if ch.What == "configuration" || before < -time.Second || before > soonAfter || !c.concerns(ch.What) {
			continue
		}
		x := &pattern{word: "upstream_changed", cause: fault.IncompatibleChange, confidence: "possible"}
		if before < atOnce {
			x.confidence = "likely"
		}
		x.because = fmt.Sprintf("It answered until %s changed from %s to %s, %s: %s before the first of %s.",
			whatChanged(ch.What), quote([]byte(ch.From), quoteLimit), quote([]byte(ch.To), quoteLimit), agoText(ch.Ago), fault.Span(max(before, 0)), plural(int64(p.Streak), "failure"))
		x.check = "Ask who deployed or moved the upstream at that moment; going back to what was before settles it."
		if ch.What == "address" {
			x.cause = fault.Network
			x.advice = []string{"The name of the target leads to another address now: getent hosts " + hostOf(c.about.Target) + ". Correct the DNS record, or whatever runs at the new address."}
			if c.kind == fault.ConnectionRefused || c.kind == fault.ConnectTimeout {
				x.confidence = "likely"
			}
		}
		return x
	}
	return nil
}

// concerns tells whether a change of this can have to do with the failure.
func (c *judgement) concerns(what string) bool {
	switch {
	case what == "address":
		return true
	case what == "certificate" || what == "ALPN":
		return c.about.TLS != nil || c.about.HTTP2 != nil || servingKind(c.kind)
	case reachKind(c.kind):
		return false
	case len(what) > 12 && what[:12] == "content type":
		return c.kind == fault.IncompatibleResponse || c.kind == fault.MalformedStream
	}
	return true
}

func whatChanged(what string) string {
	switch what {
	case "address":
		return "the address behind its name"
	case "certificate":
		return "its certificate"
	case "ALPN":
		return "the protocol it agrees on"
	}
	if len(what) > 12 && what[:12] == "content type" {
		return "the " + what
	}
	return "its field " + what
}

// modelName: a model that has answered was retired; one that never did was mistyped.
func (c *judgement) modelName(p *journey.Past, _ *journey.Attempt) *pattern {
	if c.kind != fault.ModelNotFound {
		return nil
	}
	if p.ModelGood {
		return &pattern{
			word: "model_retired", cause: fault.IncompatibleChange, confidence: "likely",
			because: fmt.Sprintf("The provider answered for this very model %s, and says now that there is none of the name.", agoText(p.ModelGoodAgo)),
			check:   "The provider's page of deprecations, or its list of models (GET /v1/models).",
			advice:  []string{"Map the name to its successor under models, with the old provider's model as its target no more."},
		}
	}
	x := &pattern{word: "model_mistyped", cause: fault.Configuration, confidence: "possible"}
	x.because = "The provider has not answered for this model since the gateway knows it (" + fault.Span(p.Watched) + ")"
	if p.Good {
		x.confidence = "likely"
		x.because += ", and answers for other models (" + agoText(p.GoodAgo) + ")"
	}
	x.because += ": a name that was never right is mistyped, or not open to this account."
	x.check = "The provider's list of models with the same key (GET /v1/models)."
	return x
}

// money tells one bad key from an account that has run dry.
func (c *judgement) money(p *journey.Past, _ *journey.Attempt) *pattern {
	switch c.kind {
	case fault.QuotaExhausted:
		return &pattern{
			word: "no_money", because: "The provider says that the account has no credit or quota left: every call with it fails alike, until somebody pays or raises the limit.",
			check: "The provider's billing page for this account.",
		}
	case fault.ProviderKeyRejected:
		x := &pattern{word: "bad_key", because: "The provider rejects the key itself."}
		switch {
		case p.Keys > 1 && p.KeysGood > 0:
			x.word = "one_bad_key"
			x.because = fmt.Sprintf("The provider rejects this key; %d of the %d keys of the provider are in use: it is the key, not the provider.", p.KeysGood, p.Keys)
		case p.Keys > 1:
			x.because = fmt.Sprintf("The provider rejects all %d keys: the account, or all that was configured, and not one key.", p.Keys)
		case p.Good:
			x.because += " It was good until " + agoText(p.GoodAgo) + ": it was revoked or has expired."
		}
		x.check = "A call with the same key by curl, outside the gateway."
		return x
	}
	return nil
}
