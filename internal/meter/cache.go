package meter

import "github.com/prometheus/client_golang/prometheus"

// Cache is the state of the cache of answers. Counters count since the start; -1 leaves a figure out.
type Cache struct {
	Entries, Bytes, Evicted int64
	Errors                  int64
	Away                    bool // the store could not be reached of late
	Calls                   []CacheCalls
	Embeddings              []CacheEmbeddings
}

// CacheCalls is how often calls ended with an outcome. Service or Model is set, to a configured name.
type CacheCalls struct {
	Service, Model, Outcome string
	Count                   int64
}

// CacheEmbeddings is how often a model's semantic cache got an embedding, or failed to.
type CacheEmbeddings struct {
	Model        string
	Made, Failed int64
}

var (
	descCacheCalls   = desc("cache_requests_total", "Calls for which a cache was asked, by what it did: hit, stale, stored, miss or bypass.", "service", "model", "outcome")
	descCacheEntries = desc("cache_entries", "Values that are kept in the cache in this process's memory.")
	descCacheBytes   = desc("cache_bytes", "Memory that they take.")
	descCacheEvicted = desc("cache_evictions_total", "Values that had to make room for others.")
	descCacheErrors  = desc("cache_errors_total", "Questions that the cache's store did not answer, or not in time: each was a miss.")
	descCacheAway    = desc("cache_away", "Whether the cache's store is left alone because it has just failed.")
	descCacheEmbeds  = desc("cache_embeddings_total", "Embeddings that semantic caches asked for, by whether they got one.", "model", "result")
)

// cacheDescs are the metrics of this file.
var cacheDescs = []*prometheus.Desc{
	descCacheCalls, descCacheEntries, descCacheBytes, descCacheEvicted, descCacheErrors, descCacheAway, descCacheEmbeds,
}

func (c *Cache) collect(e emitter) {
	if c.Entries >= 0 {
		e.gauge(descCacheEntries, float64(c.Entries))
		e.gauge(descCacheBytes, float64(c.Bytes))
		e.counter(descCacheEvicted, float64(c.Evicted))
	}
	e.counter(descCacheErrors, float64(c.Errors))
	e.gauge(descCacheAway, flag(c.Away))
	for _, n := range c.Calls {
		e.counter(descCacheCalls, float64(n.Count), text(n.Service), text(n.Model), text(n.Outcome))
	}
	for _, n := range c.Embeddings {
		e.counter(descCacheEmbeds, float64(n.Made), text(n.Model), "made")
		e.counter(descCacheEmbeds, float64(n.Failed), text(n.Model), "failed")
	}
}
