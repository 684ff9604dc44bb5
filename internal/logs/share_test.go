package logs

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
)

// A share is told as a person writes it, whatever the binary fraction looks like.
func TestSharesAreRoundedInTheText(t *testing.T) {
	r := &Report{Failures: 3, Answers: 4, Causes: []Cause{{Title: "it died", Cause: fault.Software, Failures: 1, Share: 0.333}}}
	if text := string(r.Text(nil, time.UTC, false)); !strings.Contains(text, "1 failed request (33.3 %)") {
		t.Errorf("it says:\n%s", text)
	}
}
