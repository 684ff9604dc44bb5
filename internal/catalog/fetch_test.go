package catalog

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func TestWhatMayBeFetched(t *testing.T) {
	got := mustParse(t, "version: 1\nllm: {fetch: {from: allowed, allow: [Media.Internal, \"*.corp.example\", 10.1.0.0/16, \"[::1]\", 192.0.2.7], max_size: 5MiB, timeout: 3s}}\n").LLM.Fetch
	want := Fetch{
		From: "allowed", Hosts: []string{"media.internal", "*.corp.example"}, MaxSize: 5 << 20, Timeout: 3 * time.Second,
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("192.0.2.7/32")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
