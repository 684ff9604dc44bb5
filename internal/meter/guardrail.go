package meter

import "github.com/prometheus/client_golang/prometheus"

// GuardrailFound is how often a guardrail has found something since the start.
type GuardrailFound struct {
	Rule, Label string // the guardrail's configured name, and what kind of thing: EMAIL, WORD ...
	Count       int64
}

var descGuardrail = desc("guardrail_found_total", "What guardrails have found in prompts and answers.", "rule", "label")

// guardrailDescs are the metrics of this file.
var guardrailDescs = []*prometheus.Desc{descGuardrail}

func collectGuardrails(e emitter, list []GuardrailFound) {
	for _, f := range list {
		e.counter(descGuardrail, float64(f.Count), text(f.Rule), text(f.Label))
	}
}
