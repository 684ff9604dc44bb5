package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"causeway/internal/budget"
	"causeway/internal/catalog"
	"causeway/internal/price"
	"causeway/internal/store"
)

// limits are the counters of what applications have used, and the prices by which money is counted. Counters of
// this process are kept in the database, so that a month's budget outlives a restart; what was used in the last
// second before a crash is not.
type limits struct {
	prices   *price.Catalogue
	counters budget.Counters
	memory   *budget.Memory
	url      string // of counters outside
}

const (
	keptCounters = "budget_counters"
	keepEvery    = time.Second
)

func (a *App) openLimits(ctx context.Context, c *catalog.Catalog) (err error) {
	l := &a.limits
	if l.prices, err = price.Builtin(); err != nil {
		return fmt.Errorf("reading the catalogue of prices: %w", err)
	}
	l.url = c.Storage.Counters
	if l.url != "" && l.url != "memory" {
		return a.openRedis(l.url)
	}
	l.memory = budget.NewMemory()
	l.counters = l.memory
	value, err := a.store.Setting(ctx, keptCounters)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		var kept []budget.Kept
		if err := json.Unmarshal(value, &kept); err != nil {
			a.log.Error("what applications had used could not be read and counts from zero", "error", err.Error())
		}
		l.memory.Restore(kept)
	}
	done, stopped := make(chan struct{}), sync.WaitGroup{}
	stopped.Go(func() {
		t := time.NewTicker(keepEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				a.keepCounters()
			case <-done:
				a.keepCounters()
				return
			}
		}
	})
	a.onClose(func() error {
		close(done)
		stopped.Wait()
		return nil
	})
	return nil
}

// keepCounters writes what has changed.
func (a *App) keepCounters() {
	kept := a.limits.memory.Changes()
	if kept == nil {
		return
	}
	value, err := json.Marshal(kept)
	if err == nil {
		err = a.store.SetSetting(context.Background(), keptCounters, value)
	}
	if err != nil {
		a.log.Error("what applications have used could not be kept", "error", err.Error())
	}
}

// openRedis uses counters that several gateways share. A server that cannot be reached yet is no reason not to
// start: until it can, each gateway counts for itself.
func (a *App) openRedis(url string) error {
	o, err := redis.ParseURL(url)
	if err != nil {
		return errors.New("storage.counters is no address of a Redis server: write redis://HOST:PORT/N") // the error may quote a password
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.MaxRetries = time.Second, time.Second, time.Second, -1
	client := redis.NewClient(o)
	a.onClose(client.Close)
	a.limits.counters = budget.NewRedis(client, "causeway/")
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		a.log.Error("the counters of limits can't be reached yet: this gateway counts for itself", "server", o.Addr, "error", err.Error())
	}
	return nil
}

// limitWarnings say what is wrong with the counters.
func (a *App) limitWarnings() []string {
	if a.gateway != nil && a.gateway.Away() {
		return []string{"storage.counters can't be reached: limits and budgets hold for this gateway alone"}
	}
	return nil
}
