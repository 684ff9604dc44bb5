package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"causeway/internal/catalog"
)

const (
	// keptOutput is how much of a command's output is kept, its end.
	keptOutput = 1 << 10
	// endWithin is how long a command's pipes may stay open after it has ended or was killed.
	endWithin = 2 * time.Second
)

// environment is all that a command gets of it.
var environment = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}

// command runs a hook's command.
func (r *Runner) command(h *hook, e *Event) (o outcome) {
	o.exit = -1
	if o.err = runnable(h); o.err != nil {
		return o
	}
	args, err := arguments(h.set.Command[1:], e.Values)
	if err != nil {
		o.err = err
		return o
	}
	ctx, cancel := context.WithTimeout(r.ctx, h.set.Timeout)
	defer cancel()
	c := exec.CommandContext(ctx, h.set.Command[0], args...)
	var out tail
	c.Env, c.Dir, c.Stdin, c.Stdout, c.Stderr = environment, "/", bytes.NewReader(e.Body), &out, &out
	c.WaitDelay = endWithin
	alone(c)
	err = c.Run()
	if c.ProcessState != nil {
		o.exit = c.ProcessState.ExitCode()
	}
	switch {
	case r.ctx.Err() != nil:
		o.err = errStopped
	case ctx.Err() != nil:
		o.err = fmt.Errorf("it took longer than its timeout of %s and was killed", h.set.Timeout)
	case o.exit == 0 && (err == nil || errors.Is(err, exec.ErrWaitDelay)):
	case err != nil:
		o.err = err
	}
	if o.err != nil {
		o.output = out.text()
	}
	return o
}

// runnable tells why a hook's program is not run: the allow-list, or what the file is.
func runnable(h *hook) error {
	program := h.set.Command[0]
	if !slices.Contains(h.allowed, program) {
		return fmt.Errorf("%s is not in server.hooks_allow", program)
	}
	info, err := os.Stat(program)
	switch {
	case err != nil:
		return fmt.Errorf("looking at the program: %w", err)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not a program", program)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("%s can be changed by everybody (mode %s): it is not run", program, info.Mode().Perm())
	}
	return nil
}

// arguments puts the incident's values into the placeholders. A value that is not plain, or that would begin an
// argument as an option does, makes an error: it is not made to fit.
func arguments(list []string, values map[string]string) ([]string, error) {
	out := make([]string, len(list))
	for i, arg := range list {
		var b strings.Builder
		for rest := arg; ; {
			before, after, found := strings.Cut(rest, "{")
			name, then, closed := strings.Cut(after, "}")
			if !found || !closed || !slices.Contains(catalog.HookPlaceholders, name) {
				b.WriteString(rest)
				break
			}
			b.WriteString(before)
			value := values[name]
			switch {
			case value == "":
				return nil, fmt.Errorf("the argument %q needs {%s}, which this incident does not have", arg, name)
			case !plainValue(value):
				return nil, fmt.Errorf("the argument %q would get a value with characters that are not plain for {%s}", arg, name)
			case b.Len() == 0 && value[0] == '-':
				return nil, fmt.Errorf("the argument %q would begin with a hyphen", arg)
			}
			b.WriteString(value)
			rest = then
		}
		out[i] = b.String()
	}
	return out, nil
}

// plainValue tells whether a value has only characters that mean nothing to any program: letters, digits and
// those of names and addresses.
func plainValue(s string) bool {
	if len(s) > 300 || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._:/@+-[]", c) >= 0) {
			return false
		}
	}
	return true
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-keptOutput):]...)
	t.b = t.b[max(0, len(t.b)-keptOutput):]
	return len(p), nil
}

// text is the end as one printable line.
func (t *tail) text() string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(t.b), "?")))
}
