package fault

import "testing"

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 10 << 10: "10 KiB", 512 << 10: "512 KiB", 1<<20 - 1: "1 MiB",
		6341 << 10: "6.2 MiB", 16 << 20: "16 MiB", 1 << 30: "1 GiB", 41 << 30: "41 GiB", 5 << 40: "5 TiB", 5000 << 40: "5000 TiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) is %s, want %s", n, got, want)
		}
	}
}
