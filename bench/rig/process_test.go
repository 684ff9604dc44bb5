package rig

import (
	"context"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// here is the first core that the test may run on.
func here(t *testing.T) int {
	t.Helper()
	// The core is set through the thread, as the package asks of its users.
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	cores, err := FindCores()
	if err != nil {
		t.Skip(err)
	}
	return cores.Load
}

func launch(t *testing.T, core int, script string) *Process {
	t.Helper()
	p, err := start(core, t.TempDir(), "thing", true, "/bin/sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func TestAProcessRunsOnItsCore(t *testing.T) {
	core := here(t)
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("taskset is not installed")
	}
	p := launch(t, core, "taskset -cp $$; read line")
	line, err := p.line(context.Background(), "pid ", 5*time.Second)
	if err != nil || !strings.HasSuffix(line, ": 0") && core == 0 {
		t.Errorf("on core %d: %q, %v", core, line, err)
	}
}

func TestStopEndsAProcess(t *testing.T) {
	p := launch(t, here(t), "echo begun; read line; exec sleep 1000")
	if _, err := p.line(context.Background(), "begun", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	if !p.exited() {
		t.Error("it runs on")
	}
	if err := syscall.Kill(p.cmd.Process.Pid, 0); err == nil {
		t.Error("its process id is still in use")
	}
}

func TestTheLastWordsOfAProcessAreTold(t *testing.T) {
	p := launch(t, here(t), "echo cannot bind >&2; exit 1")
	_, err := p.line(context.Background(), "ready ", 5*time.Second)
	if err == nil || !strings.Contains(err.Error(), `ended before it said "ready"`) || !strings.Contains(err.Error(), "cannot bind") {
		t.Errorf("error: %v", err)
	}
}

func TestASilentProcessIsNotWaitedForLonger(t *testing.T) {
	p := launch(t, here(t), "read line")
	_, err := p.line(context.Background(), "ready ", 10*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "within 10ms") {
		t.Errorf("error: %v", err)
	}
}

func TestAProcessWithoutAProgramIsAnError(t *testing.T) {
	_, err := start(here(t), t.TempDir(), "thing", false, "/nonexistent/program")
	if err == nil || !strings.Contains(err.Error(), "starting thing") {
		t.Errorf("error: %v", err)
	}
	if _, err := FindProgram("no-such-program", "some-package"); err == nil || !strings.Contains(err.Error(), "apt-get install some-package") {
		t.Errorf("error: %v", err)
	}
}

func TestMemoryAndChildrenOfAProcess(t *testing.T) {
	p := launch(t, here(t), "sleep 1000 & echo begun; read line; kill $!")
	if _, err := p.line(context.Background(), "begun", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	children, err := childrenOf(p.cmd.Process.Pid)
	if err != nil || len(children) != 1 {
		t.Fatalf("children %v, %v; want one", children, err)
	}
	defer func() { _ = syscall.Kill(children[0], syscall.SIGKILL) }()
	m, err := ReadMemory(p.cmd.Process.Pid)
	if err != nil || m.Now < 100<<10 || m.Peak < m.Now {
		t.Errorf("memory %+v, %v", m, err)
	}
	if _, err := ReadMemory(1 << 30); err == nil {
		t.Error("a process that is not there has memory")
	}
}
