package child

import (
	"slices"
	"time"
)

// Ending is one time that the process has ended.
type Ending struct {
	Exit
	PID   int
	At    time.Time
	Again time.Time // when the next one was started; zero while none was
	Next  int       // the next one's id
}

// mostEndings is how many are remembered.
const mostEndings = 32

// Endings are the last 32 times that it has ended, the last first.
func (p *Process) Endings() []Ending {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Clone(p.endings)
	slices.Reverse(list)
	return list
}

// ends notes the end of which ended tells. mu is held.
func (p *Process) ends() {
	if len(p.endings) >= mostEndings {
		p.endings = slices.Delete(p.endings, 0, 1)
	}
	p.endings = append(p.endings, Ending{Exit: p.ended.Exit, PID: p.ended.pid, At: p.ended.at})
}

// crashes counts the ends of a run that went wrong one after the other, none longer than within before the one after
// it, and tells how long the run has been going on at its last end. mu is held.
func (p *Process) crashes(within time.Duration) (n int, span time.Duration) {
	for i := len(p.endings) - 1; i >= 0; i-- {
		e, last := &p.endings[i], &p.endings[len(p.endings)-1]
		if e.Code == 0 || i < len(p.endings)-1 && p.endings[i+1].At.Sub(e.At) > within {
			break
		}
		n, span = n+1, last.At.Sub(e.At)
	}
	return n, span
}
