package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"causeway/internal/catalog"
)

func newValidate() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "validate FILE",
		Short: "Check a configuration file",
		Long: `Checks a configuration file and prints every fault as FILE:LINE:COLUMN: message, with what would be right.
Exit 0 when it is valid, 1 when it has faults, 2 when it can't be read.`,
		Example: "  causeway validate causeway.yaml\n  causeway validate --json causeway.yaml",
		Args:    oneArgument("FILE", "causeway.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, faults, err := catalog.Load(args[0], os.LookupEnv)
			if err != nil {
				return &exitError{2, "causeway validate: " + err.Error()}
			}
			out := cmd.OutOrStdout()
			if asJSON {
				if faults == nil {
					faults = catalog.Faults{}
				}
				if err := json.NewEncoder(out).Encode(map[string]any{"valid": len(faults) == 0, "faults": faults}); err != nil {
					return err
				}
			} else {
				for _, f := range faults {
					fmt.Fprintln(out, f)
				}
				if len(faults) == 0 {
					fmt.Fprintf(out, "%s is valid\n", args[0])
				}
			}
			if len(faults) > 0 {
				return &exitError{code: 1}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of the configuration file",
		Long:    "Prints the JSON Schema (2020-12) of the configuration file, for editors and checks.",
		Example: "  causeway schema > causeway.schema.json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(append(catalog.Schema(), '\n'))
			return err
		},
	}
}
