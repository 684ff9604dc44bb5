package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"causeway/internal/admin"
	"causeway/internal/app"
	"causeway/internal/fault"
	"causeway/internal/journey"
)

type incidentsFlags struct {
	server, token, data         string
	state, service, kind, since string
	limit                       int
	all, json, stopped          bool
}

func newIncidents() *cobra.Command {
	f := incidentsFlags{}
	c := &cobra.Command{
		Use:   "incidents [ID]",
		Short: "List what is wrong now, or tell one incident",
		Long: `Lists the open incidents of a running instance: failures of many calls, folded into one for each thing that is
wrong. With an ID it tells that one in full: since when, whom it hits, why, what had changed, and what to do.

The running instance is asked at --server (CAUSEWAY_SERVER, with --token or CAUSEWAY_TOKEN), else over the socket
in --data; where none runs, the data folder is read: that is how things stood when it ended.

Exit 0: nothing is open; 1: something is, or no incident has the ID; 2: it could not be asked.`,
		Example: "  causeway incidents\n  causeway incidents --all --since 24h --service orders\n  causeway incidents 01KAPZQ4M8X3V7N2T5R9W6YB1C\n  causeway incidents --json",
		Args:    optionalArgument("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
			defer cancel()
			if len(args) == 1 {
				id, ok := journey.ParseID(strings.TrimSpace(args[0]))
				if !ok {
					return fmt.Errorf("%q is not an incident's id: 26 letters and digits", args[0])
				}
				return f.one(ctx, cmd.OutOrStdout(), id.String())
			}
			return f.list(ctx, cmd.OutOrStdout())
		},
	}
	c.Flags().StringVar(&f.server, "server", os.Getenv("CAUSEWAY_SERVER"), "address of a running instance's console")
	c.Flags().StringVar(&f.token, "token", "", "personal access token for --server (default from CAUSEWAY_TOKEN)")
	c.Flags().StringVar(&f.data, "data", "./data", "data folder")
	c.Flags().BoolVar(&f.all, "all", false, "also those that are over")
	c.Flags().StringVar(&f.state, "state", "", "those in this state: open, quiet, recovered, folded (default open)")
	c.Flags().StringVar(&f.service, "service", "", "those that have hit this service or model")
	c.Flags().StringVar(&f.kind, "kind", "", "those of this failure kind")
	c.Flags().StringVar(&f.since, "since", "", "those last seen since then: a time, or so long ago (15m, 24h, 7d)")
	c.Flags().IntVar(&f.limit, "limit", 50, "the most to list")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// unasked is why the running instance could not be asked.
func unasked(format string, args ...any) error {
	return &exitError{2, "causeway incidents: " + fmt.Sprintf(format, args...)}
}

// get asks the running instance for the list, or with an id for that incident. Where none runs the data folder is read.
func (f *incidentsFlags) get(ctx context.Context, id string, query url.Values) ([]byte, error) {
	if f.server == "" && !runs(f.data) {
		return f.read(ctx, id, query)
	}
	path := "/api/v1/incidents"
	if id != "" {
		path += "/" + id
	} else if len(query) > 0 {
		path += "?" + query.Encode()
	}
	client, base, token := reach(f.server, f.token, f.data)
	defer client.CloseIdleConnections()
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return nil, unasked("--server %q is not a URL", f.server)
	}
	rq.Header.Set("Accept", "application/json")
	if token != "" {
		rq.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(rq)
	if err != nil && f.server == "" {
		return f.read(ctx, id, query) // a killed instance has left its socket
	}
	if err != nil {
		return nil, unasked("asking the running instance: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	switch {
	case err != nil:
		return nil, unasked("asking the running instance: %v", err)
	case res.StatusCode == http.StatusOK:
		return body, nil
	}
	if err := turnedAway(res); err != nil {
		return nil, unasked("%v", err)
	}
	if res.StatusCode == http.StatusNotFound && id != "" {
		return nil, notAnIncident(id)
	}
	var problem admin.Problem
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		text := problem.Detail
		for _, e := range problem.Errors {
			text += " " + e.Pointer + " " + e.Detail + "."
		}
		return nil, unasked("%s", text)
	}
	return nil, unasked("the running instance answered %s", res.Status)
}

// read is get from the data folder of a stopped instance.
func (f *incidentsFlags) read(ctx context.Context, id string, query url.Values) ([]byte, error) {
	kept, err := app.OpenIncidents(ctx, f.data)
	if err != nil {
		return nil, unasked("no instance runs on the data folder %s, and it can't be read: %v (--data, --server)", f.data, err)
	}
	defer kept.Close()
	f.stopped = true
	var v any
	if id != "" {
		if _, found, err := kept.Get(ctx, id); err == nil && !found {
			return nil, notAnIncident(id)
		}
		v, err = admin.ReadIncident(ctx, kept, id)
	} else {
		v, err = admin.ReadIncidents(ctx, kept, query)
	}
	if err != nil {
		return nil, unasked("%v", err)
	}
	b, err := json.Marshal(v)
	return append(b, '\n'), err
}

func notAnIncident(id string) error {
	return &exitError{1, "causeway incidents: no incident " + id + " is kept (not here, or not any more)"}
}

// standing says that an instance does not run, for those who read and do not parse.
func (f *incidentsFlags) standing(out io.Writer) {
	if f.stopped && !f.json {
		fmt.Fprintf(out, "No instance runs on %s: this is how things stood when it ended.\n\n", f.data)
	}
}

func (f *incidentsFlags) list(ctx context.Context, out io.Writer) error {
	q := url.Values{"limit": {strconv.Itoa(f.limit)}}
	if f.state == "" && !f.all {
		f.state = "open"
	}
	for name, value := range map[string]string{"state": f.state, "service": f.service, "kind": f.kind, "since": f.since} {
		if value != "" {
			q.Set(name, value)
		}
	}
	body, err := f.get(ctx, "", q)
	if err != nil {
		return err
	}
	var list admin.IncidentList
	if err := json.Unmarshal(body, &list); err != nil {
		return unasked("reading the answer: %v", err)
	}
	f.standing(out)
	if f.json {
		_, err = out.Write(body)
	} else {
		err = writeIncidents(out, &list, f.none())
	}
	if err != nil {
		return err
	}
	for i := range list.Incidents {
		if list.Incidents[i].State == "open" {
			return &exitError{code: 1}
		}
	}
	return nil
}

// writeIncidents writes a table, or the sentence none where there is nothing to list.
func writeIncidents(out io.Writer, list *admin.IncidentList, none string) error {
	if len(list.Incidents) == 0 {
		_, err := fmt.Fprintln(out, none)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tSINCE\tFOR\tCALLS\tSAVED\tCALLERS\tKIND\tWHERE")
	for i := range list.Incidents {
		v := &list.Incidents[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", v.ID, v.State, v.Onset, fault.Span(time.Duration(v.DurationMS*float64(time.Millisecond))),
			v.Calls, v.Absorbed, v.CallerCount, v.Kind, place(v))
	}
	if list.NextCursor != "" {
		fmt.Fprintln(w, "...\tmore with --limit")
	}
	return w.Flush()
}

// none is what is told when nothing fits what was asked for.
func (f *incidentsFlags) none() string {
	switch {
	case f.service != "" || f.kind != "" || f.since != "":
		return "no incident fits what was asked for"
	case f.state == "open":
		return "no incident is open (--all lists those that are over)"
	}
	return "no incidents"
}

// place is where an incident is.
func place(v *admin.Incident) string {
	parts := make([]string, 0, 3)
	for _, s := range []string{v.Caller, strings.Join(v.Services, ","), v.Provider, v.Target} {
		if s != "" {
			parts = append(parts, printable(s))
		}
	}
	return strings.Join(parts, " ")
}

// printable keeps what callers have invented from moving a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

func (f *incidentsFlags) one(ctx context.Context, out io.Writer, id string) error {
	body, err := f.get(ctx, id, nil)
	if err != nil {
		return err
	}
	var v admin.Incident
	if err := json.Unmarshal(body, &v); err != nil {
		return unasked("reading the answer: %v", err)
	}
	if f.json {
		_, err = out.Write(body)
		return err
	}
	f.standing(out)
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, %s)\n\n%s\n", printable(v.Title), v.State, v.Kind, printable(v.Sentence))
	section := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n%s\n", title)
			for _, l := range lines {
				fmt.Fprintf(&b, "  - %s\n", printable(l))
			}
		}
	}
	if len(v.Timeline) > 0 {
		fmt.Fprint(&b, "\nTimeline\n")
		for _, m := range v.Timeline {
			fmt.Fprintf(&b, "  %s  %s\n", m.Time, printable(m.Text))
		}
	}
	section("Evidence", v.Evidence)
	section("Ruled out", v.RuledOut)
	section("What to do", v.Advice)
	fmt.Fprintf(&b, "\nThe check that would settle it\n  %s\n", printable(v.Check))
	section("Calls", v.Samples)
	_, err = io.WriteString(out, b.String())
	return err
}
