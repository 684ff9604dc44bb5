package catalog

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestAModelsFallbacksAndWhatItsTargetsCanDo(t *testing.T) {
	c := mustParse(t, `
version: 1
providers:
  mock: {kind: openai-compatible, base_url: http://127.0.0.1:1, keys: [{value: key-of-mock-1, priority: 2, weight: 5}, key-of-mock-2]}
models:
  fast:
    balance: sticky
    targets: [{model: mock/a, price: {input: 0.15, output: 0.6}, context: 8000, supports: [tools, vision]}, {model: mock/b, supports: []}]
    fallback: [mock/c, big, {model: mock/d/e, context: 200000}]
    strict: true
    failover: {on_refusal: true, on_context: true, max_attempts: 3}
  big: {targets: [{model: mock/big}]}
`)
	want := &Model{
		Name: "fast", Balance: "sticky", Strict: true, Failover: Failover{OnRefusal: true, OnContext: true, MaxAttempts: 3},
		Targets: []ModelTarget{
			{Provider: "mock", Model: "a", Weight: 1, Price: &Price{0.15, 0.6}, Context: 8000, Supports: []string{"tools", "vision"}},
			{Provider: "mock", Model: "b", Weight: 1, Supports: []string{}},
		},
		Fallback: []ModelTarget{
			{Provider: "mock", Model: "c", Weight: 1}, {Model: "big", Weight: 1}, {Provider: "mock", Model: "d/e", Weight: 1, Context: 200000},
		},
	}
	if got := c.Models["fast"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if keys := c.Providers["mock"].Keys; keys[0].Priority != 2 || keys[0].Weight != 5 || keys[1].Priority != 1 {
		t.Errorf("priorities %d and %d", keys[0].Priority, keys[1].Priority)
	}
}

func TestAModelHasNoMoreTargetsThanCanBeTried(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nmodels:\n")
	for m := range 5 {
		fmt.Fprintf(&b, "  m%d: {targets: [", m)
		for n := range 16 {
			fmt.Fprintf(&b, "{model: sandbox/x%d}, ", n)
		}
		fmt.Fprintf(&b, "], fallback: [%s]}\n", strings.Join([]string{"m1", "m2", "m3", "m4"}[m:], ", "))
	}
	_, faults := Parse("f.yaml", []byte(b.String()), testEnv)
	if got := faults.String(); !strings.Contains(got, "`models.m0` has 80 targets with its fallbacks and theirs") || strings.Count(got, "targets with its") != 1 {
		t.Errorf("faults: %s", got)
	}
}
