package logs

import (
	"slices"
	"time"
)

// skews finds out whether the files' clocks agree, from requests that several files tell of and that
// come only once in each: the time between their lines is the same for all of them when a clock, or
// the zone that was assumed for it, is off.
type skews struct {
	calls map[string]*sighting
}

// sighting is where one request was seen: the time in each file, 0 for not at all, -1 for twice.
type sighting struct {
	at    map[int]int64
	start map[int]bool
}

const mostSightings = 20000

func newSkews() *skews { return &skews{calls: map[string]*sighting{}} }

func (k *skews) add(file int, e *entry) {
	if e.time == 0 || len(e.target) == 0 || e.access && !failing(e.status) || !e.access && e.rule == nil {
		return
	}
	key := path(callTarget(e))
	s := k.calls[key]
	if s == nil {
		if len(k.calls) >= mostSightings {
			return
		}
		s = &sighting{at: map[int]int64{}, start: map[int]bool{}}
		k.calls[key] = s
	}
	t := e.time
	if e.atStart && e.took > 0 {
		t += e.took
	}
	if s.at[file] != 0 {
		t = -1
	}
	s.at[file] = t
	s.start[file] = e.atStart && e.took < 0
}

// shifts gives what to add to the times of which file. The file that is shifted is the one whose times
// have no zone. ends says that access lines have the times of the requests' ends, as nginx's have.
func (k *skews) shifts(sources []*source, ends bool) map[int]int64 {
	out := map[int]int64{}
	for a := range sources {
		for b := range sources {
			if a == b || sources[a].unzoned && !sources[b].unzoned || a > b && sources[a].unzoned == sources[b].unzoned {
				continue
			}
			if out[a] != 0 || out[b] != 0 {
				continue
			}
			var d []int64
			starts := false
			for _, s := range k.calls {
				if s.at[a] > 0 && s.at[b] > 0 {
					d = append(d, s.at[a]-s.at[b])
					starts = starts || !ends && (s.start[a] || s.start[b])
				}
			}
			if shift := agreed(d, starts); shift != 0 {
				out[b] = shift
			}
		}
	}
	return out
}

// agreed is the difference that nearly all agree in, 0 when there is none worth telling: a few
// seconds, or times of requests' beginnings, say nothing unless it is a zone's quarter of an hour.
func agreed(d []int64, starts bool) int64 {
	if len(d) < 3 {
		return 0
	}
	slices.Sort(d)
	mid := d[len(d)/2]
	quarter := int64(15 * time.Minute)
	zone := (mid + sign(mid)*quarter/2) / quarter * quarter
	near, same := 0, 0
	for _, v := range d {
		if zone != 0 && abs(v-zone) < int64(3*time.Minute) {
			near++
		}
		if abs(v-mid) < 2*second {
			same++
		}
	}
	switch {
	case zone != 0 && near*10 >= len(d)*8 && abs(zone) <= int64(15*time.Hour):
		return zone
	case !starts && abs(mid) > 5*second && same*10 >= len(d)*8:
		return mid
	}
	return 0
}

func sign(v int64) int64 {
	if v < 0 {
		return -1
	}
	return 1
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}
