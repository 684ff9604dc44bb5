package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"causeway/internal/app"
	"causeway/internal/catalog"
	"causeway/internal/drill"
)

type drillFlags struct {
	config, server, token, data string
	least, junit                string
	only, faults                []string
	full, try, all, json        bool
}

func newDrill() *cobra.Command {
	var f drillFlags
	c := &cobra.Command{
		Use:   "drill",
		Short: "Grade a configuration against a bad upstream",
		Long: `Runs a sealed copy of a configuration before upstreams that fail in more than forty ways (refused, hung, reset,
cut, garbled, slow, wrong certificate, error answers ...), and grades each service and model from A to F: which
faults callers would have seen, which were absorbed by retries, failover, health checks and breakers, how long
each took, and which settings to change.

Each fault is put to one of several targets, to one connection in ten, and to all targets. Nothing is sent to the
configured addresses, and no key is used: an environment variable that is not set is replaced by a placeholder.
Limits are shortened, so that a drill takes about half a minute for each service; times are told as they would
have been. --full keeps the limits: that can take hours.

Without --config the running instance is drilled, with the configuration that it has in force: at --server
(CAUSEWAY_SERVER, with --token or CAUSEWAY_TOKEN), else over the socket in --data; where none runs, the defaults.

Exit 0 when every grade is at least --min-grade, 1 when one is below, 2 when the drill could not be run.`,
		Example: "  causeway drill --config causeway.yaml\n  causeway drill --config causeway.yaml --only service:orders --try\n" +
			"  causeway drill --config causeway.yaml --min-grade B --junit drill.xml\n  causeway drill --server http://127.0.0.1:8090 --json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "", "configuration file; default that of the running instance, else the defaults")
	fl.StringVar(&f.server, "server", os.Getenv("CAUSEWAY_SERVER"), "address of a running instance's console")
	fl.StringVar(&f.token, "token", "", "personal access token for --server (default from CAUSEWAY_TOKEN)")
	fl.StringVar(&f.data, "data", "./data", "data folder of a running instance")
	fl.StringSliceVar(&f.only, "only", nil, "services and models to drill: service:NAME, model:NAME")
	fl.StringSliceVar(&f.faults, "fault", nil, "names of the faults to put them to")
	fl.StringVar(&f.least, "min-grade", "C", "the worst grade that passes: A, B, C, D or F")
	fl.BoolVar(&f.try, "try", false, "drill again with the suggested settings, to see what they change")
	fl.BoolVar(&f.full, "full", false, "keep the limits as they are")
	fl.BoolVar(&f.all, "all", false, "list every fault, not only those that callers would have noticed")
	fl.StringVar(&f.junit, "junit", "", "also write the result as JUnit's XML to this file")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// undrilled is a reason why there was no drill: exit 2.
func undrilled(format string, args ...any) error {
	return &exitError{2, "causeway drill: " + fmt.Sprintf(format, args...)}
}

func (f *drillFlags) run(cmd *cobra.Command) error {
	f.least = strings.ToUpper(f.least)
	if len(f.least) != 1 || !strings.Contains(drill.Grades, f.least) {
		return fmt.Errorf("--min-grade %q is none of A, B, C, D and F", f.least)
	}
	for _, name := range f.faults {
		if !slices.Contains(drill.Faults(), name) {
			return fmt.Errorf("--fault %q is none of %s", name, strings.Join(drill.Faults(), ", "))
		}
	}
	out := cmd.OutOrStdout()
	p := drill.NewPrinter(out, colourful(out), f.all)
	var tell func(drill.Step)
	if !f.json && isTerminal(out) {
		tell = p.Step
	}
	r, err := f.drill(cmd, tell)
	if tell != nil {
		p.Clear()
	}
	if err != nil {
		return err
	}
	if f.junit != "" {
		if err := f.writeJUnit(r); err != nil {
			return undrilled("%v", err)
		}
	}
	if f.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil {
			return err
		}
	} else if p.Report(r); p.Err() != nil {
		return p.Err()
	}
	if drill.Below(r.Grade, f.least) {
		return &exitError{code: 1}
	}
	return nil
}

// drill drills what the flags name.
func (f *drillFlags) drill(cmd *cobra.Command, tell func(drill.Step)) (*drill.Report, error) {
	o := drill.Options{Only: f.only, Faults: f.faults, Full: f.full, Try: f.try, OnStep: tell}
	var notes []string
	switch {
	case f.config != "":
		c, missing, err := loadForDrill(f.config)
		if err != nil {
			return nil, err
		}
		o.Catalog, o.Config = c, f.config
		for _, name := range missing {
			notes = append(notes, "The environment variable "+name+" is not set: a placeholder took its place.")
		}
	default:
		r, there, err := f.remote(cmd.Context(), tell)
		if err != nil {
			return nil, err
		}
		if there {
			return r, nil
		}
		o.Config = "the defaults"
	}
	r, err := app.Drill(cmd.Context(), o)
	if err != nil {
		return nil, undrilled("%v", err)
	}
	r.Notes = append(notes, r.Notes...)
	return r, nil
}

// loadForDrill reads a configuration; environment variables that are not set get placeholders and are named.
func loadForDrill(path string) (*catalog.Catalog, []string, error) {
	var missing []string
	c, faults, err := catalog.Load(path, func(name string) (string, bool) {
		if v, ok := os.LookupEnv(name); ok {
			return v, true
		}
		if !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return "drill-placeholder-" + strings.ToLower(name), true
	})
	if err != nil {
		return nil, nil, undrilled("%v", err)
	}
	if len(faults) > 0 {
		return nil, nil, undrilled("%s is not valid:\n%s", path, faults.String())
	}
	return c, missing, nil
}

func (f *drillFlags) writeJUnit(r *drill.Report) (err error) {
	file, err := os.Create(f.junit)
	if err != nil {
		return fmt.Errorf("writing --junit: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return drill.JUnit(file, r, f.least)
}

// drillEvent is one line of POST /api/v1/drill.
type drillEvent struct {
	Step *drill.Step   `json:"step"`
	End  *drill.Report `json:"end"`
	// Error is why the drill ended without a report.
	Error string `json:"error"`
}

// readDrill reads a stream of events to its end.
func readDrill(body io.Reader, tell func(drill.Step)) (*drill.Report, error) {
	for dec := json.NewDecoder(body); ; {
		var e drillEvent
		switch err := dec.Decode(&e); {
		case errors.Is(err, io.EOF):
			return nil, errors.New("the answer broke off before the drill was over")
		case err != nil:
			return nil, fmt.Errorf("reading the answer: %w", err)
		case e.Error != "":
			return nil, errors.New(e.Error)
		case e.End != nil:
			return e.End, nil
		case e.Step != nil && tell != nil:
			tell(*e.Step)
		}
	}
}
