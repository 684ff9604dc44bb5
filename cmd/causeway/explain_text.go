package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"causeway/internal/app"
	"causeway/internal/journey"
	"causeway/internal/paste"
)

// text explains a text: the argument, or what stands in a file or, for -, on standard input.
func (f *explainFlags) text(cmd *cobra.Command, arg, file string) error {
	text := []byte(arg)
	if arg == "-" {
		in := cmd.InOrStdin()
		if file != "" {
			opened, err := os.Open(file)
			if err != nil {
				return &exitError{2, "causeway explain: " + err.Error()}
			}
			defer opened.Close()
			in = opened
		}
		var err error
		// One byte more than is read tells that there is more.
		if text, err = io.ReadAll(io.LimitReader(in, paste.Most+1)); err != nil {
			return &exitError{2, "causeway explain: reading the text: " + err.Error()}
		}
		if id, ok := journey.ParseID(strings.TrimSpace(string(text))); ok {
			return f.run(cmd, id)
		}
	}
	r := app.ExplainText(text)
	if len(r.Findings) == 0 && likeID.Match(text) {
		return fmt.Errorf("%q is not a call's id: 26 letters and digits, as in the header Causeway-Call-Id", text)
	}
	out := cmd.OutOrStdout()
	if f.json {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else if _, err := out.Write(r.Text(nil, colourful(out))); err != nil {
		return err
	}
	if len(r.Findings) == 0 {
		return &exitError{1, ""}
	}
	return nil
}

// likeID tells a mistyped id from a text.
var likeID = regexp.MustCompile(`^[0-9A-Za-z]{20,32}$`)
