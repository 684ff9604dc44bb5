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
	if err := a.keepCounters(ctx); err != nil {
		return err
	}
	done, stopped := make(chan struct{}), sync.WaitGroup{}
	stopped.Go(func() {
		t := time.NewTicker(keepEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				a.keepUsed()
			case <-done:
				a.keepUsed()
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

func (a *App) keepUsed() {
	if err := a.keepCounters(context.Background()); err != nil {
		a.log.Error("what applications have used could not be kept", "error", err.Error())
	}
}

// keepCounters adds what was used here to what the database has, and takes over what another process has added: at a
// hand-over two of them count for the same applications.
func (a *App) keepCounters(ctx context.Context) error {
	value, err := a.store.Setting(ctx, keptCounters)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	kept, readable := usedUntilNow(value)
	if _, changed := a.limits.memory.Join(kept); !changed && readable {
		return nil
	}
	if !readable {
		a.log.Error("what applications had used could not be read and counts from zero", "setting", keptCounters)
	}
	var list []budget.Kept
	err = a.store.UpdateSetting(ctx, keptCounters, func(value []byte) ([]byte, error) {
		kept, _ := usedUntilNow(value)
		list, _ = a.limits.memory.Join(kept)
		return json.Marshal(list)
	})
	if err == nil {
		a.limits.memory.Wrote(list)
	}
	return err
}

// usedUntilNow reads what was kept.
func usedUntilNow(value []byte) (kept []budget.Kept, readable bool) {
	if len(value) == 0 {
		return nil, true
	}
	if json.Unmarshal(value, &kept) != nil {
		return nil, false
	}
	return kept, true
}

// openRedis uses counters that several gateways share. A server that cannot be reached yet is no reason not to
// start: until it can, each gateway counts for itself.
func (a *App) openRedis(url string) error {
	o, err := redis.ParseURL(url)
	if err != nil {
		return errors.New("storage.counters is no address of a Redis server: write redis://HOST:PORT/N") // the error may quote a password
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.MaxRetries = time.Second, time.Second, time.Second, -1
	o.ContextTimeoutEnabled = true
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
