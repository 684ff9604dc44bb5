package route

import (
	"fmt"
	"testing"
)

// wideTable has n routes of the kinds that configurations have.
func wideTable(tb testing.TB, n int) (*Table, [][]byte) {
	var lines []string
	var paths [][]byte
	for i := range n / 4 {
		lines = append(lines,
			fmt.Sprintf("GET,POST /svc%d/*", i),
			fmt.Sprintf("GET /svc%d/orders/{id}", i),
			fmt.Sprintf("- /svc%d/health", i),
			fmt.Sprintf("- t%d.example.com/*", i))
		paths = append(paths, fmt.Appendf(nil, "/svc%d/orders/12345", i), fmt.Appendf(nil, "/svc%d/health", i), fmt.Appendf(nil, "/svc%d/customers/7/address", i))
	}
	return build(tb, lines...), paths
}

func BenchmarkMatch(b *testing.B) {
	host := []byte("api.example.com:8080")
	for _, n := range []int{4, 100, 10_000} {
		table, paths := wideTable(b, n)
		for _, k := range []struct {
			name string
			path []byte
		}{{"param", paths[0]}, {"literal", paths[1]}, {"star", paths[2]}} {
			b.Run(fmt.Sprintf("routes=%d/%s", n, k.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if table.Match("GET", host, k.path, nil).Status != Found {
						b.Fatal("not found")
					}
				}
			})
		}
		b.Run(fmt.Sprintf("routes=%d/all", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i >= len(paths) {
					i = 0
				}
				table.Match("GET", host, paths[i*7919%len(paths)], nil)
			}
		})
	}
}

func BenchmarkNotFound(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		table, _ := wideTable(b, n)
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			for b.Loop() {
				table.NearMisses("GET", []byte("h"), []byte("/svk7/orders/1"), nil, 3)
			}
		})
	}
}

func BenchmarkNormalize(b *testing.B) {
	for _, p := range []string{"/api/v1/orders/12345/items", "/api/v1/orders/a%20b/%7Eitems/../x"} {
		buf := make([]byte, 0, 256)
		b.Run(p, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Normalize(buf, []byte(p)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	table := build(t, "- /*", "GET /orders/{id} X-V=2", "- api.example.com/orders/*", "- *.example.com/carts/{id}/x*")
	host, value := []byte("API.example.com:8080"), []byte("2")
	header := func(string) []byte { return value }
	for _, path := range []string{"/orders/1", "/carts/7/xy", "/nothing/here"} {
		p := []byte(path)
		if n := testing.AllocsPerRun(100, func() {
			if table.Match("GET", host, p, header).Status != Found {
				t.Fatal("not found")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}
