package doctor

import (
	"fmt"
	"slices"

	"causeway/internal/fault"
)

// verdict is what all steps together say: the first fault of the lowest layer, what lies behind it, what
// was ruled out by what went well, and the fix.
func (d *doctor) verdict(s *subject) Verdict {
	v := Verdict{Healthy: true}
	main := d.gravest()
	for i := range d.steps {
		st := &d.steps[i]
		if st == main || st.Result != Warning && st.Result != Faulty || st.Part == Configuration && st.Name == "file" {
			continue
		}
		line := st.Text
		if st.Target != "" && len(s.places) > 1 && st.Part == Status {
			line = st.Target + ": " + line
		}
		if len(st.Advice) > 0 {
			line += ". " + st.Advice[0]
		}
		if !slices.Contains(v.Warnings, line) {
			v.Warnings = append(v.Warnings, line)
		}
	}
	if main == nil {
		v.Title = "Nothing is wrong with this target"
		v.Detail = d.health(s)
		v.RuledOut = d.ruledOut("")
		if d.looked() == 0 {
			v.Healthy, v.Title, v.Detail = false, "Nothing could be looked at", "No step of the examination came to a result in its time (--timeout)."
		}
		return v
	}
	v.Healthy, v.Kind, v.Target, v.Detail, v.Evidence = false, main.Kind, main.Target, main.Text, slices.Clone(main.Lines)
	v.Title = "A fault was found in the " + string(main.Part) + " part: " + main.Name
	v.Cause, v.Confidence, v.Advice = fault.Configuration, "high", main.Advice
	if main.Part == Status && main.Kind == "" {
		v.Confidence = "likely"
	}
	if e := fault.Lookup(main.Kind); e != nil {
		v.Title, v.Cause = e.Title, e.Cause
		if main.Kind == fault.IncompatibleResponse && s.model == "" { // the catalogue's words are about a provider's API
			v.Title = "The answer is not what it says it is"
		}
		if len(v.Advice) == 0 {
			v.Advice = e.OperatorAdvice
		}
	}
	if f := main.finding; f != nil {
		v.Cause, v.Confidence, v.Retry = f.Cause, f.Confidence, f.Retry
		v.Evidence = append(slices.Clone(f.Evidence), v.Evidence...)
		v.RuledOut = slices.Clone(f.RuledOut)
		if len(f.Advice) > 0 && len(main.Advice) == 0 {
			v.Advice = f.Advice
		}
	}
	v.RuledOut = append(v.RuledOut, d.ruledOut(main.Target)...)
	d.behind(&v, main)
	if well, ill := d.outcomes(s); ill > 0 && well > 0 {
		v.Evidence = append(v.Evidence, fmt.Sprintf("%d of %d targets are ill", ill, well+ill))
	}
	return v
}

// gravest is the step that the verdict is about: of the status part the first, else what the file says;
// nil when there is no fault.
func (d *doctor) gravest() *Step {
	for _, part := range []Part{Status, Configuration, Performance, Logs} {
		for i := range d.steps {
			if s := &d.steps[i]; s.Part == part && s.Result == Faulty {
				return s
			}
		}
	}
	return nil
}

// behind adds what the other parts say of the cause: a host that is short of something, a remark of the
// configuration about the same address.
func (d *doctor) behind(v *Verdict, main *Step) {
	e := fault.Lookup(main.Kind)
	for i := range d.steps {
		s := &d.steps[i]
		switch {
		case s == main || s.Result != Warning && s.Result != Faulty:
		case s.Part == Performance && e != nil && slices.Contains(e.DependsOn, s.Kind):
			v.Evidence = append(v.Evidence, "this host: "+s.Text)
			v.Cause = fault.Gateway
			v.Advice = append(slices.Clone(s.Advice), v.Advice...)
		case s.Part == Performance && s.Kind == "":
			v.Evidence = append(v.Evidence, "the upstream's host: "+s.Text)
		case s.Part == Logs && s.Name == "log files" && s.Kind != "":
			// What a crash or the kernel's kill says of itself lies deeper than what the network shows.
			v.Evidence = append(v.Evidence, "the log files: "+s.Text)
			if deeper(s.Kind, main.Kind) {
				v.Advice = append(slices.Clone(s.Advice), v.Advice...)
			}
		case s.Part == Logs && s.Kind == main.Kind:
			v.Evidence = append(v.Evidence, "the call log: "+s.Text)
		case s.Name == "address" && e != nil && e.At == fault.AtUpstreamLink:
			v.Evidence = append(v.Evidence, s.Text)
			v.Advice = append(slices.Clone(s.Advice), v.Advice...)
		}
	}
}

// deeper says whether what a log tells can be what lies behind the fault that was met.
func deeper(told, met fault.Kind) bool {
	e := fault.Lookup(met)
	return told == met || e != nil && (slices.Contains(e.DependsOn, told) || e.At == fault.AtUpstreamLink)
}

// ruledOut lists what went well, for one target or ("") all of them.
func (d *doctor) ruledOut(target string) (list []string) {
	words := map[string]string{
		"dns": "DNS", "tcp": "the network path and the listener", "tls": "TLS and the certificate", "get": "HTTP", "shape": "the body",
		"key": "the key", "model": "the model's name", "health check": "the health check's path", "this host": "this host's resources",
		"through the gateway": "the gateway", "file": "the configuration", "keep-alive": "kept-alive connections",
	}
	for i := range d.steps {
		s := &d.steps[i]
		w := words[s.Name]
		if s.Result != OK || w == "" || target != "" && s.Target != "" && s.Target != target {
			continue
		}
		if line := w + ": " + s.Text; !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	return list
}

// looked counts the steps that came to a result.
func (d *doctor) looked() (n int) {
	for i := range d.steps {
		if d.steps[i].Part == Status && d.steps[i].Result != Skipped {
			n++
		}
	}
	return n
}

// health is a healthy target in one sentence.
func (d *doctor) health(s *subject) string {
	var status string
	for _, p := range s.places {
		if l := d.direct[p.shown]; l != nil && l.get != nil && l.get.status != 0 {
			status = fmt.Sprintf(" It answers %d in %s", l.get.status, fault.Span(l.get.took))
			if l.address != "" {
				status += " at " + l.address
			}
			status += "."
			break
		}
	}
	text := s.name + " is well."
	if n := len(s.places); n > 1 {
		text = fmt.Sprintf("%s is well: all %d targets answer.", s.name, n)
	}
	return text + status
}
