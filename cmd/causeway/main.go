// Command causeway is an AI gateway and API gateway that explains every failure.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// version and commit are set by the build (-ldflags "-X main.version=... -X main.commit=...").
var (
	version = "0.1.0"
	commit  = ""
)

// exitError carries an exit code; text, when not empty, is printed on standard error.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with its surroundings as arguments: exit 0 when all is well, 1 when what was asked
// for found a fault, 2 when it could not be done as asked.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return 0
	}
	var exit *exitError
	if errors.As(err, &exit) {
		if exit.text != "" {
			fmt.Fprintln(stderr, exit.text)
		}
		return exit.code
	}
	fmt.Fprintf(stderr, "%s: %v (see %s --help)\n", cmd.CommandPath(), err, cmd.CommandPath())
	return 2
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "causeway",
		Short:         "An AI gateway and API gateway that explains every failure",
		Long:          "Causeway stands before your model providers and your own REST services, and explains every failure:\nwho failed, at which step, what was ruled out, and what to do.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          aCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.Version = version
	root.SetVersionTemplate("causeway {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newServe(),
		newProxy(),
		newRun(),
		newValidate(),
		newExplain(),
		newIncidents(),
		newDoctor(),
		newRepro(),
		newDrill(),
		newReconcile(),
		newSchema(),
		newVersion(),
	)
	return root
}
