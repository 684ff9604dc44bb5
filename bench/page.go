package main

import (
	"bytes"
	"fmt"
	"strings"

	"causeway/bench/load"
	"causeway/bench/rig"
	"causeway/bench/stats"
)

// page is docs/benchmarks.md.
func (r *report) page(descriptors uint64) ([]byte, error) {
	configurations, err := rig.Configurations(descriptors)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `%s`, never by hand. Figures of another machine differ; their ratios much less.\n\n", r.Command)
	r.pageBars(&b)
	r.pageMethod(&b)
	for _, section := range []struct {
		title string
		kind  kind
		text  string
	}{
		{"CPU per request, closed loop", closedLoop, "As many calls as the connections allow. The latencies include the queue before a busy core; what a proxy adds is told where there is no queue (one connection) and below at a fixed rate."},
		{"CPU per event, SSE", paced, fmt.Sprintf("Streams of %d events of 250 bytes, one every %v on each stream, written one by one. The times are from the upstream's write of an event to the caller's read.", streamEvents, streamPace)},
		{"CPU per event, SSE at full speed", fullSpeed, fmt.Sprintf("The same streams, each event written as soon as the one before it, as many as the proxy's core can pass on. The times are of whole streams of %d events.", streamEvents)},
		{"Latency at a fixed rate", fixedRate, fmt.Sprintf("An open loop at %.0f %% of what the slowest proxy can do, so that the proxy's own time shows and not its queue. A call's latency counts from the moment it was due.", 100*rateShare)},
		{"Time to the first token", firstToken, fmt.Sprintf("%d streams a second, each of %d events; from the call to the first event with text, which the upstream writes %v after it has read the call.", firstRate, firstEvents, streamPace)},
	} {
		r.pageRows(&b, section.title, section.kind, section.text)
	}
	r.pageMemory(&b)
	r.pageMachine(&b)
	fmt.Fprintf(&b, "## Configurations\n\nDIR, PORT, MOCK and KEY differ from run to run. HAProxy writes no log; nginx and Causeway write theirs to files. nginx's buffers are sized for the 64 KB answers, which cost it twice the CPU with its defaults.\n")
	for _, c := range []struct{ name, language string }{{rig.Nginx, "nginx"}, {rig.HAProxy, "haproxy"}, {rig.Causeway, "yaml"}} {
		fmt.Fprintf(&b, "\n### %s\n\n```%s\n%s```\n", c.name, c.language, configurations[c.name])
	}
	return b.Bytes(), nil
}

func (r *report) pageBars(b *bytes.Buffer) {
	if len(r.Bars) == 0 {
		return
	}
	fmt.Fprintf(b, "## Bars\n\n| %s | at most | found [95 %% interval] | |\n| --- | --- | --- | --- |\n", r.Subject)
	for _, x := range r.Bars {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", x.Name, x.Limit, x.Found, x.verdict())
	}
	b.WriteString("\nA bar is met when the upper end of the interval is inside.\n\n")
}

func (r *report) pageMethod(b *bytes.Buffer) {
	fmt.Fprintf(b, `## How it is measured

- Everything runs on one machine over loopback: every proxy on one core, the load and the mock upstream on another, each of them one thread.
- All proxies do the same work: one worker, keep-alive on both sides, the same calls with the same headers. nginx writes its access log. Causeway checks the caller's key and a rate limit, counts for its metrics and keeps every call in its log; chat goes through a model alias, whose name is rewritten.
- **Translated** rows are calls in OpenAI's dialect of a model whose provider speaks Anthropic's: Causeway translates request and answer, every event of a stream included; nginx and HAProxy pass the same call on to the mock's OpenAI side.
- A row is %d rounds; in a round every proxy runs once, and each round begins with another one. A run at %d connections takes %v, others half. Proxies are started anew for every row.
- **CPU** is the user and system time of the proxy's process (nginx: its worker), as in /proc/PID/stat but in nanoseconds, divided by the calls or events of the same time. It goes on counting after the last answer until the process is quiet, so that work put off (a log written in batches, garbage collection) is in it.
- **x nginx** is the median over the rounds of the ratio to nginx in the same round, with the interval of order statistics that holds the true median with at least 95 %%.
- **Added** times are differences to the same load straight at the mock in the same round, their median.
- A run in which something else on the machine took more than 5 %% of the load's core or 10 %% of the proxies' is made again, at most %d times; the figures themselves play no part in that.
- **TLS** is TLS 1.3 with X25519, AES-128-GCM and an ECDSA P-256 certificate for all; the key exchange of Causeway's own preference, X25519MLKEM768, costs both sides more. The rows with a handshake make one call of REST 1 KB on each new connection, so that a core's handshakes in a second are a million divided by their CPU us. Their load is a goroutine for each connection, and CPU is counted in the window of the run alone.
- Every answer's status and length is checked, and every stream's last event. Rows with bad answers say so.
- Peak memory is the most resident memory (VmHWM) of the process over the row.

`, r.Plan.Pairs, barConns, r.Plan.Run, mostRepeats)
}

func (r *report) pageRows(b *bytes.Buffer, title string, k kind, text string) {
	first := true
	for _, row := range r.Rows {
		if row.Kind != k {
			continue
		}
		if first {
			fmt.Fprintf(b, "## %s\n\n%s\n\n", title, text)
			b.WriteString("| | connections | proxy | CPU us | x nginx [95 %] | per second | p50 us | p99 us | added p50 us | added p99 us | peak MiB |\n" +
				"| --- | --: | --- | --: | --- | --: | --: | --: | --: | --: | --: |\n")
			first = false
		}
		for _, t := range row.Targets {
			b.WriteString(row.line(t))
		}
	}
	if !first {
		b.WriteByte('\n')
	}
}

func (r *rowResult) line(t *targetResult) string {
	cpu, peak := "", ""
	if t.Name != rig.Direct {
		cpu, peak = fmt.Sprintf("%.2f", t.CPU.Median), fmt.Sprintf("%.1f", mebibytes(t.PeakMemory))
	}
	ratio := ""
	if t.ToNginx != nil {
		ratio = fmt.Sprintf("%.2f [%.2f-%.2f]", t.ToNginx.Median, t.ToNginx.Low, t.ToNginx.High)
	}
	median := func(e *stats.Estimate) string {
		if e == nil {
			return ""
		}
		return fmt.Sprintf("%.0f", e.Median)
	}
	name := t.Name
	if t.Bad > 0 {
		name += fmt.Sprintf(" (**%d bad answers**)", t.Bad)
	}
	if t.Noisy != "" {
		name += " (**" + t.Noisy + "**)"
	}
	return fmt.Sprintf("| %s | %d | %s | %s | %s | %.0f | %.0f | %.0f | %s | %s | %s |\n",
		title(r.Mode), r.Conns, name, cpu, ratio, t.PerSecond, t.P50, t.P99, median(t.AddedP50), median(t.AddedP99), peak)
}

func title(mode load.Mode) string {
	switch mode {
	case load.REST1K:
		return "REST 1 KB"
	case load.REST64K:
		return "REST 64 KB"
	case load.Chat:
		return "chat"
	case load.SSE:
		return "SSE"
	case load.Crossed:
		return "chat, translated"
	case load.CrossedSSE:
		return "SSE, translated"
	case load.TLS:
		return "TLS, REST 1 KB"
	case load.Handshake:
		return "TLS, a full handshake for each"
	case load.Resumed:
		return "TLS, a resumed handshake for each"
	}
	return string(mode)
}

func (r *report) pageMemory(b *bytes.Buffer) {
	if len(r.Memory) > 0 {
		fmt.Fprintf(b, "## Memory\n\nResident, %v after the start, and %v after %d connections had each made one call and stayed open.\n\n", memorySettle, memorySettle, r.Plan.Idle)
		b.WriteString("| proxy | idle MiB | with idle connections MiB | peak MiB |\n| --- | --: | --: | --: |\n")
		for _, m := range r.Memory {
			name := m.Name
			if m.Closed > 0 {
				name += fmt.Sprintf(" (**closed %d of them**)", m.Closed)
			}
			fmt.Fprintf(b, "| %s | %.1f | %.1f | %.1f |\n", name, mebibytes(m.Idle), mebibytes(m.Held), mebibytes(m.HeldPeak))
		}
		b.WriteByte('\n')
	}
	if len(r.Streams) > 0 {
		fmt.Fprintf(b, "## Many streams\n\nOne event every %v on each stream. The memory of each is what %d streams took more than %d did, the medians over the run, divided by the difference.\n\n", manyPace, manyStreams, barConns)
		b.WriteString("| | streams | events per second | delay p50 us | p99 us | most us | KiB each | bad |\n| --- | --: | --: | --: | --: | --: | --: | --: |\n")
		for i := range r.Streams {
			s := &r.Streams[i]
			fmt.Fprintf(b, "| %s | %d | %.0f | %.0f | %.0f | %.0f | %.1f | %d |\n", title(s.Mode), s.Many, float64(s.Run.Events)/s.Run.Elapsed.Seconds(),
				micros(s.Run.EventDelay.P50), micros(s.Run.EventDelay.P99), micros(s.Run.EventDelay.Max), float64(s.each())/1024, s.Run.Bad())
		}
		b.WriteByte('\n')
	}
	if t := r.Truncated; t != nil {
		fmt.Fprintf(b, "## Truncated streams\n\n%d streams of %d events through %s over %d connections, as fast as it can: %.0f %% of its core for %.1f s, %d whole, %d truncated, %d otherwise bad.\n\n",
			t.Run.Answers+t.Run.Bad(), truncatedEvents, t.Name, truncatedConns, 100*t.busy(), t.Run.Elapsed.Seconds(), t.Run.Answers, t.Run.Truncated, t.Run.Bad()-t.Run.Truncated)
	}
}

func (r *report) pageMachine(b *bytes.Buffer) {
	f := r.Facts
	cores := fmt.Sprintf("%d cores", f.Cores)
	if f.Siblings {
		cores += ", of which the two used are threads of one"
	}
	fmt.Fprintf(b, "## Machine\n\n%s, %s, %s of memory, %s, kernel %s, load average %.2f before the run. Built with %s.\n\n",
		f.CPU, cores, f.Memory, f.System, f.Kernel, f.LoadAverage, f.Go)
	for _, name := range []string{rig.Nginx, rig.HAProxy, rig.Causeway} {
		if v := f.Versions[name]; v != "" {
			fmt.Fprintf(b, "- %s: %s\n", name, strings.TrimSpace(v))
		}
	}
	b.WriteByte('\n')
}
