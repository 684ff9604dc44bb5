package catalog

import "time"

// Overload says when and how the gateway turns calls away to stay well itself.
type Overload struct {
	Queue int           // calls that may wait for server.max_calls
	Wait  time.Duration // for at most this long
	// MaxDelay is the delay of the gateway's own work above which new calls are turned away; 0 = never.
	MaxDelay time.Duration
	// Shares of the memory that the process may have, 0 to 1: above MemorySoft calls that need much of it
	// are refused, above MemoryHard all new ones.
	MemorySoft, MemoryHard float64
}

func overloadKeys() []key {
	return []key{
		{
			name: "queue", def: "1000", shape: scalarOf(integer("a number of calls", 0, 1_000_000)), aka: []string{"queue_length", "max_queue"},
			doc: "Calls that may wait when `server.max_calls` are in flight; 0 = none, they are refused at once.",
		},
		{
			name: "wait", def: "500ms", shape: scalarOf(duration(0)), aka: []string{"queue_timeout", "queue_wait"},
			doc: "How long a call may wait so before it is refused with 503 `gateway_overloaded`.",
		},
		{
			name: "max_delay", def: "250ms", shape: scalarOf(duration(0)), aka: []string{"target", "max_latency"},
			doc: "How long the gateway's own work may wait for a CPU (the median, for half a second) before a growing share of new calls is refused with 503 `gateway_overloaded`. The time that upstreams take never counts. 0 = off.",
		},
		{
			name: "memory_soft", def: "80%", shape: scalarOf(percentage()),
			doc: "Share of the memory that the process may have (`GOMEMLIMIT`, or 90% of what its control group or host has) above which calls with large bodies to hold are refused with 503 `gateway_memory_low`; 0% = off.",
		},
		{
			name: "memory_hard", def: "90%", shape: scalarOf(percentage()),
			doc: "The share above which all new calls are refused so; 0% = off.",
		},
	}
}

func overload(v *value) Overload {
	return Overload{
		Queue: number(v.get("queue")), Wait: as[time.Duration](v.get("wait")), MaxDelay: as[time.Duration](v.get("max_delay")),
		MemorySoft: as[float64](v.get("memory_soft")), MemoryHard: as[float64](v.get("memory_hard")),
	}
}

// checkOverload finds marks in the wrong order: calls with large bodies go first.
func checkOverload(c *checker, v *value) {
	o := overload(v)
	if o.MemorySoft > 0 && o.MemoryHard > 0 && o.MemoryHard < o.MemorySoft {
		c.faults.add(v.at, "`"+v.path+".memory_hard` is below `memory_soft`", "write memory_hard: 90% and memory_soft: 80%, or leave both out")
	}
}
