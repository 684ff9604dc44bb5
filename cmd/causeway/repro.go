package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"causeway/internal/admin"
	"causeway/internal/journey"
)

type reproFlags struct {
	server, token, data, key string
	only, query, body, out   string
	headers                  []string
	yes, json                bool
}

func newRepro() *cobra.Command {
	var f reproFlags
	c := &cobra.Command{
		Use:   "repro ID",
		Short: "Send a kept call again, directly and through the gateway",
		Long: `Sends a call of the call log again: directly to its upstream and through the gateway. Compares status, header,
body and time, says what the difference means, and writes a curl script to hand to the upstream's owner.

The running instance does it (--server with --token, else over the socket in --data), so that the credentials of
its configuration stay with it; in the script they are environment variables. Body, query and header fields are
kept where the service says so (services.NAME.keep_bodies: failures; for models llm.keep_bodies: failures), and
credentials never: --header, --query and --key give what is missing.

A call to a model goes directly to its provider, with the configured key, and through the gateway.

A method that may write is sent again only after a question, or with --yes. A body that was masked or cut is not
sent as if it were whole: --body gives the whole one.

Exit 0 when all ways answer well, 1 when one fails, 2 when the call could not be sent again.`,
		Example: "  causeway repro 01KAPZQ4M8X3V7N2T5R9W6YB1C\n  causeway repro --script fails.sh --header 'Accept: application/json' 01KAPZQ4M8X3V7N2T5R9W6YB1C\n  causeway repro --yes --only direct --body order.json 01KAPZQ4M8X3V7N2T5R9W6YB1C",
		Args:    oneArgument("ID", "01KAPZQ4M8X3V7N2T5R9W6YB1C"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, ok := journey.ParseID(strings.TrimSpace(args[0]))
			if !ok {
				return fmt.Errorf("%q is not a call's id: 26 letters and digits, as in the header Causeway-Call-Id", args[0])
			}
			return f.run(cmd, id)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.server, "server", os.Getenv("CAUSEWAY_SERVER"), "address of a running instance's console")
	fl.StringVar(&f.token, "token", "", "personal access token for --server (default from CAUSEWAY_TOKEN)")
	fl.StringVar(&f.data, "data", "./data", "data folder")
	fl.StringVar(&f.key, "key", "", "an application's key, for the way through the gateway (default from CAUSEWAY_KEY)")
	fl.StringVar(&f.only, "only", "", "direct or gateway: one way instead of both")
	fl.StringVar(&f.query, "query", "", "query to send in place of the kept one, such as page=2")
	fl.StringArrayVar(&f.headers, "header", nil, "header field to send, NAME: VALUE; repeat it")
	fl.StringVar(&f.body, "body", "", "file with the body to send, in place of the kept one")
	fl.StringVar(&f.out, "script", "", "file to write the curl script to")
	fl.BoolVar(&f.yes, "yes", false, "send a method that may write without asking")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (f *reproFlags) run(cmd *cobra.Command, id journey.ID) error {
	if f.only != "" && f.only != "direct" && f.only != "gateway" {
		return fmt.Errorf("--only is direct or gateway, not %q", f.only)
	}
	wish := map[string]any{"unsafe": f.yes}
	for name, value := range map[string]string{"only": f.only, "query": f.query, "key": f.key} {
		if value != "" {
			wish[name] = value
		}
	}
	if key := os.Getenv("CAUSEWAY_KEY"); f.key == "" && key != "" {
		wish["key"] = key
	}
	if len(f.headers) > 0 {
		wish["headers"] = f.headers
	}
	if f.body != "" {
		b, err := os.ReadFile(f.body)
		if err != nil {
			return &exitError{2, "causeway repro: " + err.Error()}
		}
		wish["body"] = base64.StdEncoding.EncodeToString(b)
	}
	r, err := f.ask(cmd.Context(), id, wish)
	var unsafe unsafeCall
	if errors.As(err, &unsafe) {
		if !agreed(cmd, string(unsafe)) {
			return &exitError{2, "causeway repro: not sent: " + string(unsafe) + " Allow it with --yes."}
		}
		wish["unsafe"] = true
		r, err = f.ask(cmd.Context(), id, wish)
	}
	if err != nil {
		var exit *exitError
		if errors.As(err, &exit) {
			return err
		}
		return &exitError{2, "causeway repro: " + err.Error()}
	}
	return f.tell(cmd, r)
}

// unsafeCall is the instance's question whether a method that may write is to be sent.
type unsafeCall string

func (u unsafeCall) Error() string { return string(u) }

// agreed asks the person at the terminal; without one nobody agrees.
func agreed(cmd *cobra.Command, question string) bool {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !terminal(in) {
		return false
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s\nSend it? [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "y" || answer == "yes")
}

// ask has the running instance send the call again.
func (f *reproFlags) ask(ctx context.Context, id journey.ID, wish map[string]any) (*admin.Repro, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	client, base, token := reach(f.server, f.token, f.data)
	defer client.CloseIdleConnections()
	body, err := json.Marshal(wish)
	if err != nil {
		return nil, err
	}
	rq, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/calls/"+id.String()+"/repro", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("--server %q is not a URL", f.server)
	}
	rq.Header.Set("Content-Type", "application/json")
	if token != "" {
		rq.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(rq)
	if err != nil {
		if f.server == "" {
			return nil, fmt.Errorf("no instance runs on %s, and only a running one can send a call again: %w", f.data, err)
		}
		return nil, fmt.Errorf("asking the running instance: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("asking the running instance: %w", err)
	}
	if err := turnedAway(res); err != nil {
		return nil, err
	}
	var p admin.Problem
	_ = json.Unmarshal(answer, &p) // its status tells when it is none
	switch {
	case res.StatusCode == http.StatusOK:
		return admin.ReproOf(answer)
	case res.StatusCode == http.StatusConflict:
		return nil, unsafeCall(p.Detail)
	case p.Detail != "":
		return nil, errors.New(p.Detail)
	}
	return nil, fmt.Errorf("the instance answered %s", res.Status)
}
