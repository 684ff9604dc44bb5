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
	file                string
	json                bool
}

func newExplain() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain ID | TEXT | -",
		Short: "Explain one call, or a failure that was copied from somewhere",
		Long: `Explains one call: what happened, how that is known, what was ruled out and what to do. ID is the value of
the header Causeway-Call-Id, or call_id in the error's body; its help, the address of the call's page, will do.

The running instance is asked at --server (CAUSEWAY_SERVER, with --token or CAUSEWAY_TOKEN), else over the
socket in --data; where none runs, the data folder is read.

In place of an ID it takes any text that tells of a failure, from an argument, from standard input (-) or from
--file; that needs no instance. It knows error bodies (Causeway's, providers', other proxies' JSON and pages), an
answer's head, Proxy-Status, lines of nginx, Apache, HAProxy, Envoy and other logs, Cloudflare's codes,
exceptions of Python, Node, Go, Java and .NET, curl's errors, and the kinds of the catalogue. Exit 1 when
nothing in the text was recognised.`,
		Example: "  causeway explain 01KAPZQ4M8X3V7N2T5R9W6YB1C\n  causeway explain --json 01KAPZQ4M8X3V7N2T5R9W6YB1C\n  causeway explain --server https://console.example.com --token cw_pat_... 01KAPZQ4M8X3V7N2T5R9W6YB1C\n" +
			"  causeway explain 'curl: (52) Empty reply from server'\n  causeway explain 522\n  curl -si https://api.example.com/x | causeway explain -",
		Args: func(_ *cobra.Command, args []string) error {
			if (len(args) == 1) == (f.file != "") {
				return errors.New("one ID or TEXT is needed, or - for standard input, or --file; a TEXT with spaces stands in quotes")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.file != "" {
				return f.text(cmd, "-", f.file)
			}
			if id, ok := callID(args[0]); ok {
				return f.run(cmd, id)
			}
			return f.text(cmd, args[0], "")
		},
	}
	c.Flags().StringVar(&f.file, "file", "", "file with a text to explain")
	c.Flags().StringVar(&f.server, "server", os.Getenv("CAUSEWAY_SERVER"), "address of a running instance's console")
	c.Flags().StringVar(&f.token, "token", "", "personal access token for --server (default from CAUSEWAY_TOKEN)")
	c.Flags().StringVar(&f.data, "data", "./data", "data folder")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// callID reads a call's id, or the address of the call's own page, which is the member help of an error's
// body.
func callID(text string) (journey.ID, bool) {
	text = strings.TrimSpace(text)
	if at := strings.LastIndex(text, "/.causeway/calls/"); at >= 0 {
		text = text[at+len("/.causeway/calls/"):]
	}
	return journey.ParseID(text)
}

func (f *explainFlags) run(cmd *cobra.Command, id journey.ID) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
	defer cancel()
	out := cmd.OutOrStdout()
	if f.server == "" && !runs(f.data) {
		return f.read(ctx, out, id)
	}
	client, base, token := reach(f.server, f.token, f.data)
	defer client.CloseIdleConnections()
	err := f.ask(ctx, out, client, base, token, id)
	var down *net.OpError
	if f.server == "" && errors.As(err, &down) && down.Op == "dial" {
		return f.read(ctx, out, id) // a killed instance has left its socket
	}
	return askFailed(err)
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
func (f *explainFlags) ask(ctx context.Context, out io.Writer, client *http.Client, base, token string, id journey.ID) error {
	u, err := url.JoinPath(base, "/api/v1/calls/", id.String(), "/explanation")
	if err != nil || !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
		return fmt.Errorf("--server %q is not a URL such as http://127.0.0.1:8090", base)
	}
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return fmt.Errorf("--server %q is not a URL", base)
	}
	rq.Header.Set("Accept", "text/plain")
	if f.json {
		rq.Header.Set("Accept", "application/json")
	}
	if token != "" {
		rq.Header.Set("Authorization", "Bearer "+token)
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
	if err := turnedAway(res); err != nil {
		return err
	}
	switch {
	case res.StatusCode == http.StatusNotFound:
		return notKept(id)
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
		return &exitError{2, "causeway explain: no instance runs on the data folder " + f.data + ", and it can't be read: " + err.Error() + " (--data, --server)"}
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
