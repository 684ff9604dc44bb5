package app

import (
	"context"
	"os"
	"time"

	"causeway/internal/catalog"
)

// watchEvery is how often the configuration file and the files that it names are looked at. While what
// was read last is not in force, every fourth look reads it again: what was missing, such as the key
// beside a new certificate, may be there by now.
const (
	watchEvery = 500 * time.Millisecond
	againEvery = 4
)

// stamp is what tells one version of a file from the next.
type stamp struct {
	size int64
	mod  time.Time
	node uint64
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{size: info.Size(), mod: info.ModTime(), node: inode(info)}
}

// watch reloads when the configuration file, or a file that it names, has changed, and whenever
// reload is signalled, until ctx ends.
func (a *App) watch(ctx context.Context) {
	if a.o.ConfigFile == "" {
		return
	}
	seen := a.stamps()
	seen[a.o.ConfigFile] = a.firstStamp // a change since it was first read has not been seen
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for looks := 1; ; looks++ {
		repeated := false
		select {
		case <-ctx.Done():
			return
		case <-a.reload:
		case <-t.C:
			a.certs.store.Check()
			now := a.stamps()
			if same(seen, now) {
				if a.failure() == "" || looks%againEvery != 0 {
					continue
				}
				repeated = true
				break
			}
			// An editor may still be writing: it is read when it has been quiet for a moment.
			time.Sleep(20 * time.Millisecond)
			if again := a.stamps(); !same(now, again) {
				continue
			}
		}
		before := a.stamps()
		a.reconfigure(repeated)
		seen = earlier(before, a.stamps())
	}
}

// earlier are the files that now names, as they were before where that is known: one that changed
// while it was read is read again.
func earlier(before, now map[string]stamp) map[string]stamp {
	for name := range now {
		if s, ok := before[name]; ok {
			now[name] = s
		}
	}
	return now
}

// failure is why the configuration that was read last is not in force, "" when it is.
func (a *App) failure() string {
	text, _ := a.configError.Load().(string)
	return text
}

func (a *App) stamps() map[string]stamp {
	m := map[string]stamp{a.o.ConfigFile: stampOf(a.o.ConfigFile)}
	if gen := a.gateway.Generation(); gen != nil {
		for _, f := range trustFiles(gen.Catalog) {
			m[f] = stampOf(f)
		}
	}
	return m
}

func same(a, b map[string]stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// reconfigure reads the file again and puts it in force; a file that is not valid, or cannot be
// compiled, changes nothing and is reported: once, when it is only read again for the same failure.
func (a *App) reconfigure(repeated bool) {
	a.tellReloading()
	defer a.tell("READY=1")
	next, err := a.loadFile()
	if err == nil {
		err = a.install(next)
	}
	if err != nil && repeated && err.Error() == a.failure() {
		return
	}
	if err != nil {
		a.configError.Store(err.Error())
		a.meter.ReloadFailed()
		a.log.Error("the configuration was not changed", "file", a.o.ConfigFile, "error", err.Error())
		return
	}
	a.configError.Store("")
	gen := a.gateway.Generation()
	a.warnListen(gen.Catalog)
	a.log.Info("configuration in force", "file", a.o.ConfigFile, "generation", gen.Number, "hash", gen.Hash)
}

// loadFile reads and checks the configuration file.
func (a *App) loadFile() (*catalog.Catalog, error) {
	c, faults, err := catalog.Load(a.o.ConfigFile, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, &ConfigError{File: a.o.ConfigFile, Faults: faults}
	}
	return c, a.checkOpen(c)
}
