package diagnose

import (
	"fmt"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// child is what is known of the upstream's process where it has to do with the failure, else nil: it has ended
// and none runs, or it ended while the call ran, or what it wrote meanwhile says why.
func (c *judgement) child() *journey.Child {
	p := c.in.Child
	if p == nil || c.entry.At != fault.AtUpstream && c.entry.At != fault.AtUpstreamLink && !symptom(c.kind) {
		return nil
	}
	return p
}

// symptom tells whether a kind of the gateway's own stands for upstreams that fail.
func symptom(k fault.Kind) bool { return k == fault.NoHealthyTarget || k == fault.BreakerOpen }

// died tells whether the end of the upstream's process lies behind the failure.
func (c *judgement) died() *journey.Child {
	p := c.child()
	if p == nil || !p.Ended || c.in.Passed {
		return nil
	}
	return p
}

// byChild sets the cause by how the upstream's process has ended, and tells whether it could.
func (c *judgement) byChild(f *fault.Finding) bool {
	p := c.died()
	if p == nil {
		return false
	}
	f.Cause, f.Confidence = fault.Software, "high"
	if p.OutOfMemory != "" {
		f.Cause = fault.Overload
	}
	if p.Signal == "SIGKILL" && p.OutOfMemory == "" && p.MemoryCounted {
		f.RuledOut = append(f.RuledOut, "want of memory: the OOM killer's counter of the process's control group has not risen")
	}
	if c.about != nil && c.about.End == journey.EndErrno && c.kind == fault.ConnectionRefused {
		f.RuledOut = append(f.RuledOut, "a wrong address or a firewall: the process that listened there has ended")
	}
	return true
}

// childSentence is what the end of the upstream's process adds to the detail.
func (c *judgement) childSentence(full bool) string {
	p := c.died()
	switch {
	case p == nil:
		return ""
	case !full:
		return "the upstream process had ended"
	}
	s := "the upstream process " + endOf(p)
	if p.Crashes >= loopTimes {
		s += fmt.Sprintf(", for the %s time in %s", ordinal(p.Crashes), fault.Span(p.CrashSpan))
	}
	return s
}

// crashLoop says that the upstream's process ends in a wrong way again and again; "" where it does not.
func crashLoop(p *journey.Child) string {
	if p.Crashes < loopTimes {
		return ""
	}
	every := p.CrashSpan / time.Duration(p.Crashes-1)
	return fmt.Sprintf("a crash loop: the process has ended like this %d times in %s, about every %s", p.Crashes, fault.Span(p.CrashSpan), fault.Span(every))
}

// ordinal is "4th".
func ordinal(n int) string {
	end := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, end)
}

// endOf is "died 12 ms before: signal SIGKILL (out of memory)".
func endOf(p *journey.Child) string {
	when := fault.Span(p.Ago) + " before"
	if p.Ago <= 0 {
		when = "at that moment"
	}
	switch {
	case p.Signal != "" && p.OutOfMemory != "":
		return "died " + when + ": signal " + p.Signal + " (out of memory)"
	case p.Signal != "":
		return "died " + when + ": signal " + p.Signal
	default:
		return fmt.Sprintf("exited %s: code %d", when, p.Code)
	}
}

// childLines are the evidence that the upstream's process gives.
func (c *judgement) childLines() []string {
	p := c.child()
	if p == nil {
		return nil
	}
	var lines []string
	said := "the upstream's standard error while the call ran: "
	switch {
	case p.Ended && !c.in.Passed:
		line := fmt.Sprintf("the upstream process (%s, pid %d) %s, after it had run for %s", p.Name, p.PID, endOf(p), fault.Span(p.Ran))
		if p.Running {
			line += "; it was started again since"
		}
		lines = append(lines, line)
		if l := crashLoop(p); l != "" {
			lines = append(lines, l)
		}
		said = "its last words on standard error: "
	case p.Running && !c.in.Passed:
		lines = append(lines, fmt.Sprintf("the upstream process (%s, pid %d) runs", p.Name, p.PID))
	}
	if p.OutOfMemory != "" {
		line := "out of memory: " + p.OutOfMemory
		if p.MemoryMax > 0 {
			line += "; its control group may have " + mebibytes(p.MemoryMax)
		}
		lines = append(lines, line)
	}
	if t := p.Trace; t != nil {
		line := t.Language + " traceback"
		if t.Where != "" {
			line += " (" + t.Where + ")"
		}
		lines = append(lines, line+": "+t.Error)
		for _, l := range t.Lines {
			lines = append(lines, "| "+clip(l, quoteLimit))
		}
		return lines
	}
	for i, l := range p.Last {
		if i == 0 {
			lines = append(lines, said+clip(l, quoteLimit))
			continue
		}
		lines = append(lines, "| "+clip(l, quoteLimit))
	}
	return lines
}

// childAdvice is what is to be done about the upstream's process.
func (c *judgement) childAdvice() []string {
	p := c.child()
	if p == nil {
		return nil
	}
	var advice []string
	if t := p.Trace; t != nil {
		line := "Fix what the traceback names: " + strings.TrimSuffix(t.Error, ".")
		if t.Where != "" {
			line += ", at " + t.Where
		}
		advice = append(advice, line+".")
	}
	if p.OutOfMemory != "" {
		line := "Give the upstream more memory, or have it use less (fewer workers, smaller caches)"
		if p.MemoryMax > 0 {
			line += "; its control group allows " + mebibytes(p.MemoryMax)
		}
		advice = append(advice, line+".")
	}
	if p.Ended && p.Crashes >= loopTimes && !c.in.Passed {
		advice = append(advice, "It crashes each time that it is started: find out why from its last words on standard error. Starting it again does not help.")
	} else if p.Ended && !p.Running && !c.in.Passed {
		advice = append(advice, "Start the upstream again. causeway run --restart on-failure -- COMMAND does it by itself.")
	}
	return advice
}
