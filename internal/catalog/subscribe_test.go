package catalog

import (
	"fmt"
	"testing"
)

func formatAll(c *Catalog) string {
	s := fmt.Sprintf("%+v %#v", c, c)
	for _, p := range c.Providers {
		s += fmt.Sprintf(" %+v %#v %v", *p, *p, p.Keys)
	}
	for _, a := range c.Applications {
		s += fmt.Sprintf(" %+v %#v", *a, *a)
	}
	return s
}

func TestWhatASubscriptionAllows(t *testing.T) {
	c := &Catalog{Models: map[string]*Model{"fast": {}, "openai/best": {}}}
	for _, tc := range []struct {
		subscribes string
		kind, name string
		want       bool
	}{
		{"orders", "service", "orders", true},
		{"orders", "service", "order", false},
		{"orders", "model", "orders", false},
		{"models/fast", "service", "models/fast", true}, // no service can have this name
		{"models/fast", "model", "fast", true},
		{"models/fast", "model", "fast/x", false},
		{"models/fast", "model", "openai/gpt-4o", false}, // what fast resolves to, but not directly
		{"models/openai/gpt-4o", "model", "openai/gpt-4o", true},
		{"models/openai/gpt-4o", "model", "openai/gpt-4o-mini", false},
		{"models/openai/gpt-4o", "model", "fast", false},
		{"models/openai/*", "model", "openai/gpt-4o", true},
		{"models/openai/*", "model", "openai/org/model:1b", true},
		{"models/openai/*", "model", "openaix/gpt-4o", false},
		{"models/openai/*", "model", "fast", false},
		{"models/openai/*", "model", "openai/best", false}, // a name under models
		{"models/*", "model", "fast", true},
		{"models/*", "model", "openai/gpt-4o", true},
		{"models/*", "service", "orders", false},
		{"prompts/x", "prompt", "x", true},
		{"prompts/x", "prompt", "y", false},
		{"models/*", "prompt", "x", false},
		{"orders", "service", "", false},
		{"models/*", "model", "", false},
		{"models/*", "team", "fast", false},
	} {
		app := &Application{Subscribes: []string{"other", tc.subscribes}}
		if got := c.SubscriptionAllows(app, tc.kind, tc.name); got != tc.want {
			t.Errorf("%s allows %s %q: %v, want %v", tc.subscribes, tc.kind, tc.name, got, tc.want)
		}
	}
	if c.SubscriptionAllows(nil, "service", "orders") || c.SubscriptionAllows(&Application{}, "service", "orders") {
		t.Error("an application without subscriptions may call something")
	}
}
