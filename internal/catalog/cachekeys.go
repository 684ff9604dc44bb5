package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ServiceCache says how answers of a service are kept.
type ServiceCache struct {
	TTL          time.Duration // how long an answer is fresh that says nothing of it
	Shared       bool          // between applications
	MaxSize      int64         // of an answer's body
	StaleIfError time.Duration // how long beyond that it serves where the upstream fails
}

// ModelCache says how answers of a model are kept.
type ModelCache struct {
	TTL      time.Duration
	Shared   bool
	MaxSize  int64
	Semantic *SemanticCache // nil: only the same request gets the same answer
}

// SemanticCache says when a request is near enough to one that was answered.
type SemanticCache struct {
	Provider, Model string  // of embeddings
	Threshold       float64 // the least cosine similarity
	Entries         int     // that are compared with at the most
	Timeout         time.Duration
}

const (
	cacheTTLDoc    = "How long an answer is kept."
	cacheSharedDoc = "Lets applications share answers. Without it each sees only those that were made for itself."
)

func sharedKey(doc string) key {
	return key{name: "shared", def: "false", shape: scalarOf(boolean()), doc: doc}
}

func maxSizeKey(def string) key {
	return key{
		name: "max_size", def: def, shape: scalarOf(size(1, 64<<20)), aka: []string{"max_body", "size"},
		doc: "The largest body of an answer that is kept.",
	}
}

func serviceCacheKeys() []key {
	return []key{
		{
			name: "ttl", required: true, example: "ttl: 30s", shape: scalarOf(duration(1)), aka: []string{"expires", "max_age"},
			doc: "How long an answer is fresh that says nothing of it; its own Cache-Control and Expires count first.",
		},
		sharedKey("Lets applications share answers. Without it each sees only those that were made for itself. An open service has one cache for all."),
		maxSizeKey("1MiB"),
		{
			name: "stale_if_error", def: "0", shape: scalarOf(duration(0)),
			doc: "How long an answer that is not fresh any more serves where the upstream can't be reached or answers 500, 502, 503 or 504; 0 = never.",
		},
	}
}

func modelCacheKeys() []key {
	return []key{
		{name: "ttl", required: true, example: "ttl: 5m", shape: scalarOf(duration(1)), aka: []string{"expires", "max_age"}, doc: cacheTTLDoc},
		sharedKey(cacheSharedDoc),
		maxSizeKey("1MiB"),
		{
			name: "semantic", optional: true, shape: objectOf("{model: openai/text-embedding-3-small}", []key{
				{
					name: "model", required: true, example: "model: PROVIDER/MODEL", shape: scalarOf(modelText()), aka: []string{"embeddings"},
					doc: "PROVIDER/MODEL that makes embeddings of what users say.",
				},
				{
					name: "threshold", def: "0.95", shape: scalarOf(similarity()), aka: []string{"similarity"},
					doc: "The least cosine similarity of two messages that count as the same. Try it on your own: models of embeddings differ.",
				},
				{
					name: "entries", def: "1000", shape: scalarOf(integer("a number of answers", 1, 100_000)),
					doc: "The answers of one application that a message is compared with at the most; the least recently used make room.",
				},
				{
					name: "timeout", def: "2s", shape: scalarOf(duration(time.Millisecond)),
					doc: "How long a call waits for the embedding before it goes on without.",
				},
			}),
			doc: "Also answers a call whose last message of the user means the same as one that was answered, everything else being equal.",
		},
	}
}

// similarity is a cosine similarity that may count as the same.
func similarity() scalar {
	return scalar{
		noun: "a similarity from 0 to 1 such as 0.95", name: "similarity", kinds: []nodeKind{numberNode},
		schema: map[string]any{"type": "number", "minimum": 0, "maximum": 1},
		parse: func(s string) (any, *wrong) {
			n, err := strconv.ParseFloat(s, 64)
			switch {
			case err != nil || strings.ContainsAny(s, "nNiI"):
				return nil, &wrong{message: "is not a similarity", fix: "write a number from 0 to 1, such as 0.95"}
			case n < 0 || n > 1:
				return nil, outOfRange("0", "1")
			}
			return n, nil
		},
	}
}

func serviceCache(v *value) *ServiceCache {
	if !v.set() {
		return nil
	}
	return &ServiceCache{
		TTL: as[time.Duration](v.get("ttl")), Shared: as[bool](v.get("shared")), MaxSize: as[int64](v.get("max_size")),
		StaleIfError: as[time.Duration](v.get("stale_if_error")),
	}
}

func modelCache(v *value) *ModelCache {
	if !v.set() {
		return nil
	}
	c := &ModelCache{TTL: as[time.Duration](v.get("ttl")), Shared: as[bool](v.get("shared")), MaxSize: as[int64](v.get("max_size"))}
	if s := v.get("semantic"); s.set() {
		c.Semantic = &SemanticCache{
			Threshold: as[float64](s.get("threshold")), Entries: number(s.get("entries")), Timeout: as[time.Duration](s.get("timeout")),
		}
		c.Semantic.Provider, c.Semantic.Model = splitModel(as[string](s.get("model")))
	}
	return c
}

// caches checks what the caches of models refer to.
func (c *checker) caches(root *value) {
	for _, name := range root.get("models").names {
		v := root.get("models").get(name).get("cache").get("semantic").get("model")
		if v.bad || !v.set() {
			continue
		}
		if provider, _, _ := strings.Cut(as[string](v), "/"); provider == sandboxName {
			c.faults.add(v.at, fmt.Sprintf("%s names the sandbox, whose embeddings mean nothing", subjectOf(v)), "write a PROVIDER/MODEL of embeddings")
			continue
		}
		c.modelTarget(v, root.get("providers"))
	}
}
