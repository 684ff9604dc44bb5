package meter

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ModelTarget is the state of one model of one provider that a configured model stands for.
type ModelTarget struct {
	Provider, Model string // configured names
	Alone           bool   // it is left alone because its calls fail
	Busy            int64  // calls in flight
	FirstToken      time.Duration
	Answer          time.Duration // both of late; 0: not known
}

// ProviderKey is the state of one key of a provider.
type ProviderKey struct {
	Provider string
	Place    int    // in the configuration, from 1
	Why      string // "" while it is in use; rate_limited, rejected, out_of_money
	// Requests and Tokens are what the provider has said is left; -1: it has not.
	Requests, Tokens int64
}

var (
	descTargetUp    = desc("model_target_up", "1 while the model of the provider gets calls, 0 while it is left alone because its calls fail.", "provider", "model")
	descTargetBusy  = desc("model_target_calls_in_flight", "Calls in flight at the model of the provider.", "provider", "model")
	descTargetToken = desc("model_target_first_token_seconds", "How long the first token of a stream took of late, as an average that fades.", "provider", "model")
	descTargetTook  = desc("model_target_answer_seconds", "How long an answer that is no stream took of late, as an average that fades.", "provider", "model")
	descKeyUsable   = desc("provider_key_usable", "1 while the provider's key is used, 0 while it is set aside; reason says why: rate_limited, rejected, out_of_money.", "provider", "key", "reason")
	descKeyLeft     = desc("provider_key_remaining", "What the provider last said is left of the key's limit.", "provider", "key", "limit")
)

// choosingDescs are the metrics of this file.
var choosingDescs = []*prometheus.Desc{descTargetUp, descTargetBusy, descTargetToken, descTargetTook, descKeyUsable, descKeyLeft}

func collectChoosing(e emitter, targets []ModelTarget, keys []ProviderKey) {
	for _, t := range targets {
		l := []string{text(t.Provider), text(t.Model)}
		e.gauge(descTargetUp, flag(!t.Alone), l...)
		e.gauge(descTargetBusy, float64(t.Busy), l...)
		if t.FirstToken > 0 {
			e.gauge(descTargetToken, t.FirstToken.Seconds(), l...)
		}
		if t.Answer > 0 {
			e.gauge(descTargetTook, t.Answer.Seconds(), l...)
		}
	}
	for _, k := range keys {
		provider, place := text(k.Provider), strconv.Itoa(k.Place)
		e.gauge(descKeyUsable, flag(k.Why == ""), provider, place, k.Why)
		if k.Requests >= 0 {
			e.gauge(descKeyLeft, float64(k.Requests), provider, place, "requests")
		}
		if k.Tokens >= 0 {
			e.gauge(descKeyLeft, float64(k.Tokens), provider, place, "tokens")
		}
	}
}
