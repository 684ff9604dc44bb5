package meter

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheCachesFigures(t *testing.T) {
	figures := Cache{
		Entries: 3, Bytes: 400, Evicted: 5, Errors: 6, Away: true, Calls: []CacheCalls{{Service: "orders", Outcome: "hit", Count: 7}, {Model: "fast", Outcome: "stored", Count: 8}},
		Embeddings: []CacheEmbeddings{{Model: "fast", Made: 9, Failed: 10}},
	}
	m, err := New(Options{Sources: Sources{Cache: func() Cache { return figures }}})
	if err != nil {
		t.Fatal(err)
	}
	scrape := func() string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	page := scrape()
	for _, line := range []string{
		"causeway_cache_entries 3", "causeway_cache_bytes 400", "causeway_cache_evictions_total 5", "causeway_cache_errors_total 6", "causeway_cache_away 1",
		`causeway_cache_requests_total{model="",outcome="hit",service="orders"} 7`, `causeway_cache_requests_total{model="fast",outcome="stored",service=""} 8`,
		`causeway_cache_embeddings_total{model="fast",result="made"} 9`, `causeway_cache_embeddings_total{model="fast",result="failed"} 10`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	if figures.Entries, figures.Bytes, figures.Evicted = -1, -1, -1; strings.Contains(scrape(), "causeway_cache_entries ") {
		t.Error("what a server keeps is told as if it were known")
	}
}
