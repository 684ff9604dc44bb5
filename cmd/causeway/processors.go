package main

import (
	"os"
	"runtime"
	"sync"
)

// processors gives work that keeps a processor for long, as a batch for the call log with its writes to the disk does,
// one to run beside the calls. Where the process has several of them there is nothing to do. Where it has one, Go would
// let every call wait until such work is over, or for ten milliseconds; with a second one the kernel shares the
// processor between the two. But that second one is there for calls too then, and waking its thread for every other
// event costs more than the event. So it exists while such work is done, and not otherwise: changing the number takes
// some ten microseconds.
type processors struct {
	single bool // the process has one, and nobody has said how many Go is to use

	mu    sync.Mutex
	users int
}

// newProcessors finds out how many there are. Until settle is called there are two at least.
func newProcessors() *processors {
	p := &processors{single: runtime.GOMAXPROCS(0) == 1 && os.Getenv("GOMAXPROCS") == ""}
	p.change(1)
	return p
}

// settle is called when the program has started: calls are served by one processor from now on.
func (p *processors) settle() { p.change(-1) }

// apart does work on a processor beside that of the calls. It may be called concurrently.
func (p *processors) apart(work func()) {
	p.change(1)
	defer p.change(-1)
	work()
}

func (p *processors) change(by int) {
	if !p.single {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.users > 0
	p.users += by
	if is := p.users > 0; is != was {
		if is {
			runtime.GOMAXPROCS(2)
		} else {
			runtime.GOMAXPROCS(1)
		}
	}
}
