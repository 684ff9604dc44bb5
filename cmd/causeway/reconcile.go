package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"causeway/internal/admin"
	"causeway/internal/fault"
)

type reconcileFlags struct {
	server, token, data, provider string
	json                          bool
}

func newReconcile() *cobra.Command {
	var f reconcileFlags
	c := &cobra.Command{
		Use:   "reconcile FILE | -",
		Short: "Compare a provider's usage CSV with the call log",
		Long: `Compares the usage that a provider's console exports with the calls that went to it, by day (UTC) and model,
and says of each difference what may be behind it. FILE is OpenAI's or Anthropic's CSV, or another one with a
day, a model, input_tokens and output_tokens; - is standard input.

The running instance is asked at --server (CAUSEWAY_SERVER, with --token or CAUSEWAY_TOKEN), else over the
socket in --data.

Exit 0 when both sides agree, 1 when they differ, 2 when they could not be compared.`,
		Example: "  causeway reconcile --provider openai completions_usage.csv\n  causeway reconcile --provider claude --json usage.csv\n  causeway reconcile --server https://console.example.com --token cw_pat_... --provider openai - < usage.csv",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errors.New("FILE is missing; for example: causeway reconcile --provider openai usage.csv (- is standard input)")
			case len(args) > 1:
				return tooMany("FILE", args)
			case f.provider == "":
				return errors.New("--provider is needed: the name of the configuration's provider that the file is of")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	c.Flags().StringVar(&f.provider, "provider", "", "provider of the configuration that the file is of")
	c.Flags().StringVar(&f.server, "server", os.Getenv("CAUSEWAY_SERVER"), "address of a running instance's console")
	c.Flags().StringVar(&f.token, "token", "", "personal access token for --server (default from CAUSEWAY_TOKEN)")
	c.Flags().StringVar(&f.data, "data", "./data", "data folder")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// notCompared is the program's last word where nothing could be compared.
func notCompared(format string, args ...any) error {
	return &exitError{2, "causeway reconcile: " + fmt.Sprintf(format, args...)}
}

func (f *reconcileFlags) run(cmd *cobra.Command, file string) error {
	bill, err := readUsage(cmd.InOrStdin(), file)
	if err != nil {
		return notCompared("%v", err)
	}
	if f.server == "" && !runs(f.data) {
		return notCompared("no instance runs on %s: start it, or name another with --data or --server", f.data)
	}
	client, base, token := reach(f.server, f.token, f.data)
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Minute)
	defer cancel()
	answer, err := f.ask(ctx, client, base, token, bill)
	if err != nil {
		return err
	}
	var r admin.Reconciliation
	if err := json.Unmarshal(answer, &r); err != nil {
		return notCompared("%s answered with no comparison: %v", base, err)
	}
	out := cmd.OutOrStdout()
	if f.json {
		_, err = out.Write(append(bytes.TrimRight(answer, "\n"), '\n'))
	} else {
		err = printReconciliation(out, &r)
	}
	switch {
	case err != nil:
		return notCompared("%v", err)
	case !r.Agrees:
		return &exitError{code: 1}
	}
	return nil
}

// readUsage reads the file, or standard input, up to what the admin API takes.
func readUsage(in io.Reader, file string) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	bill, err := io.ReadAll(io.LimitReader(in, admin.MostReconcile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", file, err)
	case len(bill) > admin.MostReconcile:
		return nil, fmt.Errorf("%s has more than %s: export a shorter time", file, fault.Size(admin.MostReconcile))
	}
	return bill, nil
}

// ask has the running instance compare.
func (f *reconcileFlags) ask(ctx context.Context, client *http.Client, base, token string, bill []byte) ([]byte, error) {
	rq, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/usage/reconcile?provider="+url.QueryEscape(f.provider), bytes.NewReader(bill))
	if err != nil {
		return nil, notCompared("--server %q is not a URL", f.server)
	}
	rq.Header.Set("Content-Type", "text/csv")
	if token != "" {
		rq.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(rq)
	if err != nil {
		return nil, notCompared("asking the running instance: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	switch {
	case err != nil:
		return nil, notCompared("asking the running instance: %v", err)
	case res.StatusCode == http.StatusOK:
		return body, nil
	}
	if err := turnedAway(res); err != nil {
		return nil, notCompared("%v", err)
	}
	var problem struct{ Detail string }
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		return nil, notCompared("%s", onOneLine(problem.Detail))
	}
	return nil, notCompared("%s answered %s", base, res.Status)
}

// printReconciliation writes the comparison for people: a line for each day and model, and below those that differ what
// may be behind it.
func printReconciliation(out io.Writer, r *admin.Reconciliation) error {
	var b bytes.Buffer
	differ := 0
	for i := range r.Rows {
		if !r.Rows[i].Agrees {
			differ++
		}
	}
	last := r.To.Add(-time.Nanosecond).Format(time.DateOnly)
	fmt.Fprintf(&b, "%s, %s to %s: ", r.Provider, r.From.Format(time.DateOnly), last)
	if r.Agrees {
		fmt.Fprintf(&b, "the provider's usage and the call log agree in all %d rows.\n", len(r.Rows))
	} else {
		fmt.Fprintf(&b, "%d of %d rows differ.\n", differ, len(r.Rows))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "%s\n", onOneLine(n))
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tDAY\tMODEL\tREQUESTS\tINPUT\tCACHED\tOUTPUT\t")
	line := func(mark, day, model string, theirs, ours *admin.ReconcileSide) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", mark, day, onOneLine(model), both(theirs.Requests, ours.Requests),
			both(theirs.Input, ours.Input), both(theirs.Cached, ours.Cached), both(theirs.Output, ours.Output))
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		mark := "="
		if !row.Agrees {
			mark = "≠"
		}
		line(mark, row.Day, row.Model, &row.Theirs, &row.Ours)
	}
	line("", "", "all", &r.Theirs, &r.Ours)
	if err := t.Flush(); err != nil {
		return err
	}
	if differ > 0 {
		b.WriteString("\nA / B: the provider counted A, the gateway B.\n")
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Agrees {
			continue
		}
		fmt.Fprintf(&b, "\n%s %s\n", row.Day, onOneLine(row.Model))
		for _, e := range row.Explanations {
			fmt.Fprintf(&b, "  - %s\n", onOneLine(e))
		}
	}
	_, err := out.Write(b.Bytes())
	return err
}

// both is one number where the two sides agree, else both of them. -1 is not said.
func both(theirs, ours int64) string {
	switch {
	case theirs == ours, theirs < 0:
		return strconv.FormatInt(ours, 10)
	}
	return strconv.FormatInt(theirs, 10) + " / " + strconv.FormatInt(ours, 10)
}

// onOneLine is a text of somebody else's without what would write elsewhere than here.
func onOneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
