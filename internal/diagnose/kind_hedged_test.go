package diagnose

import (
	"testing"

	"causeway/internal/journey"
)

// An attempt that was given up because another target answered first has not failed, over HTTP/2 either.
func TestHedgedAttemptsHaveNoKind(t *testing.T) {
	for _, a := range []journey.Attempt{
		{End: journey.EndHedged, Phase: journey.PhaseWait},
		{End: journey.EndHedged, Phase: journey.PhaseBody, Status: 200},
		{End: journey.EndHedged, Phase: journey.PhaseWait, HTTP2: &journey.HTTP2Facts{Stream: 1}},
	} {
		if kind := Kind(&a); kind != "" {
			t.Errorf("%+v: %s", a, kind)
		}
	}
}
