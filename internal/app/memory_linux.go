package app

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// forgetProgram lets the kernel take back the pages of the program's own file: code and constants, most of which only
// the start has needed (the tables of the configuration's keys, vocabularies, what the linker keeps for traces). They
// stay in the host's page cache and come back, some dozens at a time, when they are needed again. What was written
// to is not touched.
func forgetProgram() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uintptr
		var mode string
		line := lines.Text()
		if !strings.HasSuffix(line, exe) {
			continue
		}
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n == 3 && (mode == "r-xp" || mode == "r--p") {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}
