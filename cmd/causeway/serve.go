package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"causeway/internal/app"
	"causeway/internal/listen"
)

// serveFlags are what serve and proxy have in common.
type serveFlags struct {
	data      string
	listen    []string
	console   string
	allowOpen bool
	logFormat string
}

func (f *serveFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.data, "data", "./data", "folder for calls, accounts and keys")
	c.Flags().StringArrayVar(&f.listen, "listen", nil, "address for calls, instead of those in the file: HOST:PORT, unix:PATH or systemd[:NAME]; can be given several times (default "+app.DefaultListen+")")
	c.Flags().StringVar(&f.console, "console", "127.0.0.1:8090", "address for the console and the admin API")
	c.Flags().BoolVar(&f.allowOpen, "allow-open", false, "let services with access: open listen off loopback")
	c.Flags().StringVar(&f.logFormat, "log", "text", "how to log on standard error: text, json or off")
}

func newServe() *cobra.Command {
	var f serveFlags
	var config string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Start gateway, console and admin API",
		Long: `Starts gateway, console and admin API in one process, and prints one line once both listen:

  ready gateway=http://HOST:PORT console=http://HOST:PORT

Without --config it serves a sandbox model. The first start creates the account admin (its password is
CAUSEWAY_ADMIN_PASSWORD, or a random one that is printed once) and a key for the sandbox model.
SIGHUP, or a change of the file, reads the configuration again; SIGUSR2 starts the program anew and lets
it take over without losing a call; SIGTERM lets calls in flight end.`,
		Example: "  causeway serve\n  causeway serve --config causeway.yaml --data /var/lib/causeway --listen 0.0.0.0:8080",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd, app.Options{ConfigFile: config}, f)
		},
	}
	c.Flags().StringVar(&config, "config", "", "configuration file (see causeway schema)")
	f.add(c)
	return c
}

// serve runs the program until a signal ends it. A faulty configuration exits 2.
func serve(cmd *cobra.Command, o app.Options, f serveFlags) error {
	log, err := newLog(cmd, f.logFormat)
	if err != nil {
		return err
	}
	if o.Inherited, err = listen.Inherit(); err != nil {
		return &exitError{2, cmd.CommandPath() + ": " + err.Error()}
	}
	if o.Systemd, err = listen.FromSystemd(); err != nil {
		return &exitError{2, cmd.CommandPath() + ": " + err.Error()}
	}
	if o.Program, err = listen.Program(); err != nil {
		log.Warn("SIGUSR2 cannot start a new process", "error", err.Error())
	}
	o.DataDir, o.Listen, o.Console, o.AllowOpen, o.Log = f.data, f.listen, f.console, f.allowOpen, log
	o.Version, o.Commit, o.Stdout = version, buildCommit(), cmd.OutOrStdout()
	if file, ok := o.Stdout.(*os.File); ok {
		o.Terminal = term.IsTerminal(int(file.Fd()))
	}
	// The first signal drains, the second ends at once.
	drain, stop := context.WithCancel(context.Background())
	defer stop()
	now, stopNow := context.WithCancel(context.Background())
	defer stopNow()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP, syscall.SIGUSR2)
	defer signal.Stop(signals)

	atLeastTwoProcs()
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	a, err := app.New(drain, o)
	if err != nil {
		var bad *app.ConfigError
		if errors.As(err, &bad) {
			return &exitError{2, bad.Error()}
		}
		return &exitError{2, cmd.CommandPath() + ": " + err.Error()}
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				switch {
				case s == syscall.SIGHUP:
					a.Reload()
				case s == syscall.SIGUSR2:
					a.HandOver()
				case drain.Err() == nil:
					stop()
				default:
					stopNow()
				}
			}
		}
	}()
	if err := a.Run(drain, now); err != nil {
		return &exitError{1, cmd.CommandPath() + ": " + err.Error()}
	}
	return nil
}

func newLog(cmd *cobra.Command, format string) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)), nil
	case "off":
		return slog.New(slog.DiscardHandler), nil
	}
	return nil, errors.New("--log is text, json or off, not " + format)
}

// atLeastTwoProcs lets two threads run Go code where there is one processor. With one, a write to the
// disk or a batch for the call log would hold up every call until it is over; with two the kernel
// shares the processor. A GOMAXPROCS of the environment stands.
func atLeastTwoProcs() {
	if runtime.GOMAXPROCS(0) == 1 && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2)
	}
}

// heapFloor is memory that is asked for and never written to, so that the kernel never gives it. The
// garbage collector counts it, and does not run every few megabytes on a heap that is nearly empty.
const heapFloor = 8 << 20
