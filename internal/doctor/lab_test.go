package doctor

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/faulty"
	"causeway/internal/llm"
	"causeway/internal/llm/openai"
	"causeway/internal/meter"
	"causeway/internal/snapshot"
)

// compile is how the program makes a generation.
func compile(c *catalog.Catalog) (*snapshot.Generation, error) {
	m, err := meter.New(meter.Options{})
	if err != nil {
		return nil, err
	}
	return snapshot.Compile(c, nil, snapshot.Deps{
		Meter: m, Instance: "doctor", SandboxURL: "http://127.0.0.1:1/v1", Dialects: []llm.Dialect{openai.New()}, Speak: map[string]llm.Dialect{"openai": openai.New()},
	})
}

func configOf(t *testing.T, text string) *catalog.Catalog {
	t.Helper()
	c, faults := catalog.Parse("doctor.yaml", []byte("version: 1\n"+text), func(string) (string, bool) { return "", false })
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return c
}

// quick are limits for tests: longer than any server here needs that is well.
var quick = Limits{Connect: 700 * time.Millisecond, FirstByte: 700 * time.Millisecond, Idle: 700 * time.Millisecond, Total: 1500 * time.Millisecond}

func newLab(t *testing.T) *faulty.Lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "doc")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := faulty.New(faulty.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = lab.Close()
		_ = os.RemoveAll(dir)
	})
	return lab
}

// leftOut says why a fault can't show itself to a GET without a gateway, "" when it can.
func leftOut(f *faulty.Fault) string {
	switch n := f.Needs; {
	case n.Met() != nil:
		return n.Met().Error()
	case n.Upload:
		return "it needs an upload"
	case n.Upgrade:
		return "it needs an upgrade"
	case n.Target:
		return "it needs a gateway"
	case n.BodyLimit:
		return "the doctor reads the beginning of a long body and says so"
	case strings.HasPrefix(f.Name, "redirect_"):
		return "it leads to a name that is nobody's; redirects have tests of their own"
	case n.Stream:
		return "it needs a streamed question"
	}
	return ""
}

// TestTheDoctorNamesWhatTheLabProvokes meets every fault of the lab that a GET, or a question to a
// model, can meet: the doctor must say what the gateway must say.
func TestTheDoctorNamesWhatTheLabProvokes(t *testing.T) {
	t.Parallel()
	lab := newLab(t)
	met := 0
	for _, f := range faulty.All() {
		if why := leftOut(&f); why != "" {
			continue
		}
		if f.Kind != "" {
			met++
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			meet(t, lab, f)
		})
	}
	if met < 120 {
		t.Errorf("only %d faults were met", met)
	}
}

func meet(t *testing.T, lab *faulty.Lab, f faulty.Fault) {
	up, err := lab.StartFault(f, faulty.Params{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Limits: quick, Compile: compile, Resolver: up.Resolver}
	settings := fmt.Sprintf("tls: {ca_file: %q, server_name: %q, cert_file: %q, key_file: %q, pins: %s}, retries: {max: 0}", up.CAFile, up.ServerName, up.ShowCertFile, up.ShowKeyFile, pins(up))
	if up.Protocol != "" {
		settings += ", protocol: " + up.Protocol
	}
	if f.Kind == fault.TotalTimeout {
		settings += ", timeouts: {total: 900ms}"
	}
	switch {
	case f.LLM:
		o.Target, o.Ask = "model:it/gpt-test", true
		o.Config = configOf(t, fmt.Sprintf("providers:\n  it: {kind: openai-compatible, base_url: %q, keys: [sk-doctor-test-0123456789], %s}\n", up.URL+"/v1", settings))
	case up.Resolver != "" || up.CAFile == "" && up.Protocol == "" && f.Kind != fault.TotalTimeout:
		o.Target = up.URL
	default:
		o.Target = "service:it"
		o.Config = configOf(t, fmt.Sprintf("services:\n  it:\n    access: open\n    routes: [{path: /it/*}]\n    upstream: {targets: [{url: %q}], %s}\n", up.URL, settings))
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]fault.Kind{f.Kind}, f.Also...)
	switch f.Name { // the same two that the gateway may call otherwise: e2e/testdata/faults.tsv
	case "tls_alert_protocol":
		want = append(want, fault.TLSVersionMismatch)
	case "llm_bad_gateway_page":
		want = append(want, fault.ProviderError)
	}
	if !slices.Contains(want, r.Verdict.Kind) {
		t.Errorf("%s: the verdict is %q (%s), want one of %q\n%s", f.About, r.Verdict.Kind, r.Verdict.Detail, want, text(r))
	}
	if r.Verdict.Healthy != (r.Verdict.Kind == "") {
		t.Errorf("healthy is %v with the kind %q", r.Verdict.Healthy, r.Verdict.Kind)
	}
	if r.Verdict.Detail == "" || !r.Verdict.Healthy && (len(r.Verdict.Advice) == 0 || len(r.Verdict.Evidence) == 0) {
		t.Errorf("the verdict tells too little: %+v", r.Verdict)
	}
}

func pins(up *faulty.Upstream) string {
	var list []string
	for _, pin := range up.Pins {
		list = append(list, fmt.Sprintf("%q", "sha256/"+base64.StdEncoding.EncodeToString(pin[:])))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// text is a report as a person reads it.
func text(r *Report) string {
	var b strings.Builder
	p := NewPrinter(&b, false, false)
	for _, s := range r.Steps {
		p.Step(s)
	}
	p.Verdict(r)
	return b.String()
}
