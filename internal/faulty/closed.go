package faulty

import (
	"time"

	"causeway/internal/fault"
)

// closedFaults are fresh connections that end before any answer.
func closedFaults() []Fault {
	return []Fault{
		{
			Name: "close_before_response", Kind: fault.ClosedBeforeResponse, Row: "32",
			About: "the request is read, then FIN without a byte (after Delay, if given)", start: tcp(request, pause, fin),
		},
		{
			Name: "close_on_accept", Kind: fault.ClosedBeforeResponse, Row: "32",
			About: "FIN as soon as the connection is accepted", start: tcp(fin),
		},
		{
			Name: "reset_before_response", Kind: fault.ResetBeforeResponse, Row: "33",
			About: "the request is read, then RST at once", start: tcp(request, rst),
		},
		{
			Name: "reset_after_delay", Kind: fault.ResetBeforeResponse, Row: "33", Defaults: Params{Delay: 100 * time.Millisecond},
			About: "the request is read, then RST after Delay, as a balancer's own limit does it", start: tcp(request, pause, rst),
		},
	}
}

// staleFaults answer well at first and fail a later call on the same connection. A gateway that
// repeats the call on a fresh connection, where that is safe, succeeds.
func staleFaults() []Fault {
	reuse := Needs{Reuse: true}
	one := Params{After: 1}
	return []Fault{
		{
			Name: "stale_close", Kind: fault.StaleConnection, Row: "34", Needs: reuse, Defaults: one,
			About: "After good answers, then FIN once the next request is read", start: tcp(goodThen(fin)),
		},
		{
			Name: "stale_reset", Kind: fault.StaleConnection, Row: "34", Needs: reuse, Defaults: one,
			About: "After good answers, then RST once the next request is read", start: tcp(goodThen(rst)),
		},
		{
			Name: "stale_cut", Kind: fault.TruncatedHeader, Row: "27", Needs: reuse, Defaults: one,
			About: "After good answers, then half a head and FIN: the call was worked on, it is not stale",
			start: tcp(goodThen(all([]step{send("HTTP/1.1 200 OK\r\nContent-Ty"), fin}))),
		},
		{
			Name: "stale_idle_close", Row: "34", Needs: reuse, Defaults: Params{Delay: 50 * time.Millisecond},
			Also:  []fault.Kind{fault.StaleConnection},
			About: "FIN once a connection has been idle for Delay: a gateway that looks before it sends uses a fresh one",
			start: tcp(untilIdle(fin)),
		},
		{
			Name: "stale_idle_reset", Row: "34", Needs: reuse, Defaults: Params{Delay: 50 * time.Millisecond},
			Also:  []fault.Kind{fault.StaleConnection},
			About: "RST once a connection has been idle for Delay",
			start: tcp(untilIdle(rst)),
		},
	}
}

// goodThen answers Params.After requests well and ends the next one.
func goodThen(end step) step {
	return func(c *peer) error {
		for {
			if err := request(c); err != nil {
				return err
			}
			if c.served > c.p.After {
				return end(c)
			}
			if err := good(c); err != nil {
				return err
			}
		}
	}
}

// untilIdle answers well until no request has begun for Params.Delay.
func untilIdle(end step) step {
	return func(c *peer) error {
		for {
			if c.served > 0 {
				_ = c.raw.SetReadDeadline(time.Now().Add(c.p.Delay))
				if _, err := c.br.Peek(1); err != nil {
					return end(c)
				}
			}
			if err := request(c); err != nil {
				return err
			}
			if err := good(c); err != nil {
				return err
			}
		}
	}
}
