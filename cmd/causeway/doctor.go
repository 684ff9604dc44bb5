package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"causeway/internal/app"
	"causeway/internal/catalog"
	"causeway/internal/doctor"
	"causeway/internal/fault"
	"causeway/internal/probe"
)

type doctorFlags struct {
	config, server, token, data, gateway, key string
	path, metrics                             string
	resolvers, logs                           []string
	allowPrivate, ask, json                   bool
	timeout, callerTimeout                    time.Duration
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor TARGET",
		Short: "Find out what is wrong with a target",
		Long: `Looks at a target in four parts and ends with one verdict: what is wrong, how that is known, what was ruled
out, and what to do.

  1 Status         DNS by each resolver, TCP to each address, TLS, HTTP, the body; through the gateway as well
  2 Logs           what the gateway's call log, and the log files given, say of the last hour
  3 Performance    this host, and the upstream's with --metrics
  4 Configuration  what in the file can't work, with --config or a running gateway that has one

TARGET is a URL (http, https or unix), service:NAME or model:NAME of the configuration. A URL needs neither a
gateway nor a file. A model costs no tokens: its provider is asked for its list, with each key. With --ask it is
asked one short question.

A running gateway is found at --server (CAUSEWAY_SERVER, with --token or CAUSEWAY_TOKEN), else over the socket in
--data. Private addresses that a redirect or a changed name leads to are not asked without --allow-private.

Exit 0 when the target is well, 1 when a fault was found, 2 when it could not be looked at.`,
		Example: "  causeway doctor http://127.0.0.1:9001/healthz\n  causeway doctor --config causeway.yaml service:orders\n" +
			"  causeway doctor --config causeway.yaml --ask model:fast\n  causeway doctor --resolver 192.0.2.53 --json https://api.example.com\n" +
			"  causeway doctor --caller-timeout 30s --metrics http://10.0.0.5:9100 service:orders",
		Args: oneArgument("TARGET", "http://127.0.0.1:8000 (or service:NAME, model:NAME)"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "", "configuration file; default that of the running gateway")
	fl.StringVar(&f.server, "server", os.Getenv("CAUSEWAY_SERVER"), "address of a running instance's console")
	fl.StringVar(&f.token, "token", "", "personal access token for --server (default from CAUSEWAY_TOKEN)")
	fl.StringVar(&f.data, "data", "./data", "data folder")
	fl.StringVar(&f.gateway, "gateway", "", "address of the gateway; default that of the running one")
	fl.StringVar(&f.key, "key", "", "an application's key, to ask through the gateway (default from CAUSEWAY_KEY)")
	fl.StringVar(&f.path, "path", "", "path to ask for; default the URL's, or the service's health path")
	fl.StringSliceVar(&f.resolvers, "resolver", nil, "DNS server to go by; further ones are compared")
	fl.StringArrayVar(&f.logs, "log", nil, "log file of a server or an application to read as well; repeat it")
	fl.StringVar(&f.metrics, "metrics", "", "the upstream's node_exporter, or a Prometheus server")
	fl.DurationVar(&f.callerTimeout, "caller-timeout", 0, "how long callers wait, to hold the timeouts against")
	fl.DurationVar(&f.timeout, "timeout", time.Minute, "the longest that the examination takes")
	fl.BoolVar(&f.allowPrivate, "allow-private", false, "ask private addresses that redirects lead to")
	fl.BoolVar(&f.ask, "ask", false, "ask a model one short question, which costs a few tokens")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	c.AddCommand(newDoctorLogs())
	return c
}

// unwell is a reason why the doctor can't look: exit 2.
func unwell(format string, args ...any) error {
	return &exitError{2, "causeway doctor: " + fmt.Sprintf(format, args...)}
}

func (f *doctorFlags) run(cmd *cobra.Command, target string) error {
	if f.timeout <= 0 {
		return fmt.Errorf("--timeout %s is no time", f.timeout)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	out := cmd.OutOrStdout()
	o := doctor.Options{
		Target: target, Path: f.path, Gateway: f.gateway, Key: f.key, AllowPrivate: f.allowPrivate, Ask: f.ask,
		CallerTimeout: f.callerTimeout, Metrics: f.metrics,
	}
	if o.Key == "" {
		o.Key = os.Getenv("CAUSEWAY_KEY")
	}
	if f.path != "" && !strings.HasPrefix(f.path, "/") {
		return fmt.Errorf("--path %q does not begin with /", f.path)
	}
	for _, r := range f.resolvers {
		at, err := resolverAddress(r)
		if err != nil {
			return err
		}
		if o.Resolvers = append(o.Resolvers, at); o.Resolver == "" {
			o.Resolver = at
		}
	}
	if len(f.logs) > 0 {
		o.ReadLogs = app.LogFiles(f.logs, time.Now().Add(-doctor.LogWindow))
	}
	if len(f.resolvers) == 0 {
		o.Resolvers = probe.Resolvers("/etc/resolv.conf")
	}
	if err := f.running(ctx, &o); err != nil {
		return err
	}
	if f.config != "" {
		c, faults, err := catalog.Load(f.config, os.LookupEnv)
		if err != nil {
			return unwell("%v", err)
		}
		if len(faults) > 0 {
			return unwell("%s is not valid: %s (see causeway validate %s)", f.config, faults[0], f.config)
		}
		o.Config, o.ConfigName = c, f.config
	}
	if o.Config == nil && strings.HasPrefix(target, "model:sandbox/") {
		o.Config, o.ConfigName = catalog.Default(), "the built-in configuration" // the sandbox needs no file
	}
	p := doctor.NewPrinter(out, colourful(out), isTerminal(out))
	if !f.json {
		o.OnBegin, o.OnStep = p.Begin, p.Step
	}
	r, err := app.Examine(ctx, o, f.data)
	if err != nil {
		return unwell("%v", err)
	}
	if f.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil {
			return err
		}
	} else if p.Verdict(r); p.Err() != nil {
		return p.Err()
	}
	switch {
	case !r.Looked:
		return &exitError{code: 2}
	case !r.Verdict.Healthy:
		return &exitError{code: 1}
	}
	return nil
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}

// resolverAddress is a DNS server's address with its port.
func resolverAddress(text string) (string, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.String(), nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return "", fmt.Errorf("--resolver %q is not an address such as 192.0.2.53 or 192.0.2.53:53", text)
	}
	return netip.AddrPortFrom(ip, 53).String(), nil
}

// running finds the running gateway: where it is, its configuration file and its call log. Without one
// the call log is read from the data folder, if there is one.
func (f *doctorFlags) running(ctx context.Context, o *doctor.Options) error {
	client, base := http.DefaultClient, strings.TrimRight(f.server, "/")
	if base != "" && f.token == "" {
		f.token = os.Getenv("CAUSEWAY_TOKEN")
	}
	if base == "" {
		socket := app.SocketPath(f.data)
		client, base = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}}}, "http://localhost"
	}
	ask := api{client, base, f.token}
	var status struct {
		ConfigFile string `json:"config_file"`
		GatewayURL string `json:"gateway_url"`
	}
	if err := ask.get(ctx, "/api/v1/status", nil, &status); err != nil {
		if f.server != "" {
			return unwell("asking the running instance: %v", err)
		}
		if _, err := os.Stat(filepath.Join(f.data, "causeway.db")); err == nil {
			o.Calls = app.SearchCalls(f.data)
		}
		return nil
	}
	if o.Gateway == "" {
		o.Gateway = status.GatewayURL
	}
	if f.config == "" && status.ConfigFile != "" {
		if _, err := os.Stat(status.ConfigFile); err == nil {
			f.config = status.ConfigFile
		}
	}
	o.Calls = ask.calls
	return nil
}

// api is a running instance's.
type api struct {
	client *http.Client
	base   string
	token  string
}

func (a api) get(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	address := a.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%q is not a URL", a.base)
	}
	if a.token != "" {
		rq.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := a.client.Do(rq)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := turnedAway(res); err != nil {
		return err
	}
	if res.StatusCode == http.StatusOK {
		return json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(into)
	}
	return fmt.Errorf("it answered %s", res.Status)
}

// calls is doctor.Options.Calls.
func (a api) calls(ctx context.Context, q doctor.CallQuery) ([]doctor.Call, error) {
	if q.Service == "" && q.Model == "" {
		return nil, errors.New("a running instance's log is searched by service or model, and no service of its configuration has this target")
	}
	query := url.Values{"from": {q.Since.UTC().Format(time.RFC3339)}, "limit": {fmt.Sprint(q.Limit)}}
	if q.Service != "" {
		query.Set("service", q.Service)
	}
	if q.Model != "" {
		query.Set("model", q.Model)
	}
	var page struct {
		Calls []struct {
			ID         string     `json:"id"`
			Time       time.Time  `json:"time"`
			Status     int        `json:"status"`
			Kind       fault.Kind `json:"kind"`
			DurationMS float64    `json:"duration_ms"`
		} `json:"calls"`
	}
	if err := a.get(ctx, "/api/v1/calls", query, &page); err != nil {
		return nil, err
	}
	list := make([]doctor.Call, 0, len(page.Calls))
	for _, c := range page.Calls {
		list = append(list, doctor.Call{ID: c.ID, Time: c.Time, Status: c.Status, Kind: c.Kind, Took: time.Duration(c.DurationMS * float64(time.Millisecond))})
	}
	return list, nil
}
