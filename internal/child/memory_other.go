//go:build !linux

package child

// memory is what the kernel tells of processes that it ended for want of memory: nothing, here.
type memory struct{}

func watchMemory(int) *memory { return &memory{} }

func (*memory) kills() (int64, bool) { return 0, false }
func (*memory) limit() int64         { return 0 }
func (*memory) killed(int) string    { return "" }
