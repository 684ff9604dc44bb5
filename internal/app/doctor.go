package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/doctor"
	"causeway/internal/fault"
	"causeway/internal/host"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/logs"
)

// Examine is doctor.Run with what the program knows: the dialects and prices that a configuration is put
// together with, and this host. dataDir is the data folder, whose disk is looked at where it is there.
// Set in o are the target, what is asked of it, and who is told.
func Examine(ctx context.Context, o doctor.Options, dataDir string) (*doctor.Report, error) {
	o.Compile = alone
	if info, err := os.Stat(dataDir); err != nil || !info.IsDir() {
		dataDir = os.TempDir()
	}
	sampler := host.Start(host.Options{Dir: dataDir, MemoryMax: host.MemoryLimit()})
	defer sampler.Close()
	began := time.Now()
	o.Host = func(ctx context.Context) *journey.Host { return hostSince(ctx, sampler, began) }
	return doctor.Run(ctx, o)
}

// hostSince waits for the sampler's first second to be over.
func hostSince(ctx context.Context, s *host.Sampler, began time.Time) *journey.Host {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for range 40 {
		if h := s.Facts(began); h != nil {
			return h
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// LogFiles is doctor.Options.ReadLogs for log files of other servers: what they say of the time since then.
// Times without a zone are this machine's.
func LogFiles(files []string, since time.Time) func(context.Context, string) (doctor.LogReport, error) {
	return func(ctx context.Context, _ string) (doctor.LogReport, error) {
		r, err := logs.Read(ctx, logs.Options{Files: files, Since: since})
		if err != nil && !errors.Is(err, logs.ErrNothingRead) {
			return doctor.LogReport{}, err
		}
		return logReport(r), nil
	}
}

// logReport is what log files say, as a part of an examination.
func logReport(r *logs.Report) doctor.LogReport {
	out := doctor.LogReport{Requests: r.Answers, Failures: r.Failures, Notes: r.Notes}
	for i := range r.Files {
		f := &r.Files[i]
		out.Lines += f.Lines
		switch {
		case f.Error != "":
			out.Unread = append(out.Unread, f.Error)
		case len(f.Forms) == 0 && len(f.Notes) > 0:
			out.Unread = append(out.Unread, f.Path+": "+f.Notes[0])
		default:
			out.Files++
			for _, n := range f.Notes {
				out.Notes = append(out.Notes, f.Path+": "+n)
			}
		}
	}
	for i := range r.Causes {
		c := &r.Causes[i]
		lc := doctor.LogCause{
			Kind: c.Kind, Server: c.Server, Title: c.Title, Failures: c.Failures, Lines: c.Lines, Advice: c.Advice, Upstream: c.Upstream,
			Sure: c.Confidence == "high",
		}
		if c.Last != nil {
			lc.Last = *c.Last
		}
		for _, e := range c.Chain {
			lc.Said = append(lc.Said, fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text))
		}
		out.Causes = append(out.Causes, lc)
	}
	for _, u := range r.Unexplained {
		out.Unexplained += u.Failures
	}
	return out
}

// SearchCalls is doctor.Options.Calls for the data folder of an instance that does not run. Nothing is
// opened before it is called.
func SearchCalls(dataDir string) func(context.Context, doctor.CallQuery) ([]doctor.Call, error) {
	return func(ctx context.Context, q doctor.CallQuery) ([]doctor.Call, error) {
		r, err := OpenCalls(ctx, dataDir)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return doctorCalls(ctx, r.Search, q)
	}
}

// doctorCalls searches a call log.
func doctorCalls(ctx context.Context, search func(context.Context, ledger.Query) (ledger.Page, error), q doctor.CallQuery) ([]doctor.Call, error) {
	page, err := search(ctx, ledger.Query{Service: q.Service, Model: q.Model, From: q.Since, Limit: q.Limit})
	if err != nil {
		return nil, err
	}
	var list []doctor.Call
	for i := range page.Calls {
		j := &page.Calls[i]
		if q.Authority != "" && !wentTo(j, q.Authority) {
			continue
		}
		list = append(list, doctor.Call{ID: j.ID.String(), Time: j.Start, Status: j.Status, Kind: kindOf(j), Took: j.Total})
	}
	return list, nil
}

// kindOf is what the rules say of a kept call now.
func kindOf(j *journey.Journey) fault.Kind {
	if f := diagnose.Explain(j).Finding; f != nil {
		return f.Kind
	}
	return ""
}

func wentTo(j *journey.Journey, authority string) bool {
	for i := range j.Attempts {
		if doctor.TargetAuthority(j.Attempts[i].Target) == authority {
			return true
		}
	}
	return false
}
