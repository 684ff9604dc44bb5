package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"causeway/bench/rig"
)

// facts are what of the machine bears on the figures; nothing that names it.
type facts struct {
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Siblings bool              `json:"siblings"` // the two cores used are threads of one
	Memory   string            `json:"memory"`
	System   string            `json:"system"`
	Kernel   string            `json:"kernel"`
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"`
	// LoadAverage is the machine's load over the last minute before the run: above 0.5 something
	// else runs, and the figures are noisy.
	LoadAverage float64 `json:"load_average"`
}

func findFacts(causeway string, cores rig.Cores) (facts, error) {
	f := facts{
		CPU:    valueIn("/proc/cpuinfo", "model name", ":"),
		Cores:  runtime.NumCPU(),
		System: strings.Trim(valueIn("/etc/os-release", "PRETTY_NAME", "="), `"`),
		Go:     runtime.Version(), Versions: map[string]string{},
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return f, fmt.Errorf("reading the kernel's version: %w", err)
	}
	f.Kernel = unix.ByteSliceToString(name.Release[:])
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return f, fmt.Errorf("reading the memory's size: %w", err)
	}
	f.Memory = fmt.Sprintf("%.0f GiB", float64(info.Totalram)*float64(info.Unit)/(1<<30))
	// What the kernel does not tell stays unsaid.
	siblings, _ := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cores.Load))
	other, _ := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cores.Proxy))
	f.Siblings = len(siblings) > 0 && string(siblings) == string(other)
	average, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(average), " ")
	f.LoadAverage, _ = strconv.ParseFloat(first, 64)

	for _, program := range []struct {
		name, debian string
		version      string
	}{{rig.Nginx, "nginx-light", "-v"}, {rig.HAProxy, "haproxy", "-v"}} {
		path, err := rig.FindProgram(program.name, program.debian)
		if err != nil {
			return f, err
		}
		if f.Versions[program.name], err = version(path, program.version); err != nil {
			return f, err
		}
	}
	if causeway != "" {
		var err error
		if f.Versions[rig.Causeway], err = version(causeway, "version"); err != nil {
			return f, err
		}
	}
	return f, nil
}

// version is the first line that a program prints about itself.
func version(program, argument string) (string, error) {
	text, err := exec.Command(program, argument).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w: %s", program, err, strings.TrimSpace(string(text)))
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return first, nil
}

// valueIn is the value of the first line of a file that begins with name; "unknown" without one.
func valueIn(file, name, separator string) string {
	text, _ := os.ReadFile(file) // a file that is not there has no such line
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, separator); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
