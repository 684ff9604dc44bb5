package faulty

import (
	"time"

	"causeway/internal/fault"
)

// silenceFaults are upstreams that let a limit fire.
func silenceFaults() []Fault {
	return []Fault{
		{
			Name: "no_answer", Kind: fault.FirstByteTimeout, Row: "35",
			About: "the request is read, then nothing", start: tcp(request, silence),
		},
		{
			Name: "slow_answer", Kind: fault.FirstByteTimeout, Also: []fault.Kind{""}, Row: "35", Defaults: Params{Delay: 2 * time.Second},
			About: "a good answer after Delay: a failure only where the limit is shorter", start: tcp(loop(request, pause, good)),
		},
		{
			Name: "interim_then_silence", Kind: fault.FirstByteTimeout, Also: []fault.Kind{fault.IdleTimeout}, Row: "35",
			About: "103 Early Hints, then nothing", start: tcp(request, send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"), silence),
		},
		{
			Name: "stall_mid_body", Kind: fault.IdleTimeout, Row: "36",
			About: "ten bytes of a hundred, then nothing", start: tcp(request, send(cutBody), silence),
		},
		{
			Name: "stall_mid_chunk", Kind: fault.IdleTimeout, Row: "36",
			About: "ten bytes of a chunk of a hundred, then nothing", start: tcp(request, send(chunkedHead+"64\r\n0123456789"), silence),
		},
		{
			Name: "stall_in_head", Kind: fault.IdleTimeout, Also: []fault.Kind{fault.FirstByteTimeout}, Row: "36",
			About: "half a head, then nothing", start: tcp(request, send("HTTP/1.1 200 OK\r\nContent-Ty"), silence),
		},
		{
			Name: "slow_drip", Kind: fault.TotalTimeout, Also: []fault.Kind{""}, Row: "37",
			Defaults: Params{Interval: 100 * time.Millisecond, Count: 6000},
			About:    "Count chunks of one byte, Interval apart: never idle for long, never done in time",
			start:    tcp(request, send(chunkedHead), drip("1\r\nx\r\n"), send(lastChunk), fin),
		},
		{
			Name: "slow_head", Kind: fault.TotalTimeout, Also: []fault.Kind{fault.ResponseHeaderTooLarge, ""}, Row: "37",
			Defaults: Params{Interval: 100 * time.Millisecond, Count: 6000},
			About:    "Count headers, Interval apart",
			start:    tcp(request, send("HTTP/1.1 200 OK\r\n"), drip("X-Wait: 1\r\n"), send("Content-Length: 3\r\n\r\nok\n"), fin),
		},
	}
}
