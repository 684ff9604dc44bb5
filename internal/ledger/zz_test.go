package ledger
import ("testing";"time";"runtime";"sort";"fmt";"os";"strings";"causeway/internal/journey";"causeway/internal/store";"golang.org/x/sys/unix")
func pcpu() time.Duration { var ts unix.Timespec; unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); return time.Duration(ts.Nano()) }
func TestGap(t *testing.T) {
	if os.Getenv("GAP") == "" { t.Skip() }
	runtime.GOMAXPROCS(1)
	dir := t.TempDir()
	db, _ := store.Open(t.Context(), dir); defer db.Close()
	l := newLedger(t, dir, func(o *Options) { o.Store = db; o.MaxSize = 32<<20 })
	calls := variedCalls(4096)
	var buf []byte
	stat := func() { b, _ := os.ReadFile("/proc/self/status"); for _, ln := range strings.Split(string(b), "\n") { if strings.Contains(ln, "Rss") || strings.Contains(ln, "VmHWM") { fmt.Println(ln) } } }
	stat()
	t0 := time.Now()
	n := 0
	gaps := make([]time.Duration, 0, 1000)
	last := pcpu()
	for {
		runtime.Gosched()
		now := time.Now()
		c := pcpu()
		if len(gaps)<1000 {gaps = append(gaps, c-last)}
		last = c
		if now.Sub(t0) > 8*time.Second { break }
		if want := int(now.Sub(t0).Seconds()*18000); n < want {
			j := calls[n%len(calls)]; n++
			j.Start = now; j.ID = journey.NewID(now)
			s, err := l.Open(j.ID, now.UnixNano(), j.Method, j.Path); if err != nil { t.Fatal(err) }
			buf = AppendRecord(buf[:0], j)
			if err := s.Commit(buf); err != nil { t.Fatal(err) }
		}
	}
	var big [8]int
	lim := []time.Duration{50e3,100e3,200e3,500e3,1e6,2e6,5e6,10e6}
	var over [8]time.Duration
	for _, g := range gaps { for i := range lim { if g > lim[i] { big[i]++; over[i]+=g } } }
	sort.Slice(gaps, func(a,b int) bool { return gaps[a] > gaps[b] })
	for i := range lim { fmt.Printf("gaps > %v: %d, sum %v (%.3f%% of time)\n", lim[i], big[i], over[i], over[i].Seconds()/8*100) }
	fmt.Println(gaps[:12], n, l.Stats())
	b, _ := os.ReadFile("/proc/self/status")
	for _, ln := range strings.Split(string(b), "\n") { if strings.Contains(ln, "Rss") || strings.Contains(ln, "VmHWM") { fmt.Println(ln) } }
	// Reads
	flushed(t, l)
	t1 := time.Now(); p, err := l.Search(t.Context(), Query{}); fmt.Println("search newest", time.Since(t1), len(p.Calls), err)
	t1 = time.Now(); _, err = l.Get(t.Context(), p.Calls[10].ID); fmt.Println("get new", time.Since(t1), err)
	t1 = time.Now(); p, err = l.Search(t.Context(), Query{To: time.Now().Add(-5*time.Second)}); fmt.Println("search 5 s ago", time.Since(t1), len(p.Calls), err)
	t1 = time.Now(); _, err = l.Get(t.Context(), p.Calls[10].ID); fmt.Println("get old", time.Since(t1), err)
	t1 = time.Now(); p, err = l.Search(t.Context(), Query{Service:"none"}); fmt.Println("search none (pruned)", time.Since(t1), len(p.Calls), err)
	t1 = time.Now(); p, err = l.Search(t.Context(), Query{PathPrefix:"/none"}); fmt.Println("search none (all chunks opened)", time.Since(t1), len(p.Calls), err)
	t1 = time.Now(); l.Close(); fmt.Println("close", time.Since(t1))
	t1 = time.Now(); db.Close(); fmt.Println("close db", time.Since(t1))
	t1 = time.Now(); db, _ = store.Open(t.Context(), dir); fmt.Println("open db", time.Since(t1))
	t1 = time.Now(); l, err = New(t.Context(), Options{Dir: dir, Store: db});  fmt.Println("open ledger", time.Since(t1), err); l.Close(); db.Close()
}
