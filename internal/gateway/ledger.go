package gateway

import (
	"causeway/internal/ledger"
	"causeway/internal/meter"
)

// commit closes the call's record. It runs before the last byte of the answer goes out, so that a
// call that was answered is in the call log whatever happens to this process afterwards.
func (c *call) commit() {
	if c.committed || c.leg != nil && !c.leg.commits() {
		return
	}
	c.committed = true
	// Before the last byte goes out: who has the answer may call again at once.
	if c.counted {
		c.counted = false
		c.g.gate.Leave()
	}
	j := &c.j
	j.Total = c.since()
	if c.model != nil {
		c.countGone()
		c.cost()
	}
	if j.FirstByte == 0 && j.BytesOut > 0 {
		j.FirstByte = j.Total // the whole answer goes out at once
	}
	j.BytesIn = max(j.BytesIn, c.bytesIn())
	failed := j.Finding != nil
	if c.keepBodies(failed) {
		j.RequestBody, j.Sent = c.keepRequest(), c.keepSent()
		j.ResponseBody = clipBody(j.ResponseBody, c.keptCoding)
	} else {
		j.ResponseBody = nil
	}
	c.rec = ledger.AppendRecord(c.rec[:0], j)
	_ = c.slot.Commit(c.rec) // a record that was dropped is counted there
}

// measure counts the call, once.
func (c *call) measure() {
	if c.measured || c.gen == nil {
		return
	}
	c.measured = true
	series := c.series()
	if c.caller != nil {
		series.Call(c.gen.Applications[c.caller.Name], &c.j)
		return
	}
	series.Call(nil, &c.j)
}

// series are the counters of what the call is for.
func (c *call) series() *meter.Series {
	switch {
	case c.svc != nil:
		return c.svc.Meter
	case c.model != nil:
		return c.model.Meter(c.j.Provider)
	}
	return c.gen.Other
}
