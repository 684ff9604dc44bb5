package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"causeway/internal/admin"
)

// tell prints what came of sending a call again, writes the script, and chooses the exit code.
func (f *reproFlags) tell(cmd *cobra.Command, r *admin.Repro) error {
	out := cmd.OutOrStdout()
	if f.out != "" && r.Script != "" {
		if err := os.WriteFile(f.out, []byte(r.Script), 0o700); err != nil {
			return &exitError{2, "causeway repro: writing the script: " + err.Error()}
		}
	}
	if f.json {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		f.text(out, r)
	}
	for _, a := range []*admin.ReproAnswer{r.Direct, r.Gateway} {
		if a != nil && (a.Kind != "" || a.Status == 0 || a.Status >= 500) {
			return &exitError{1, ""}
		}
	}
	return nil
}

func (f *reproFlags) text(out io.Writer, r *admin.Repro) {
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	what := r.Service
	if r.Model != "" {
		what = "the model " + r.Model
	}
	line("%s %s of %s, sent again", r.Method, r.Path, what)
	line("%s", r.Meaning)
	line("\n  %-12s %-28s %9s %11s %9s", "", "answer", "took", "first byte", "bytes")
	row := func(name string, a *admin.ReproAnswer) {
		if a == nil {
			return
		}
		answer := fmt.Sprint(a.Status)
		if a.Status == 0 {
			answer = "none"
		}
		if a.Kind != "" {
			answer += " " + a.Kind
		}
		line("  %-12s %-28s %6.1f ms %8.1f ms %9d", name, answer, a.MS, a.FirstByteMS, a.Bytes)
		if a.Phases != "" {
			line("               %s", a.Phases)
		}
		if a.Detail != "" {
			line("               %s", a.Detail)
		}
	}
	row("then", &r.Kept)
	row("directly", r.Direct)
	row("gateway", r.Gateway)
	list := func(heading string, items []string) {
		if len(items) > 0 {
			line("\n%s", heading)
		}
		for _, s := range items {
			line("  - %s", s)
		}
	}
	list("Differences between directly and through the gateway", r.Differences)
	list("What to do", r.Advice)
	list("Notes", r.Notes)
	switch {
	case r.Script == "":
	case f.out != "":
		line("\nThe script for the upstream's owner is in %s.", f.out)
	default:
		line("\nFor the upstream's owner (--script FILE writes it):\n\n%s", r.Script)
	}
}
