package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"causeway/internal/admin"
	"causeway/internal/app"
	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/ledger"
)

type explainFlags struct {
	server, token, data string
	json                bool
}

func newExplain() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain ID",
		Short: "Explain one call",
		Long: `Explains one call: what happened, how that is known, what was ruled out and what to do. ID is the value of
the header Causeway-Call-Id, or call_id in the error's body.

The running instance is asked at --server (CAUSEWAY_SERVER, with --token or CAUSEWAY_TOKEN), else over the
socket in --data; where none runs, the data folder is read.`,
		Example: "  causeway explain 01KAPZQ4M8X3V7N2T5R9W6YB1C\n  causeway explain --json 01KAPZQ4M8X3V7N2T5R9W6YB1C\n  causeway explain --server https://console.example.com --token cw_pat_... 01KAPZQ4M8X3V7N2T5R9W6YB1C",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, ok := journey.ParseID(strings.TrimSpace(args[0]))
			if !ok {
				return fmt.Errorf("%q is not a call's id: 26 letters and digits, as in the header Causeway-Call-Id", args[0])
			}
			return f.run(cmd, id)
		},
	}
	c.Flags().StringVar(&f.server, "server", os.Getenv("CAUSEWAY_SERVER"), "address of a running instance's console")
	c.Flags().StringVar(&f.token, "token", "", "personal access token for --server (default from CAUSEWAY_TOKEN)")
	c.Flags().StringVar(&f.data, "data", "./data", "data folder")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (f *explainFlags) run(cmd *cobra.Command, id journey.ID) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
	defer cancel()
	out := cmd.OutOrStdout()
	if f.server != "" {
		if f.token == "" {
			f.token = os.Getenv("CAUSEWAY_TOKEN")
		}
		return askFailed(f.ask(ctx, out, http.DefaultClient, strings.TrimRight(f.server, "/"), id))
	}
	socket := app.SocketPath(f.data)
	if _, err := os.Stat(socket); err == nil {
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}}}
		err := f.ask(ctx, out, client, "http://localhost", id)
		var down *net.OpError
		if err == nil || !errors.As(err, &down) || down.Op != "dial" {
			return askFailed(err)
		}
	}
	return f.read(ctx, out, id)
}

// askFailed makes an error of asking the program's last word; nil stays nil.
func askFailed(err error) error {
	var exit *exitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return &exitError{2, "causeway explain: " + err.Error()}
}

// ask gets the explanation from a running instance.
func (f *explainFlags) ask(ctx context.Context, out io.Writer, client *http.Client, base string, id journey.ID) error {
	u, err := url.JoinPath(base, "/api/v1/calls/", id.String(), "/explanation")
	if err != nil {
		return fmt.Errorf("--server %q is not a URL", base)
	}
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return fmt.Errorf("--server %q is not a URL", base)
	}
	rq.Header.Set("Accept", "text/plain")
	if f.json {
		rq.Header.Set("Accept", "application/json")
	}
	if f.token != "" {
		rq.Header.Set("Authorization", "Bearer "+f.token)
	}
	res, err := client.Do(rq)
	if err != nil {
		return fmt.Errorf("asking the running instance: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("asking the running instance: %w", err)
	}
	switch {
	case res.StatusCode == http.StatusNotFound:
		return notKept(id)
	case res.StatusCode == http.StatusUnauthorized:
		return &exitError{2, "causeway explain: " + base + " asks for a personal access token: --token or CAUSEWAY_TOKEN"}
	case res.StatusCode != http.StatusOK:
		return &exitError{2, fmt.Sprintf("causeway explain: %s answered %s", base, res.Status)}
	}
	_, err = out.Write(body)
	return err
}

// read finds the call in the data folder of a stopped instance.
func (f *explainFlags) read(ctx context.Context, out io.Writer, id journey.ID) error {
	r, err := app.OpenCalls(ctx, f.data)
	if err != nil {
		return &exitError{2, "causeway explain: " + err.Error()}
	}
	defer r.Close()
	j, err := r.Get(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return notKept(id)
	}
	if err != nil {
		return &exitError{2, "causeway explain: " + err.Error()}
	}
	if f.json {
		b, err := admin.ExplanationJSON(&j, diagnose.Explain)
		if err != nil {
			return err
		}
		_, err = out.Write(b)
		return err
	}
	_, err = out.Write(fault.Text(nil, diagnose.Explain(&j), colourful(out)))
	return err
}

func notKept(id journey.ID) error {
	return &exitError{1, "causeway explain: no call " + id.String() + " is kept (not here, not any more, or it has not ended)"}
}

// colourful tells whether out is a terminal that wants colour.
func colourful(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""
}
