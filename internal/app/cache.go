package app

import (
	"context"
	"time"

	"causeway/internal/cache"
	"causeway/internal/catalog"
	"causeway/internal/meter"
)

// cacheWithin is the longest that a call waits for a cache in a server, and cachedAtMost the largest value there.
const (
	cacheWithin  = 250 * time.Millisecond
	cachedAtMost = 65 << 20
)

// answers is where answers are kept: in memory, whose size a reload may change, or beside the counters of limits.
type answers struct {
	cache  *cache.Cache
	memory *cache.Memory // nil where they are kept in a server
}

func (a *App) openCache(ctx context.Context, c *catalog.Catalog) error {
	var store cache.Store
	if url := c.Storage.Counters; url != "" && url != "memory" {
		far, err := cache.Dial(url, "causeway/cache/", cachedAtMost, cacheWithin)
		if err != nil {
			return err
		}
		a.onClose(far.Close)
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, _, err := far.Get(ctx, cache.Key{}); err != nil { // the first call need not wait for a connection
			a.log.Warn("the cache can't be reached yet: calls go on without it", "error", err.Error())
		}
		store = far
	} else {
		a.answers.memory = cache.NewMemory(c.Storage.CacheSize, 0, nil)
		store = a.answers.memory
	}
	a.answers.cache = cache.New(store, cache.Options{Within: cacheWithin, Trouble: func(err error) {
		a.log.Warn("the cache can't be reached: calls go on without it", "error", err.Error())
	}})
	return nil
}

// resizeCache makes the cache in memory as large as a configuration says.
func (a *App) resizeCache(c *catalog.Catalog) {
	if m := a.answers.memory; m != nil {
		m.Resize(c.Storage.CacheSize)
	}
}

func (a *App) cacheFigures() meter.Cache {
	if a.gateway == nil {
		return meter.Cache{Entries: -1}
	}
	return a.gateway.CacheFigures()
}
