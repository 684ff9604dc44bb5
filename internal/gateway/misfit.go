package gateway

import (
	"slices"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// misfit tells whether the provider, one that refuses what it does not have (catalog.Quirks.Strict), would refuse the
// caller's chat for one of its members although both speak the same dialect. It is written anew then, by the vendor's
// row: what must be left out is reported.
func (c *call) misfit() bool {
	v := c.provider.Vendor
	if c.op != llm.Chat || v == nil || !v.Strict {
		return false
	}
	var scan jsonscan.Scanner
	scan.Reset(c.body)
	if scan.Peek() != jsonscan.Object {
		return false
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		name := string(k.Raw)
		switch {
		case slices.Contains(v.Refuses, name), v.Renames[name] != "",
			name == "stream_options" && v.UsageAlways,
			name == "max_completion_tokens" && v.MaxTokens != name:
			return true
		case name == "reasoning_effort" && len(v.Efforts) > 0 && scan.Peek() == jsonscan.String:
			if !slices.Contains(v.Efforts, string(scan.Inner())) {
				return true
			}
			continue
		}
		scan.Skip()
	}
	return false
}
