package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"causeway/e2e/sdks/peers"
)

// The official SDKs, unmodified and with nothing but the base URL changed, over every provider dialect. One process
// for each SDK walks all of its rows (sdks/walk.mjs, and sdks/go for those of Go); the providers are played by local
// peers (sdks/peers). `make test` walks rows that cover each two of SDK, task and provider together, `make test-sdk`
// all of them; the tables are in sdks_rows_test.go.

// sdkAnswer is what a program got.
type sdkAnswer struct {
	Name     string         `json:"name"`
	OK       bool           `json:"ok"`
	Text     string         `json:"text"`
	Thinking string         `json:"thinking"`
	Calls    []peers.Call   `json:"calls"`
	Object   map[string]any `json:"object"`
	Chunks   int            `json:"chunks"`
	Input    int            `json:"input"`
	Output   int            `json:"output"`
	Vectors  []int          `json:"vectors"`
	Tokens   int            `json:"tokens"`
	IDs      []string       `json:"ids"`
	Error    struct {
		Classes []string `json:"classes"`
		Status  int      `json:"status"`
		Message string   `json:"message"`
	} `json:"error"`
	Answers []struct {
		Status  int    `json:"status"`
		Call    string `json:"call"`
		Lost    string `json:"lost"`
		Finding string `json:"finding"`
	} `json:"answers"`
}

// lost are the fields that the gateway reported, of all answers.
func (a *sdkAnswer) lost() []string {
	var all []string
	for _, one := range a.Answers {
		for entry := range strings.SplitSeq(one.Lost, ",") {
			if entry = strings.TrimSpace(entry); entry != "" && !slices.Contains(all, entry) {
				all = append(all, entry)
			}
		}
	}
	slices.Sort(all)
	return all
}

// finding is the last kind that the gateway read in an answer of a provider's.
func (a *sdkAnswer) finding() string {
	if len(a.Answers) == 0 {
		return ""
	}
	return a.Answers[len(a.Answers)-1].Finding
}

// matrixRow is one row: an SDK does a task with a model of a provider.
type matrixRow struct {
	SDK, Task, Provider string
}

func (r matrixRow) name() string { return r.SDK + "/" + r.Task + "/" + r.Provider }

// outcome is what came of a row.
type outcome struct {
	row  matrixRow
	got  sdkAnswer
	fact peers.Facts
}

// goSDKs builds e2e/sdks/go, once.
var goSDKs = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "gosdks")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = "sdks/go"
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building e2e/sdks/go: %w\n%s", err, out)
	}
	return path, nil
})

// matrixKey is what the programs have for the gateway.
const matrixKey = "cw-sdk-matrix-0123456789abcdef"

// matrixGateway starts the peers and a gateway before them. A row that fails has a provider of its own: what one
// failure teaches the gateway of a provider must not change the next row.
func matrixGateway(t *testing.T, rows []matrixRow) (*gateway, map[string]*peers.Peer) {
	t.Helper()
	all := peers.Start(t)
	var b strings.Builder
	b.WriteString("version: 1\nproviders:\n")
	provider := func(name, of string) {
		d := matrixProviders[of]
		fmt.Fprintf(&b, "  %s: {kind: %s, base_url: %q, %s, retries: {max: 0}}\n", name, d.kind, all[of].URL+d.root, d.keys)
	}
	for name := range matrixProviders {
		provider(name, name)
	}
	for _, r := range rows {
		if matrixTasks[r.Task].fails != "" {
			provider(r.failing(), r.Provider)
		}
	}
	fmt.Fprintf(&b, "applications:\n  web: {keys: [%s], subscribes: [models/*]}\n", matrixKey)
	return serve(t, b.String(), withEnv("PEER_KEY="+peers.Key, "PEER_AWS_ID="+peers.AccessKey, "PEER_AWS_SECRET="+peers.SecretKey)), all
}

// failing is the provider of a row whose provider fails.
func (r matrixRow) failing() string { return "x-" + r.SDK + "-" + r.Task + "-" + r.Provider }

// model is what the program asks for.
func (r matrixRow) model() string {
	if fails := matrixTasks[r.Task].fails; fails != "" {
		return r.failing() + "/" + fails
	}
	return r.Provider + "/" + matrixProviders[r.Provider].model
}

// walk runs each SDK's rows in one process and returns what came, in the rows' order.
func walk(t *testing.T, g *gateway, all map[string]*peers.Peer, rows []matrixRow) []outcome {
	t.Helper()
	node := needs(t, "node")
	if _, err := os.Stat("sdks/node_modules/openai"); err != nil {
		t.Fatalf("the SDKs are not installed (run npm ci in e2e/sdks): %v", err)
	}
	type input struct {
		Name  string `json:"name"`
		Do    string `json:"do"`
		Model string `json:"model"`
		Base  string `json:"base"`
		Key   string `json:"key"`
	}
	program, err := goSDKs()
	if err != nil {
		t.Fatal(err)
	}
	of := map[string][]int{}
	for i, r := range rows {
		of[r.SDK] = append(of[r.SDK], i)
	}
	out := make([]outcome, len(rows))
	for sdk, list := range of {
		var inputs []input
		for _, i := range list {
			r := rows[i]
			inputs = append(inputs, input{r.name(), matrixTasks[r.Task].do, r.model(), g.URL, matrixKey})
		}
		text, err := json.Marshal(inputs)
		if err != nil {
			t.Fatal(err)
		}
		name, args := node, []string{"sdks/walk.mjs", sdk}
		if strings.HasPrefix(sdk, "go-") {
			name, args = program, []string{sdk}
		}
		r := command(t, string(text), name, args...)
		if r.code != 0 {
			t.Fatalf("%s: exit code %d\n%s", sdk, r.code, r.err)
		}
		var answers []sdkAnswer
		decode(t, []byte(r.out), &answers)
		want(t, sdk+": answers", len(answers), len(list))
		for n, i := range list {
			out[i] = outcome{row: rows[i], got: answers[n], fact: factsOf(t, all, rows[i])}
		}
	}
	return out
}

// factsOf are what the provider's recorded answers say for a row.
func factsOf(t *testing.T, all map[string]*peers.Peer, r matrixRow) peers.Facts {
	t.Helper()
	task, form := matrixTasks[r.Task], matrixProviders[r.Provider].form
	if (r.Provider == "openai" || r.Provider == "ollama") && (matrixSDKs[r.SDK].responses || strings.HasPrefix(task.do, "responses")) {
		form = "responses"
	}
	find := func(cases ...string) peers.Facts {
		for _, kase := range cases {
			if f, ok := all[r.Provider].Facts(form, kase, task.streams || r.Task == "thinking-tools" && matrixSDKs[r.SDK].thinkingStreams); ok {
				return f
			}
		}
		t.Fatalf("%s: the peer has no answer to %q", r.name(), cases)
		return peers.Facts{}
	}
	if !task.tools {
		if task.kase == "" {
			return peers.Facts{}
		}
		if task.kase == "thinking" && matrixSDKs[r.SDK].quiet(r.Provider) {
			return find("text")
		}
		return find(task.kase, "text")
	}
	f := find("after")
	calls := find(task.kase, "tools")
	f.Calls, f.Thinking = calls.Calls, calls.Thinking
	return f
}

// check holds what a program got against what the provider said. It returns what the document tells of the row.
func (o *outcome) check(t *testing.T) string {
	t.Helper()
	task, sdk, got := matrixTasks[o.row.Task], matrixSDKs[o.row.SDK], &o.got
	if task.fails != "" {
		o.failed(t)
		return "ok"
	}
	if task.needs != "" && !strings.Contains(" "+matrixProviders[o.row.Provider].has+" ", " "+task.needs+" ") {
		if got.OK {
			t.Errorf("a provider without %s answered: %+v", task.needs, got)
		}
		contains(t, "the error", got.Error.Message, "unsupported_feature")
		return "refused"
	}
	if !got.OK {
		t.Fatalf("it failed: %v %d\n%.1500s", got.Error.Classes, got.Error.Status, got.Error.Message)
	}
	switch task.do {
	case "embed", "rerank":
		want(t, "vectors", fmt.Sprint(got.Vectors), fmt.Sprint(task.vectors))
	case "count":
		if got.Tokens <= 0 {
			t.Errorf("%d tokens", got.Tokens)
		}
	case "list":
		if len(got.IDs) == 0 {
			t.Error("no models")
		}
	case "schema":
		var fact map[string]any
		decode(t, []byte(o.fact.Text), &fact)
		want(t, "name", got.Object["name"], fact["name"])
		want(t, "age", got.Object["age"], fact["age"])
	default:
		want(t, "text", strings.TrimSpace(got.Text), strings.TrimSpace(o.fact.Text))
		if o.row.Task == "stream" && got.Chunks < 2 {
			t.Errorf("the answer came in %d chunks", got.Chunks)
		}
		if !task.tools && sdk.usage && !(task.streams && o.row.SDK == "mistral" && o.row.Provider != "mistral") {
			want(t, "input tokens", got.Input, o.fact.Input)
			want(t, "output tokens", got.Output, o.fact.Output)
		}
		if task.tools {
			want(t, "calls", callsText(got.Calls), callsText(o.fact.Calls))
		}
		if strings.HasPrefix(o.row.Task, "thinking") && sdk.thinking {
			if !strings.HasPrefix(strings.TrimSpace(got.Thinking), strings.TrimSpace(o.fact.Thinking)) { // more may come behind the calls
				t.Errorf("thinking is %q, want %q", got.Thinking, o.fact.Thinking)
			}
		}
	}
	if lost := got.lost(); len(lost) > 0 {
		return strings.Join(lost, ", ")
	}
	return "ok"
}

func callsText(calls []peers.Call) string {
	text, _ := json.Marshal(calls) // maps are in the order of their keys
	return string(text)
}

// failed wants the SDK's right exception, with what a program needs to know in its message.
func (o *outcome) failed(t *testing.T) {
	t.Helper()
	task, sdk, got := matrixTasks[o.row.Task], matrixSDKs[o.row.SDK], &o.got
	if got.OK {
		t.Fatalf("nothing was raised: %+v", got)
	}
	if class := sdk.classes[task.fails]; class != "" && !slices.Contains(got.Error.Classes, class) {
		t.Errorf("raised %v, want %s: %.600s", got.Error.Classes, class, got.Error.Message)
	}
	if task.streams {
		if sdk.tellsBreaks {
			contains(t, "the error of a stream that broke", got.Error.Message, task.kind)
		}
		return
	}
	if got.finding() != task.kind && !strings.Contains(got.Error.Message, task.kind) {
		t.Errorf("nothing names %s: finding %q, message %.600s", task.kind, got.finding(), got.Error.Message)
	}
}
