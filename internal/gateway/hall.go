package gateway

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/ledger"
)

// hall is room 2: the call takes the generation that it keeps to its end, and a slot for its
// record; more calls than the gateway can carry are turned away here.
func (c *call) hall() bool {
	c.settle()
	if errors.Is(c.open(), ledger.ErrFull) {
		return c.fail(failure{kind: fault.CallLogFull})
	}
	return c.admitted || c.turn()
}

// settle takes the generation, and finds who calls by its rules.
func (c *call) settle() {
	c.gen = c.g.current.Load()
	c.j.Generation = c.gen.Number
	c.address()
}

// open takes a slot for the call's record.
func (c *call) open() (err error) {
	c.slot, err = c.g.ledger.Open(c.j.ID, c.j.Start.UnixNano(), c.j.Method, c.j.Path)
	return err
}

// caught turns a panic in any room into an answer and a record, so that one bug costs one call.
func (c *call) caught(p any) {
	if ok, _ := c.g.failLog.allow(fault.GatewayBug, time.Now()); ok { // every call may meet the same bug
		c.g.log.Error("a call ended in a bug of the gateway", "call", c.j.ID.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	if c.ex.Started() {
		c.j.Cut = true
		c.note("hall", "a bug of the gateway ended the call")
		c.failWith(diagnose.Input{Kind: fault.GatewayBug, Status: c.j.Status, Attempts: c.j.Attempts})
		c.commit()
		c.ex.Abort()
		return
	}
	c.fail(failure{kind: fault.GatewayBug})
	c.explain()
}
