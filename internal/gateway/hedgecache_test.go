package gateway

import (
	"strings"
	"testing"
)

// Of a call that two targets were asked for, the answer of the one that gave it is kept, and a call that is answered by
// what is kept asks nobody, however long that would take.
func TestAHedgedAnswerIsKeptOnce(t *testing.T) {
	both(t, func(t *testing.T, stream bool) {
		f := &failing{primary: newOrigin(t), second: newOrigin(t)}
		config := strings.NewReplacer("PRIMARY", f.primary.addr, "SECOND", f.second.addr, "hedge: {after: 40ms, EXTRA}", "hedge: {after: 40ms}, cache: {ttl: 1h}").Replace(hedgeConfig)
		f.rig = newRig(t, fill(t, config, f.primary))
		closed := make(chan struct{}, 1)
		// The first has begun an answer, which is no content yet.
		f.primary.acts(hung(closed, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":\"from the first\""))
		if stream {
			role := strings.Replace(deltaEvent, `{"content":"hi"}`, `{"role":"assistant","content":""}`, 1)
			f.primary.acts(hung(closed, strings.Replace(events(strings.Replace(role, "c1", "from the first", 1)), "\r\n0\r\n\r\n", "\r\n", 1)))
		}
		f.second.acts(func(_ int, rq *got) string { return f.good("second", rq) })
		a := f.ask(t, stream)
		if a.status != 200 || !strings.Contains(a.body, "from second") || strings.Contains(a.body, "from the first") {
			t.Fatal(a.whole())
		}
		closes(t, closed, "the call to the primary")
		if j := f.record(t, a); !strings.HasPrefix(j.Cache, "stored (for ") || j.Provider != "second" {
			t.Errorf("%q of %s", j.Cache, j.Provider)
		}
		for range 3 {
			again := f.ask(t, stream)
			if again.status != 200 || again.body != a.body || !strings.Contains(again.header.Get("Cache-Status"), "hit") {
				t.Fatal(again.whole())
			}
			if j := f.record(t, again); !strings.HasPrefix(j.Cache, "hit (") || !strings.Contains(j.Cache, "made by second/b") || len(j.Attempts) != 0 {
				t.Errorf("%q, %d attempts", j.Cache, len(j.Attempts))
			}
		}
		if posts(f.primary) != 1 || posts(f.second) != 1 {
			t.Errorf("%d and %d calls", posts(f.primary), posts(f.second))
		}
	})
}
