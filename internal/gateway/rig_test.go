package gateway

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/llm"
	"causeway/internal/llm/openai"
	"causeway/internal/meter"
	"causeway/internal/responses"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// rig is a whole gateway in this process: a door on a loopback port, the rooms and a call log.
type rig struct {
	addr    string
	gateway *Gateway
	ledger  *ledger.Ledger
	meter   *meter.Meter
	door    *wire.Door
	log     *text
	deps    snapshot.Deps
	watch   atomic.Pointer[exchanges]
}

// exchanges lets a test stand between the rooms and the door.
type exchanges func(wire.Exchange) wire.Exchange

// Serve and Refuse make a rig the door's handler.
func (r *rig) Serve(ex wire.Exchange) {
	if watch := r.watch.Load(); watch != nil {
		ex = (*watch)(ex)
	}
	r.gateway.Serve(ex)
}

func (r *rig) Refuse(ex wire.Exchange, why *wire.Refusal) { r.gateway.Refuse(ex, why) }

// newRig serves a configuration until the test ends.
func newRig(tb testing.TB, config string) *rig {
	return newRigOver(tb, config, &memory{}, &sandboxes{})
}

func newRigOver(tb testing.TB, config string, store ledger.ChunkStore, sandbox Sandbox) *rig {
	tb.Helper()
	return newRigFull(tb, config, store, sandbox, func(*snapshot.Deps) {})
}

// newRigWith serves a configuration with other dependencies of its generations.
func newRigWith(tb testing.TB, config string, change func(*snapshot.Deps)) *rig {
	tb.Helper()
	return newRigFull(tb, config, &memory{}, &sandboxes{}, change)
}

func newRigFull(tb testing.TB, config string, store ledger.ChunkStore, sandbox Sandbox, change func(*snapshot.Deps), options ...func(*Options)) *rig {
	tb.Helper()
	r := &rig{log: &text{}}
	var err error
	if r.meter, err = meter.New(meter.Options{}); err != nil {
		tb.Fatal(err)
	}
	r.deps = snapshot.Deps{
		Meter: r.meter, Instance: "rig", SandboxURL: "http://127.0.0.1:1/v1", SandboxModels: []string{"echo"},
		Dialects: []llm.Dialect{openai.New()}, Speak: map[string]llm.Dialect{"openai": openai.New()},
	}
	change(&r.deps)
	gen := r.compile(tb, config, nil)
	if r.ledger, err = ledger.New(tb.Context(), ledger.Options{Dir: tb.TempDir(), Store: store}); err != nil {
		tb.Fatal(err)
	}
	o := Options{Ledger: r.ledger, Sandbox: sandbox, Responses: responses.New(responses.NewMemory(1<<20), responses.Options{}), Log: slog.New(slog.NewTextHandler(r.log, nil))}
	for _, set := range options {
		set(&o)
	}
	r.gateway, err = New(o, gen)
	if err != nil {
		tb.Fatal(err)
	}
	server := gen.Catalog.Server
	r.door, err = wire.NewDoor(wire.DoorOptions{
		Handler: r, ReadHeaderTimeout: server.ReadHeaderTimeout, IdleTimeout: server.IdleTimeout,
		MinRate: server.MinRate, MinRateAfter: server.MinRateAfter,
		MaxConnections: server.MaxConnections, Limits: wire.Limits{Head: int(server.MaxHeader)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r.addr = lis.Addr().String()
	gen.Start()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = r.door.Serve(lis)
	}()
	tb.Cleanup(func() {
		shutdown(r)
		<-served
		r.gateway.Generation().Retire(nil)
		if err := r.ledger.Close(); err != nil {
			tb.Error(err)
		}
		if n := r.gateway.InFlight(); n != 0 {
			tb.Errorf("%d calls are in flight at the end", n)
		}
	})
	return r
}

// shutdown cuts the calls that are still there.
func shutdown(r *rig) {
	r.gateway.Drain()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.door.Shutdown(now)
}

func (r *rig) compile(tb testing.TB, config string, old *snapshot.Generation) *snapshot.Generation {
	tb.Helper()
	c, faults := catalog.Parse("rig.yaml", []byte(config), func(string) (string, bool) { return "", false })
	if len(faults) > 0 {
		tb.Fatal(faults)
	}
	gen, err := snapshot.Compile(c, old, r.deps)
	if err != nil {
		tb.Fatal(err)
	}
	return gen
}

// reload puts another configuration in force, as the program does.
func (r *rig) reload(tb testing.TB, config string) {
	tb.Helper()
	old := r.gateway.Generation()
	gen := r.compile(tb, config, old)
	r.meter.Install(gen.Meter, gen.Number)
	gen.Start()
	r.gateway.Install(gen)
	old.Retire(gen)
}

// record is the call of an answer, as the log has it: at once, since the answer was whole.
func (r *rig) record(tb testing.TB, a *answer) *journey.Journey {
	tb.Helper()
	id, ok := journey.ParseID(a.header.Get("Causeway-Call-Id"))
	if !ok {
		tb.Fatalf("the answer has no call id: %v", a.header)
	}
	j, err := r.ledger.Get(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return &j
}

// last waits for a call that was not answered, or not whole: the newest with this path.
func (r *rig) last(tb testing.TB, path string) *journey.Journey {
	tb.Helper()
	var id journey.ID
	eventually(tb, "the call in the log", func() bool {
		page, err := r.ledger.Search(tb.Context(), ledger.Query{PathPrefix: path, Limit: 1})
		if err != nil {
			tb.Fatal(err)
		}
		if len(page.Calls) == 0 {
			return false
		}
		id = page.Calls[0].ID
		return true
	})
	j, err := r.ledger.Get(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return &j
}

// eventually waits for what must come to be.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// sandboxes is the built-in provider's side: upstreams and synthetic kinds by model.
type sandboxes struct {
	upstreams map[string]*snapshot.Upstream
	kinds     map[string]fault.Kind
}

func (s *sandboxes) Upstream(model string, _ bool) (*snapshot.Upstream, fault.Kind, bool) {
	up := s.upstreams[model]
	return up, s.kinds[model], up != nil
}

// memory keeps the call log's chunks.
type memory struct {
	mu     sync.Mutex
	chunks []journey.Chunk // by Last, descending
}

func (m *memory) Chunks(_ context.Context, p journey.ChunkPage) (list []journey.Chunk, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.After != nil {
		return nil, nil // the first page had them all
	}
	for _, c := range m.chunks {
		if bytes.Compare(c.Last[:], p.From[:]) >= 0 && bytes.Compare(c.First[:], p.Below[:]) < 0 {
			c.Data = nil
			list = append(list, c)
		}
	}
	return list, nil
}

func (m *memory) ChunkData(_ context.Context, key int64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.chunks {
		if m.chunks[i].Key == key {
			return m.chunks[i].Data, nil
		}
	}
	return nil, nil
}

func (m *memory) AppendChunks(_ context.Context, b journey.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range b.Chunks {
		c.Key, c.Data, c.Zone = int64(len(m.chunks)+1), bytes.Clone(c.Data), bytes.Clone(c.Zone)
		m.chunks = append(m.chunks, c)
	}
	slices.SortFunc(m.chunks, func(a, b journey.Chunk) int { return bytes.Compare(b.Last[:], a.Last[:]) })
	return nil
}

func (m *memory) SpoolMarks(context.Context) ([]journey.SpoolMark, error)  { return nil, nil }
func (m *memory) DropChunks(context.Context, journey.ID, int) (int, error) { return 0, nil }
func (m *memory) Size(context.Context) (used, free int64, err error)       { return 0, 0, nil }
func (m *memory) Shrink(context.Context, int64) error                      { return nil }

// text gathers what is logged.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// answer is what a caller got.
type answer struct {
	status int
	head   string
	header http.Header
	body   string
	err    error // of reading the body: it is not whole
}

// whole is head and body as text.
func (a *answer) whole() string { return a.head + "\n" + a.body }

// caller is one connection to a gateway.
type caller struct {
	net.Conn
	r *bufio.Reader
}

func dial(tb testing.TB, addr string) *caller {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &caller{c, bufio.NewReaderSize(c, 64<<10)}
}

// send writes a request as it stands, with line ends made CRLF in its head.
func (c *caller) send(tb testing.TB, request string) {
	tb.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	head = strings.ReplaceAll(strings.TrimLeft(head, "\n"), "\n", "\r\n")
	if _, err := io.WriteString(c, head+"\r\n\r\n"+body); err != nil {
		tb.Fatal(err)
	}
}

// read reads one answer to its end. method is the request's.
func (c *caller) read(tb testing.TB, method string) *answer {
	tb.Helper()
	head := ""
	for !strings.Contains(head, "\r\n\r\n") {
		p, err := c.r.Peek(len(head) + 1)
		if err != nil {
			tb.Fatalf("no answer: %v after %q", err, p)
		}
		p, _ = c.r.Peek(c.r.Buffered())
		head = string(p)
	}
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		tb.Fatalf("no answer: %v in %q", err, head)
	}
	head, _, _ = strings.Cut(head, "\r\n\r\n")
	a := &answer{status: res.StatusCode, head: head + "\r\n", header: res.Header}
	body, err := io.ReadAll(res.Body)
	a.body, a.err = string(body), err
	for name := range res.Trailer {
		a.head += "trailer " + name + ": " + res.Trailer.Get(name) + "\r\n"
	}
	return a
}

// call makes one call on a connection of its own.
func (r *rig) call(tb testing.TB, request string) *answer {
	tb.Helper()
	c := dial(tb, r.addr)
	defer c.Close()
	c.send(tb, request)
	method, _, _ := strings.Cut(strings.TrimLeft(request, "\n"), " ")
	return c.read(tb, method)
}
