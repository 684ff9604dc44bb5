package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// oneArgument is for commands that take exactly one: what it is called, and an example of it.
func oneArgument(name, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			if strings.TrimSpace(args[0]) == "" {
				return fmt.Errorf("%s is empty; for example: %s %s", name, cmd.CommandPath(), example)
			}
			return nil
		case 0:
			return fmt.Errorf("%s is missing; for example: %s %s", name, cmd.CommandPath(), example)
		}
		return tooMany(name, args)
	}
}

// tooMany is the error for arguments after the only one.
func tooMany(name string, args []string) error {
	return fmt.Errorf("one %s is taken, and %d were given: %s", name, len(args), quoted(args))
}

// optionalArgument is for commands that take at most one.
func optionalArgument(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return tooMany(name, args)
		}
		return nil
	}
}

// someArguments is for commands that take one or more.
func someArguments(name, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s is missing; for example: %s %s", name, cmd.CommandPath(), example)
		}
		return nil
	}
}

// noArguments is for commands that take none. A file's name stands where --config was left out.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if len(args) == 1 && cmd.Flags().Lookup("config") != nil {
		return fmt.Errorf("%q is not expected here: the configuration file stands in --config %s", args[0], args[0])
	}
	return fmt.Errorf("it takes no argument, and was given %s", quoted(args))
}

// aCommand is for the program itself, whose arguments are commands.
func aCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %s?", args[0], strings.Join(near, " or "))
	}
	names := make([]string, 0, len(cmd.Commands()))
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("unknown command %q; the commands are %s", args[0], strings.Join(names, ", "))
}

func quoted(args []string) string {
	const most = 4
	list := make([]string, 0, most+1)
	for i, a := range args {
		if i == most {
			list = append(list, "...")
			break
		}
		list = append(list, fmt.Sprintf("%q", a))
	}
	return strings.Join(list, " ")
}

// flagError says what is wrong with a flag, in one line with the fix.
func flagError(cmd *cobra.Command, err error) error {
	var none *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &none) && none.GetSpecifiedShortnames() == "":
		if near := nearestFlag(cmd, none.GetSpecifiedName()); near != "" {
			return fmt.Errorf("unknown flag: --%s; did you mean --%s?", none.GetSpecifiedName(), near)
		}
	case errors.As(err, &none):
		return fmt.Errorf("unknown flag: -%s; flags have long names, with two dashes", none.GetSpecifiedName())
	case errors.As(err, &empty):
		return fmt.Errorf("--%s needs a value: %s", empty.GetSpecifiedName(), empty.GetFlag().Usage)
	case errors.As(err, &wrong):
		return fmt.Errorf("--%s %q is not %s", wrong.GetFlag().Name, wrong.GetValue(), wanted(wrong.GetFlag().Value.Type()))
	}
	return err
}

// wanted is what a flag of a type takes.
func wanted(typ string) string {
	switch typ {
	case "duration":
		return "a time such as " + (1500 * time.Millisecond).String() + ", 30s or 2m"
	case "bool":
		return "true or false"
	case "int", "int64", "uint", "uint64":
		return "a whole number"
	case "float64":
		return "a number"
	}
	return "a " + typ
}

// nearestFlag is the flag that is at most two letters, or one more than a third of its letters, away; "" for none.
func nearestFlag(cmd *cobra.Command, name string) (near string) {
	least := min(2, 1+len(name)/3) + 1
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := distance(name, f.Name); d < least && !f.Hidden {
			near, least = f.Name, d
		}
	})
	return near
}

// distance is how many letters have to be put in, taken out or changed (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			d := corner
			if a[i-1] != b[j-1] {
				d++
			}
			corner, row[j] = row[j], min(d, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
