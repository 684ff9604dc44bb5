package gateway

import "causeway/internal/ledger"

// commit closes the call's record. It runs before the last byte of the answer goes out, so that a
// call that was answered is in the call log whatever happens to this process afterwards.
func (c *call) commit() {
	if c.committed {
		return
	}
	c.committed = true
	// Before the last byte goes out: who has the answer may call again at once.
	c.g.inFlight.Add(-1)
	j := &c.j
	j.Total = c.since()
	if j.FirstByte == 0 && j.BytesOut > 0 {
		j.FirstByte = j.Total // the whole answer goes out at once
	}
	j.BytesIn = max(j.BytesIn, c.bytesIn())
	failed := j.Finding != nil
	if c.keepBodies(failed) {
		if c.body != nil {
			j.RequestBody = clipBody(c.body)
		}
		j.ResponseBody = clipBody(j.ResponseBody)
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
	series := c.gen.Other
	switch {
	case c.svc != nil:
		series = c.svc.Meter
	case c.model != nil:
		series = c.model.Meter(c.j.Provider)
	}
	if c.caller != nil {
		series.Call(c.gen.Applications[c.caller.Name], &c.j)
		return
	}
	series.Call(nil, &c.j)
}
