package llm

import "causeway/internal/journey"

// Usage counts in journey.Usage mean the same in every dialect: Input is all input, what was read
// from or written to a provider's cache included; Output is all output, reasoning included; Cached,
// CacheWrite and Reasoning are parts of them. -1 means that the provider said nothing.

// NoUsage is the usage of an answer that said nothing.
func NoUsage() journey.Usage {
	return journey.Usage{Input: -1, Output: -1, Cached: -1, CacheWrite: -1, Reasoning: -1}
}

// setSource notes where counts are from: "reported" in a whole answer, "partial" in one that broke.
func setSource(u *journey.Usage, whole bool) {
	switch {
	case u.Input < 0 && u.Output < 0:
		u.Source = ""
	case whole:
		u.Source = "reported"
	default:
		u.Source = "partial"
	}
}
