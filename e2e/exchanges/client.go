package exchanges

import (
	"bytes"
	"context"
	"crypto/x509"
	stdjson "encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Column is the protocol that a client speaks with whoever it calls.
type Column string

// The columns.
const (
	Plain Column = "plain" // HTTP/1.1
	TLS   Column = "tls"   // HTTP/1.1 over TLS
	H2    Column = "h2"    // HTTP/2 over TLS, by ALPN
	H2C   Column = "h2c"   // HTTP/2 by prior knowledge
)

// HTTP2 tells whether a column is one of HTTP/2.
func (c Column) HTTP2() bool { return c == H2 || c == H2C }

// Row is one exchange that a client is told to make.
type Row struct {
	Column Column `json:"column"`
	URL    string `json:"url"`
	Name   string `json:"name"`
	Request
}

// Job is all that one process of a client is told.
type Job struct {
	CA      string `json:"ca"` // the file of the authority to trust
	Browser string `json:"browser"`
	Rows    []Row  `json:"rows"`
}

// Client is one program or library that people call with.
type Client struct {
	Name    string
	About   string // for the documentation
	Columns []Column
	// Road tells that the exchanges are also made by way of an upstream that is called over HTTP/2.
	Road bool
	// Needs are the commands that must be installed.
	Needs []string
	// Run makes the exchanges and returns what was seen of each, in their order.
	Run func(context.Context, Job) ([]Seen, error)
}

// Clients is every client, the slowest first. dir is the folder of the drivers' scripts, python the interpreter that
// has the packages.
func Clients(dir, python string) []Client {
	node := func(script string) func(context.Context, Job) ([]Seen, error) {
		return driver("node", filepath.Join(dir, script))
	}
	py := func(script string) func(context.Context, Job) ([]Seen, error) {
		return driver(python, filepath.Join(dir, script))
	}
	return []Client{
		{Name: "chromium", About: "Chromium, `fetch()`", Columns: []Column{Plain, H2}, Needs: []string{"node", "chromium"}, Run: node("chromium.mjs")},
		{Name: "curl", About: "curl", Columns: []Column{Plain, TLS, H2, H2C}, Needs: []string{"curl"}, Run: runCurl},
		{Name: "node fetch", About: "Node's own `fetch()`", Columns: []Column{Plain, TLS}, Needs: []string{"node"}, Run: node("node_fetch.mjs")},
		{Name: "undici", About: "undici, `request()`", Columns: []Column{Plain, TLS, H2}, Needs: []string{"node"}, Run: node("node_undici.mjs")},
		{Name: "node:http", About: "node:http, node:https", Columns: []Column{Plain, TLS}, Needs: []string{"node"}, Run: node("node_http.mjs")},
		{Name: "node:http2", Road: true, About: "node:http2", Columns: []Column{H2, H2C}, Needs: []string{"node"}, Run: node("node_http2.mjs")},
		{Name: "http.client", About: "Python's http.client", Columns: []Column{Plain, TLS}, Run: py("http_client.py")},
		{Name: "requests", About: "requests", Columns: []Column{Plain, TLS}, Run: py("requests_client.py")},
		{Name: "httpx", About: "httpx", Columns: []Column{Plain, TLS, H2, H2C}, Run: py("httpx_client.py")},
		{Name: "aiohttp", About: "aiohttp", Columns: []Column{Plain, TLS}, Run: py("aiohttp_client.py")},
		{Name: "net/http", Road: true, About: "Go's net/http", Columns: []Column{Plain, TLS, H2, H2C}, Run: runGo},
		{Name: "nghttp", About: "nghttp (nghttp2)", Columns: []Column{H2, H2C}, Needs: []string{"nghttp"}, Run: runNghttp},
		{Name: "bytes", Road: true, About: "bytes on a socket", Columns: []Column{Plain, TLS}, Run: runRaw},
	}
}

// driver runs a script that reads the Job from standard input.
func driver(program string, args ...string) func(context.Context, Job) ([]Seen, error) {
	return func(ctx context.Context, job Job) ([]Seen, error) {
		input, err := stdjson.Marshal(job)
		if err != nil {
			return nil, err
		}
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &errs
		cmd.Env = append(environment(), "NODE_EXTRA_CA_CERTS="+job.CA, "PYTHONDONTWRITEBYTECODE=1")
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, errs.Bytes())
		}
		var seen []Seen
		if err := stdjson.Unmarshal(out.Bytes(), &seen); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, errs.Bytes())
		}
		if len(seen) != len(job.Rows) {
			return nil, fmt.Errorf("%s: saw %d exchanges of %d", strings.Join(cmd.Args, " "), len(seen), len(job.Rows))
		}
		return seen, nil
	}
}

// environment is the test's without what sends clients elsewhere.
func environment() (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			env = append(env, v)
		}
	}
	return append(env, "NO_PROXY=*")
}

// run makes the job's exchanges with one, which trusts the job's authority.
func (j *Job) run(ctx context.Context, one func(context.Context, *x509.CertPool, *Row, *Seen) error) ([]Seen, error) {
	pem, err := os.ReadFile(j.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", j.CA)
	}
	return each(ctx, j.Rows, func(ctx context.Context, row *Row) Seen {
		seen := Seen{}
		if err := one(ctx, pool, row, &seen); err != nil {
			seen.Error = classOf(err)
		}
		return seen
	}), nil
}

// each runs one for every row, a few at a time, and returns what they saw.
func each(ctx context.Context, rows []Row, one func(context.Context, *Row) Seen) []Seen {
	const together = 4
	seen := make([]Seen, len(rows))
	turn := make(chan struct{}, together)
	for i := range rows {
		turn <- struct{}{}
		go func() {
			defer func() { <-turn }()
			begun := time.Now()
			seen[i] = one(ctx, &rows[i])
			seen[i].Took = int(time.Since(begun).Milliseconds())
		}()
	}
	for range together {
		turn <- struct{}{}
	}
	return seen
}
