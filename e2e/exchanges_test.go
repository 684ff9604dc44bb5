package e2e

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/e2e/exchanges"
)

// exchangeGateway is a gateway before the origin: plain on its first address, with TLS on its second,
// with a route to the origin over HTTP/1.1 and one over HTTP/2.
func exchangeGateway(t *testing.T, cert *certificate, origin *exchanges.Origin) *gateway {
	t.Helper()
	config := fmt.Sprintf("version: 1\nserver: {tls: [{cert_file: %q, key_file: %q}], listen: [{address: \"127.0.0.1:0\", tls: false}, {address: \"127.0.0.1:0\"}]}\nservices:\n", cert.certFile, cert.keyFile)
	for path, protocol := range map[string]string{"to": "http1", "h2c": "h2c"} {
		config += fmt.Sprintf("  %s: {access: open, routes: [{path: /%s/*}], upstream: {targets: [{url: \"http://%s\"}], protocol: %s, retries: {max: 0}}}\n", path, path, origin.Addr, protocol)
	}
	return serve(t, config, listenOn(""))
}

// The same exchanges by every client, straight with a server and through the gateway: what both
// ends see differs only as exchanges.Rules say, each with its reason.
func TestExchanges(t *testing.T) {
	t.Parallel()
	list := exchanges.List()
	cert := newCertificate(t, "localhost")
	pair, err := tls.LoadX509KeyPair(cert.certFile, cert.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	origin, err := exchanges.StartOrigin(pair, list)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(origin.Close)
	g := exchangeGateway(t, cert, origin)
	secure := strings.TrimPrefix(g.Also[0], "https://")
	sides := []exchanges.Same{
		{Addr: origin.Addr, TLSAddr: origin.TLSAddr, Run: "straight"},
		{Addr: g.Addr, TLSAddr: secure, Target: origin.Addr, Run: "gateway"},
		{Addr: g.Addr, TLSAddr: secure, Target: origin.Addr, Run: "road", Path: "h2c"},
	}

	scripts, err := filepath.Abs("exchanges/clients")
	if err != nil {
		t.Fatal(err)
	}
	job := exchanges.Job{CA: cert.certFile, Browser: needs(t, "chromium", "google-chrome")}
	only := os.Getenv("EXCHANGES_CLIENT")
	var mu sync.Mutex
	all := exchanged{made: map[string]int{}}
	turn := make(chan struct{}, 2)
	var running sync.WaitGroup
	for _, client := range exchanges.Clients(scripts, python(t)) {
		if only != "" && only != client.Name {
			continue
		}
		for _, name := range client.Needs {
			needs(t, name)
		}
		running.Add(1)
		go func() {
			defer running.Done()
			turn <- struct{}{}
			defer func() { <-turn }()
			begun := time.Now()
			one, err := makeExchanges(t.Context(), client, job, list, origin, sides)
			if err != nil {
				t.Errorf("%s: %v", client.Name, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			all.add(one)
			t.Logf("%s: %d exchanges in %v", client.Name, len(one.made), time.Since(begun).Round(time.Millisecond))
			if one.slow != nil {
				t.Logf("%s was slow:\n%s", client.Name, strings.Join(one.slow, "\n"))
			}
		}()
	}
	running.Wait()
	unused := report(t, all.found)
	if only != "" {
		return
	}
	for _, what := range unused {
		t.Errorf("nobody sees any more that %s: the rule has no use", what)
	}
	for _, e := range list {
		for _, column := range []exchanges.Column{exchanges.Plain, exchanges.TLS, exchanges.H2, exchanges.H2C} {
			if e.Only != nil && !slices.Contains(e.Only, column) {
				continue
			}
			if all.made[string(column)+" "+e.Name] == 0 {
				t.Errorf("no client saw the exchange %s as it is meant, %s", e.Name, column)
			}
			if e.Slow() && all.made[string(column)+" "+e.Name+" piece by piece"] == 0 {
				t.Errorf("no client saw %s piece by piece through the gateway, %s", e.Name, column)
			}
		}
	}
}

// report fails the test for every difference without a reason, once for all clients that saw it. It
// returns what the rules say that explained none.
func report(t *testing.T, found []exchanges.Difference) (unused []string) {
	t.Helper()
	rules := exchanges.Rules()
	used := map[*exchanges.Rule]bool{}
	by := map[string][]string{}
	for i := range found {
		d := &found[i]
		if r := exchanges.Explain(rules, d); r != nil {
			used[r] = true
			continue
		}
		text := d.String()
		by[text] = append(by[text], fmt.Sprintf("%s (%s)", d.Client, d.Column))
	}
	for _, text := range slices.Sorted(maps.Keys(by)) {
		who := slices.Compact(slices.Sorted(slices.Values(by[text])))
		t.Errorf("%s: %s", text, strings.Join(who, ", "))
	}
	for i := range rules {
		if !used[&rules[i]] && !rules[i].Racy {
			unused = append(unused, rules[i].What)
		}
	}
	return unused
}

// exchanged is what came of a client's exchanges, or of all clients'.
type exchanged struct {
	found []exchanges.Difference
	// made counts, by column and name, the clients that saw what was meant, without the gateway; with
	// "piece by piece" those that saw a slow answer as it came, through it.
	made map[string]int
	slow []string
}

func (x *exchanged) add(o exchanged) {
	x.found = append(x.found, o.found...)
	for name, n := range o.made {
		x.made[name] += n
	}
}

// makeExchanges makes every exchange that a client can make, on both sides, and compares.
func makeExchanges(ctx context.Context, client exchanges.Client, job exchanges.Job, list []exchanges.Exchange, origin *exchanges.Origin, sides []exchanges.Same) (exchanged, error) {
	tag := strings.NewReplacer(" ", "-", ":", "-", "/", "-").Replace(client.Name)
	outcomes := make([][]exchanges.Outcome, len(sides))
	x := exchanged{made: map[string]int{}}
	var of []*exchanges.Exchange
	if !client.Road {
		sides = sides[:2]
	}
	for s, side := range sides {
		of, job.Rows = nil, nil
		for _, column := range client.Columns {
			for i := range list {
				e := &list[i]
				if e.Only != nil && !slices.Contains(e.Only, column) {
					continue
				}
				base := "http://" + side.Addr
				if column == exchanges.TLS || column == exchanges.H2 {
					base = "https://" + side.TLSAddr
				}
				of = append(of, e)
				job.Rows = append(job.Rows, exchanges.Row{
					Column: column, Name: e.Name, Request: e.Request,
					URL: fmt.Sprintf("%s/%s/%s.%s.%s/%s%s", base, cmp.Or(side.Path, "to"), side.Run, tag, column, e.Name, e.Request.Path),
				})
			}
		}
		seen, err := client.Run(ctx, job)
		if err != nil {
			return x, err
		}
		for i, row := range job.Rows {
			if took := time.Duration(seen[i].Took) * time.Millisecond; took > 5*time.Second {
				x.slow = append(x.slow, fmt.Sprintf("%s %s %s: %v, %s", side.Run, row.Column, row.Name, took, seen[i].Error))
			}
			got := origin.Got(fmt.Sprintf("%s.%s.%s", side.Run, tag, row.Column), row.Name)
			outcomes[s] = append(outcomes[s], side.Plainly(exchanges.Outcome{Seen: seen[i], Got: got}))
		}
	}
	for i, row := range job.Rows {
		for s := range sides[1:] {
			x.found = append(x.found, exchanges.Compare(client.Name, row.Column, s > 0, of[i], outcomes[0][i], outcomes[1+s][i])...)
		}
		if outcomes[0][i].Seen.AsScripted(of[i]) {
			x.made[string(row.Column)+" "+row.Name]++
		}
		if of[i].Slow() && outcomes[1][i].Seen.PieceByPiece(of[i]) {
			x.made[string(row.Column)+" "+row.Name+" piece by piece"]++
		}
	}
	return x, nil
}
