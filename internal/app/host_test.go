package app

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/shed"
)

func TestTroublesAreToldOnce(t *testing.T) {
	var log strings.Builder
	w := &hostWatch{log: slog.New(slog.NewTextHandler(&log, nil))}
	now := time.Now()
	second := func(list ...diagnose.HostTrouble) {
		now = now.Add(time.Second)
		w.note(list, now)
	}
	slow := diagnose.HostTrouble{Kind: fault.GatewayDiskSlow, Text: "the disk is slow"}
	low := diagnose.HostTrouble{Kind: fault.GatewayMemoryLow, Text: "little is left"}
	second(slow)
	if w.told() != nil || log.Len() > 0 {
		t.Errorf("told after a second: %q, %q", w.told(), log.String())
	}
	for range 5 {
		second(slow, low, diagnose.HostTrouble{Kind: fault.GatewayMemoryLow, Text: "said in other words"})
	}
	if got := strings.Join(w.told(), "; "); got != "gateway_disk_slow: the disk is slow; gateway_memory_low: little is left" {
		t.Errorf("told: %s", got)
	}
	if n := strings.Count(log.String(), "in trouble"); n != 2 {
		t.Errorf("%d lines: %s", n, log.String())
	}
	for range troubleOver - 1 {
		second(low)
	}
	second(slow, low) // it comes and goes
	for range troubleOver {
		second(low)
	}
	if got := w.told(); len(got) != 1 || !strings.HasPrefix(got[0], "gateway_memory_low") {
		t.Errorf("then: %q", got)
	}
	if s := log.String(); strings.Count(s, "in trouble") != 2 || strings.Count(s, "well again") != 1 || !strings.Contains(s, "kind=gateway_disk_slow") {
		t.Errorf("the log: %s", s)
	}
	for range troubleOver + 1 {
		second()
	}
	if w.told() != nil || len(w.warnings) > 0 {
		t.Errorf("at the end: %q", w.told())
	}
}

func TestWhatLoadSheddingDoesIsATrouble(t *testing.T) {
	for _, c := range []struct {
		s    shed.State
		want []fault.Kind
	}{
		{shed.State{}, nil},
		{shed.State{MemoryLow: "soft"}, []fault.Kind{fault.GatewayMemoryLow}},
		{shed.State{MemoryLow: "hard", TurnedAway: 0.1}, []fault.Kind{fault.GatewayMemoryLow, fault.GatewayOverloaded}},
	} {
		var got []fault.Kind
		for _, x := range loadTroubles(&c.s) {
			got = append(got, x.Kind)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c.s, got)
		}
	}
}

func TestConnectionsThatCannotBeAccepted(t *testing.T) {
	var log strings.Builder
	w := &hostWatch{log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 100 {
		w.notAccepted(errors.Join(os.NewSyscallError("accept4", syscall.EMFILE)))
	}
	if n := strings.Count(log.String(), "\n"); n < 1 || n > 3 || !strings.Contains(log.String(), `error="too many open files"`) {
		t.Errorf("the log: %s", log.String())
	}
	w.sample(nil)
	w.sample(nil)
	if got := strings.Join(w.told(), "; "); got != "gateway_files_exhausted: connections of callers could not be accepted: too many open files" {
		t.Errorf("told: %s", got)
	}
}
