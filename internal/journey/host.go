package journey

import (
	"encoding/binary"
	"time"
)

// Host is what the gateway's own host and process were like while a call ran that then failed. It is
// nil for a call that did not fail, or where nothing is sampled. A zero member is one that was not
// known, or nothing worth a word; shares are per cent. A Host is not changed once it is made, so
// that calls may share one.
type Host struct {
	Span time.Duration // over which the shares below were measured, up to the failure

	CPU       int64 // of the host's CPUs: how busy they were
	Steal     int64 // of the host's CPUs: what the hypervisor gave to others
	Own       int64 // of the CPUs that this process may use: what it used
	CPUs      int64 // how many CPUs this process may use at once (GOMAXPROCS)
	Throttled int64 // of the time: how long the control group held the process back
	GC        int64 // of the CPU time of this process: what the garbage collector took

	// Delay is how long work of this process that could run waited for a CPU: the longest of the
	// delays that one in a hundred exceeded, second by second.
	Delay time.Duration
	Pause time.Duration // the longest stop of the whole process by the garbage collector

	Memory    int64 // bytes that this process needed
	MemoryMax int64 // bytes that it may have
	Swap      int64 // bytes a second that the host moved from and to swap

	Files    int64 // descriptors in use
	FilesMax int64
	Ports    int64 // TCP sockets of the host, those waiting in TIME_WAIT included
	PortsMax int64 // ports that outgoing connections to one address can have

	DiskFree  int64         // bytes free where the data folder is, -1 for none
	DiskWrite time.Duration // the last write to the data folder, until it was on the disk
	DiskError string        // why a write to the data folder failed; "" when it did not

	ClockStep time.Duration // by how much the wall clock was last set while the process ran
	ClockAgo  time.Duration // how long before the failure that was

	Lookups       int64         // of names by the gateway in the last minute
	LookupsFailed int64         // of them, those without an answer
	LookupTime    time.Duration // the mean of the lookups
	LookupNames   int64         // different names that were not answered
}

// numbers are the members in the order they are written.
func (h *Host) numbers() [24]*int64 {
	d := func(d *time.Duration) *int64 { return (*int64)(d) }
	return [...]*int64{
		d(&h.Span), &h.CPU, &h.Steal, &h.Own, &h.CPUs, &h.Throttled, &h.GC, d(&h.Delay), d(&h.Pause),
		&h.Memory, &h.MemoryMax, &h.Swap, &h.Files, &h.FilesMax, &h.Ports, &h.PortsMax,
		&h.DiskFree, d(&h.DiskWrite), d(&h.ClockStep), d(&h.ClockAgo),
		&h.Lookups, &h.LookupsFailed, d(&h.LookupTime), &h.LookupNames,
	}
}

// hostDiskError is the bit of DiskError, behind the numbers. What comes after it takes the next bit.
const hostDiskError = 24

func appendHost(dst []byte, h *Host) []byte {
	var mask uint64
	dst, at := openSized(dst)
	dst = append(dst, 0, 0, 0, 0)
	for i, n := range h.numbers() {
		if *n != 0 {
			mask |= 1 << i
			dst = binary.AppendVarint(dst, *n)
		}
	}
	dst = optString(dst, &mask, 1<<hostDiskError, h.DiskError)
	binary.LittleEndian.PutUint32(dst[at+1:], uint32(mask))
	return closeSized(dst, at)
}

func (r *reader) host() *Host {
	in := r.nested()
	mask := in.mask(4)
	h := &Host{}
	for i, n := range h.numbers() {
		if mask&(1<<i) != 0 {
			*n = in.int()
		}
	}
	if mask&(1<<hostDiskError) != 0 {
		h.DiskError = in.string()
	}
	r.close(&in)
	return h
}
