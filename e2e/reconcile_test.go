package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReconcile: a provider's usage file is compared with the call log by the command, with the files of OpenAI and
// Anthropic: over the socket, over the console, from standard input.
func TestReconcile(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	key := g.sandboxKey(t)
	var in, out int64
	for range 3 {
		a := g.chat(t, client(t), key, chatBody("sandbox/echo", "one two three", false))
		want(t, "status", a.status, 200)
		rec := g.record(t, a.id)
		in, out = in+*rec.Usage.Input, out+*rec.Usage.Output
	}
	today := time.Now().UTC().Format(time.DateOnly)
	openAI := func(requests, output int64) string {
		return fmt.Sprintf("start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens,batch\n1,2,%sT00:00:00+00:00,%sT23:59:59+00:00,p,%d,echo,%d,%d,0,False\n", today, today, requests, in, output)
	}
	anthropic := fmt.Sprintf("usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_read,usage_output_tokens,usage_type\n%s,echo,k,%d,0,0,%d,standard\n", today, in, out)
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "usage.csv")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}

	r := causeway(t, "reconcile", "--data", g.Data, "--provider", "sandbox", file(openAI(3, out)))
	if r.code != 0 || !strings.Contains(r.out, "agree in all 1 rows") || !strings.Contains(r.out, today) {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	r = causeway(t, "reconcile", "--data", g.Data, "--provider", "sandbox", file(anthropic))
	if r.code != 0 {
		t.Errorf("Anthropic's file: exit %d: %s%s", r.code, r.out, r.err)
	}

	r = causeway(t, "reconcile", "--data", g.Data, "--provider", "sandbox", file(openAI(5, out+40)))
	if r.code != 1 || !strings.Contains(r.out, "1 of 1 rows differ") || !strings.Contains(r.out, "5 / 3") || !strings.Contains(r.out, "2 requests more: another client uses the same account") || r.err != "" {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	r = commandEnv(t, []string{"CAUSEWAY_SERVER=" + g.Console, "CAUSEWAY_TOKEN=" + g.token(t)}, openAI(5, out), binary, "reconcile", "--json", "--provider", "sandbox", "-")
	var told struct {
		Agrees bool
		Format string
		Rows   []struct{ Explanations []string }
	}
	if err := json.Unmarshal([]byte(r.out), &told); r.code != 1 || err != nil || told.Agrees || told.Format != "openai" || len(told.Rows) != 1 || len(told.Rows[0].Explanations) == 0 {
		t.Errorf("exit %d, %v: %s%s", r.code, err, r.out, r.err)
	}

	usage := file(openAI(3, out))
	oneLine(t, causeway(t, "reconcile", "--data", g.Data, "--provider", "sandbox", filepath.Join(g.Data, "none.csv")), 2, "none.csv")
	oneLine(t, causeway(t, "reconcile", "--data", g.Data, "--provider", "sandbox", file("day,model\n")), 2, "can't be read")
	oneLine(t, causeway(t, "reconcile", "--data", t.TempDir(), "--provider", "sandbox", usage), 2, "no instance runs", "--server")
	oneLine(t, causeway(t, "reconcile", "--server", g.Console, "--provider", "sandbox", usage), 2, "--token", "CAUSEWAY_TOKEN")
	oneLine(t, causeway(t, "reconcile", "--data", g.Data, usage), 2, "--provider")
	oneLine(t, causeway(t, "reconcile", "--provider", "sandbox"), 2, "FILE")
}
