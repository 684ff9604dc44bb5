package host

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// disk looks at the data folder's: how much is free, and how long a small write takes until it is on
// the disk. It has a goroutine of its own, because a disk that hangs must not stop the sampler.
type disk struct {
	dir string

	mu      sync.Mutex
	free    int64         // -1: none
	wrote   time.Duration // the last write
	began   time.Time     // of the write in progress, zero when there is none
	problem string
}

func newDisk(dir string) *disk { return &disk{dir: dir} }

func (d *disk) run(ctx context.Context, every time.Duration) {
	f := d.open()
	if f != nil {
		defer f.Close()
	}
	t := time.NewTicker(min(every, freeEvery))
	defer t.Stop()
	var wrote time.Time
	for {
		d.room()
		if now := time.Now(); wrote.IsZero() || now.Sub(wrote) >= every {
			wrote = now
			if f == nil {
				f = d.open()
			}
			d.look(f)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// freeEvery is how often is looked how much is free: a disk may fill up within seconds, and to ask costs nothing.
const freeEvery = time.Second

// open makes a file that has no name: nothing of it stays, however the process ends.
func (d *disk) open() *os.File {
	f, err := os.CreateTemp(d.dir, ".probe-*")
	if err == nil {
		err = os.Remove(f.Name())
	}
	if err != nil {
		d.failed(err)
	}
	return f
}

// room looks how much is free.
func (d *disk) room() {
	free, known := freeSpace(d.dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.free = free; known && free <= 0 {
		d.free = -1
	}
}

// look makes a small write.
func (d *disk) look(f *os.File) {
	if f == nil {
		return
	}
	d.mu.Lock()
	d.began = time.Now()
	d.mu.Unlock()
	_, err := f.WriteAt([]byte("causeway"), 0)
	if err == nil {
		err = toDisk(f)
	}
	d.failed(err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrote, d.began = time.Since(d.began), time.Time{}
}

func (d *disk) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.problem = ""; err != nil {
		d.problem = reason(err)
	}
}

// state is the last look. A write that has not ended yet has taken as long as it has.
func (d *disk) state(now time.Time) (free int64, write time.Duration, problem string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	write = d.wrote
	if !d.began.IsZero() {
		write = max(write, now.Sub(d.began))
	}
	return d.free, write, d.problem
}

// reason is the system's word for an error, without the file's name.
func reason(err error) string {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e.Error()
	}
	return err.Error()
}
