package wire

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"causeway/internal/wire/smuggle"
)

// TestTheCorpusOfHTTP2ThroughARelayToAGoServer sends every request of the corpus through the doors of
// HTTP/2 and a pool to a net/http server of HTTP/1.1, and counts on both sides.
func TestTheCorpusOfHTTP2ThroughARelayToAGoServer(t *testing.T) {
	for _, k := range doorKinds[2:] {
		t.Run(k.name, func(t *testing.T) {
			back := newEchoServer(t)
			r, err := newRelay(back.URL)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.origin.Close)
			h := k.open(t, DoorOptions{Handler: deafRelay{r}, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
			probe := &http.Client{Transport: &http.Transport{}}
			defer probe.CloseIdleConnections()
			plain := startDeafRelayOf(t, r)
			for i, c := range smuggle.H2Cases() {
				before := back.count()
				o := sendH2(t, h, c)
				seen := back.since(before)

				var targets []string
				for _, e := range seen {
					targets = append(targets, e.target)
				}
				if err := c.Check(targets); err != nil {
					t.Errorf("%v: %+v", err, o)
				}
				if c.Verdict == smuggle.MustRefuse && !o.Refused() {
					t.Errorf("%s: what must be refused is answered %+v", c.Name, o)
				}
				if len(seen) == 1 && (o.Fields["x-seen"] != strconv.Itoa(seen[0].id) || o.Body != seen[0].line() || !o.Whole) {
					t.Errorf("%s: the answer is %+v, the server saw %+v", c.Name, o, seen)
				}
				if len(seen) == 0 && o.Fields["x-seen"] != "" {
					t.Errorf("%s: the answer %+v is another's", c.Name, o)
				}
				path := "/probe-" + strconv.Itoa(i)
				res, err := probe.Get("http://" + plain + path)
				if err != nil {
					t.Fatalf("after %s: %v", c.Name, err)
				}
				line, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if want := (echoed{method: "GET", target: path}).line(); string(line) != want {
					t.Fatalf("after %s: another call got %q, want %q", c.Name, line, want)
				}
			}
		})
	}
}

// startDeafRelayOf opens a door of HTTP/1.1 over the same pool.
func startDeafRelayOf(t *testing.T, r *relay) (addr string) {
	addr, _ = startDoor(t, DoorOptions{Handler: deafRelay{r}, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
	return addr
}

func sendH2(t *testing.T, h *house, c smuggle.H2Case) smuggle.H2Outcome {
	t.Helper()
	nc, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	if h.client != nil {
		config := h.client.Clone()
		config.ServerName, config.NextProtos = "localhost", []string{"h2"}
		nc = tls.Client(nc, config)
	}
	o, err := c.Send(nc)
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
	}
	return o
}
