package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"causeway/internal/app"
	"causeway/internal/child"
	"causeway/internal/ledger"
)

type runFlags struct {
	serveFlags
	to, restart, onExit string
	wait, stop          time.Duration
}

func newRun() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run [--to PORT|URL] [flags] -- COMMAND [ARGUMENT...]",
		Short: "Start a server and put the gateway before it",
		Long: `Starts COMMAND and puts the gateway before it, as causeway proxy does. How the process ends is joined to the
calls that failed with it: exit code or signal, the last lines of its standard error, a traceback of Python,
Node.js, Go or Java, and whether the kernel ended it for want of memory.

Without --to the port is found that COMMAND listens on (Linux). The ready line is printed when it answers, or
after --wait, with a word that it does not yet.

SIGINT and SIGTERM let calls in flight end, then end COMMAND; SIGHUP, SIGUSR1 and SIGUSR2 are passed on to it.
Its output goes to ours. When it ends by itself the gateway stays and explains (--on-exit exit: goes too);
--restart on-failure starts it again. The exit code is that of COMMAND, 128 and the number of the signal that
ended it.`,
		Example: "  causeway run -- python3 -m http.server 8000\n  causeway run --to 8000 -- gunicorn app:app\n  causeway run --to 3000 --restart on-failure --listen 127.0.0.1:9000 -- node server.js",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("a command is needed: causeway run -- COMMAND")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	c.Flags().SetInterspersed(false) // what follows COMMAND is its own
	c.Flags().StringVar(&f.to, "to", "", "where COMMAND listens: a port of 127.0.0.1, or a URL")
	c.Flags().StringVar(&f.restart, "restart", "no", "when COMMAND fails: no, or on-failure to start it again")
	c.Flags().StringVar(&f.onExit, "on-exit", "stay", "when COMMAND has ended for good: stay and explain, or exit")
	c.Flags().DurationVar(&f.wait, "wait", 30*time.Second, "how long to wait for COMMAND to listen")
	c.Flags().DurationVar(&f.stop, "stop-timeout", 10*time.Second, "how long COMMAND may take to end before it is killed")
	f.add(c)
	return c
}

// runner is causeway run at work.
type runner struct {
	f       *runFlags
	cmd     *cobra.Command
	log     *slog.Logger
	process *child.Process
	signals chan os.Signal
	drain   context.Context // ends with the first signal
	stop    context.CancelFunc
	now     context.Context // ends with the second
	stopNow context.CancelFunc
}

func (f *runFlags) run(cmd *cobra.Command, command []string) error {
	switch {
	case f.restart != "no" && f.restart != "on-failure":
		return fmt.Errorf("--restart is no or on-failure, not %q", f.restart)
	case f.onExit != "stay" && f.onExit != "exit":
		return fmt.Errorf("--on-exit is stay or exit, not %q", f.onExit)
	case f.wait <= 0 || f.stop <= 0:
		return errors.New("--wait and --stop-timeout are more than 0s")
	}
	target, err := f.target()
	if err != nil {
		return err
	}
	log, err := newLog(cmd, f.logFormat)
	if err != nil {
		return err
	}
	r := &runner{f: f, cmd: cmd, log: log, signals: make(chan os.Signal, 8)}
	r.drain, r.stop = context.WithCancel(context.Background())
	defer r.stop()
	r.now, r.stopNow = context.WithCancel(context.Background())
	defer r.stopNow()
	signal.Notify(r.signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(r.signals)

	if target != nil && taken(target) {
		r.say("something already listens on %s: the calls may go there and not to %s", target.Host, command[0])
	}
	r.process, err = child.Start(child.Options{
		Command: command, Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(), Log: log, Restart: f.restart == "on-failure",
		Mask: func(b []byte) []byte { return ledger.Mask(b, 64<<10) },
	})
	if err != nil {
		return &exitError{2, "causeway run: " + err.Error()}
	}
	over := make(chan struct{})
	defer close(over)
	go r.pass(over)
	err = r.serve(target)
	grace, cancel := context.WithTimeout(r.now, f.stop)
	defer cancel()
	exit := r.process.Stop(grace)
	if err == nil && exit.Code != 0 {
		return &exitError{exit.Code, "causeway run: " + r.process.Name() + " " + exit.String()}
	}
	return err
}

// say writes a line for the person who has started us.
func (r *runner) say(format string, args ...any) {
	fmt.Fprintf(r.cmd.ErrOrStderr(), "causeway run: "+format+"\n", args...)
}

// target is where --to says that the command listens, nil when it says nothing.
func (f *runFlags) target() (*url.URL, error) {
	to := strings.TrimPrefix(f.to, ":")
	if to == "" {
		return nil, nil
	}
	if n, err := strconv.Atoi(to); err == nil {
		if n < 1 || n > 65535 {
			return nil, fmt.Errorf("--to %s is no port: they are 1 to 65535", f.to)
		}
		to = "http://127.0.0.1:" + to
	} else if !strings.Contains(to, "://") && !strings.HasPrefix(to, "unix:") {
		to = "http://" + to
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" && u.Path == "" {
		return nil, fmt.Errorf("--to %q is neither a port nor a URL", f.to)
	}
	return u, nil
}

// dialled is what a target's URL is reached at.
func dialled(u *url.URL) (network, addr string) {
	if u.Scheme == "unix" {
		return "unix", u.Path
	}
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return "tcp", net.JoinHostPort(u.Hostname(), port)
}

func taken(u *url.URL) bool {
	network, addr := dialled(u)
	c, err := net.DialTimeout(network, addr, 500*time.Millisecond)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// pass takes signals: the first that ends drains the gateway, the second ends everything at once; the others
// are the command's.
func (r *runner) pass(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case s := <-r.signals:
			sig, _ := s.(syscall.Signal)
			switch {
			case sig != syscall.SIGTERM && sig != syscall.SIGINT:
				r.process.Signal(sig)
			case r.drain.Err() == nil:
				r.stop()
			default:
				r.stopNow()
			}
		}
	}
}

// serve runs the gateway until a signal ends it, or, with --on-exit exit, the command's end. A command that ends
// before it listens leaves nothing to explain: serve then returns nil at once.
func (r *runner) serve(target *url.URL) error {
	target, err := r.find(target)
	if err != nil || target == nil {
		return err
	}
	c, err := proxyCatalog(target.String())
	if err != nil {
		return &exitError{2, "causeway run: --to: " + err.Error()}
	}
	o := app.Options{
		Catalog: c, DataDir: r.f.data, Listen: r.f.listen, Console: r.f.console, AllowOpen: r.f.allowOpen, Log: r.log,
		Version: version, Commit: buildCommit(), Stdout: r.cmd.OutOrStdout(), Child: r.process.Facts, Endings: r.process.Endings, Terminal: terminal(r.cmd.OutOrStdout()),
	}
	atLeastTwoProcs()
	a, err := app.New(r.drain, o)
	if err != nil {
		return &exitError{2, "causeway run: " + err.Error()}
	}
	served := make(chan struct{})
	defer close(served)
	go func() {
		select {
		case <-served:
			return
		case <-r.process.Done():
		}
		if r.drain.Err() != nil {
			return
		}
		if r.f.onExit == "exit" {
			r.stop()
			return
		}
		r.say("%s %s. The gateway stays and explains; end it with Ctrl-C.", r.process.Name(), r.process.Exit())
	}()
	if err := a.Run(r.drain, r.now); err != nil {
		return &exitError{1, "causeway run: " + err.Error()}
	}
	return nil
}

// find waits until the command listens. It returns nil when there is nothing to serve: the command has ended, or
// a signal came.
func (r *runner) find(target *url.URL) (*url.URL, error) {
	ctx, cancel := context.WithTimeout(r.drain, r.f.wait)
	defer cancel()
	if target != nil {
		network, addr := dialled(target)
		err := r.process.Await(ctx, network, addr)
		switch {
		case err == nil:
			return target, nil
		case errors.Is(err, child.ErrEnded):
			return nil, nil
		case r.drain.Err() != nil:
			return nil, nil
		}
		r.say("nothing answers at %s yet, after %s; calls fail until it does", addr, r.f.wait)
		return target, nil
	}
	addr, others, err := r.process.FindPort(ctx)
	switch {
	case err == nil:
	case errors.Is(err, child.ErrEnded) || r.drain.Err() != nil:
		return nil, nil
	case errors.Is(err, errors.ErrUnsupported):
		return nil, &exitError{2, "causeway run: the port cannot be found on this system: name it with --to PORT"}
	default:
		return nil, &exitError{2, fmt.Sprintf("causeway run: %s listens on no TCP port after %s: name where it listens with --to, or wait longer with --wait", r.process.Name(), r.f.wait)}
	}
	if len(others) > 0 {
		r.say("%s listens on %s and also on %s; another one is chosen with --to", r.process.Name(), addr, ports(others))
	}
	return &url.URL{Scheme: "http", Host: addr}, nil
}

func ports(list []uint16) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = strconv.Itoa(int(p))
	}
	return strings.Join(words, ", ")
}

// terminal tells whether a person looks at out.
func terminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
