package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// keeperOfFiles is a provider that keeps files and batches, everybody's together, as one behind a shared key does.
type keeperOfFiles struct {
	mu      sync.Mutex
	files   []string // ids, the newest first
	batches []string
	made    int
	batch   string // a batch's object with %s for its id
	asked   []string
}

const runningBatch = `{"id":"%s","object":"batch","status":"in_progress","model":null,"input_file_id":"f","output_file_id":null,"usage":{"input_tokens":0,"output_tokens":0,"total_tokens":0}}`

func (k *keeperOfFiles) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, q.Method+" "+q.RequestURI)
	w.Header().Set("Content-Type", "application/json")
	kind, rest, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/v1/"), "/")
	id, part, _ := strings.Cut(rest, "/")
	list := &k.files
	object := `{"id":"%s","object":"file","bytes":1,"purpose":"batch","status":"processed"}`
	if kind == "batches" {
		list, object = &k.batches, k.batch
	}
	switch {
	case q.Method == http.MethodPost && id == "":
		k.made++
		id = fmt.Sprintf("%s-%d", strings.TrimSuffix(strings.TrimSuffix(kind, "s"), "e"), k.made)
		*list = slices.Insert(*list, 0, id)
		fmt.Fprintf(w, object, id)
	case part == "content":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>content of "+id+"</html>")
	case q.Method == http.MethodDelete:
		*list = slices.DeleteFunc(*list, func(s string) bool { return s == id })
		fmt.Fprintf(w, `{"id":%q,"object":"file","deleted":true}`, id)
	case id != "":
		fmt.Fprintf(w, object, id)
	default:
		k.page(w, q, *list, object)
	}
}

// page writes one page of three at most, whatever limit says.
func (k *keeperOfFiles) page(w http.ResponseWriter, q *http.Request, ids []string, object string) {
	if after := q.URL.Query().Get("after"); after != "" {
		ids = ids[slices.Index(ids, after)+1:]
	}
	more := len(ids) > 3
	ids = ids[:min(len(ids), 3)]
	var all []string
	for _, id := range ids {
		all = append(all, fmt.Sprintf(object, id))
	}
	fmt.Fprintf(w, `{"object":"list","data":[%s],"has_more":%t,"total":99}`, strings.Join(all, ","), more)
}

func (k *keeperOfFiles) last() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked[len(k.asked)-1]
}

func (k *keeperOfFiles) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.asked)
}

func newFilesRig(t *testing.T) (*mediaRig, *keeperOfFiles) {
	r := newMediaRig(t)
	k := &keeperOfFiles{batch: runningBatch}
	r.handle(k.ServeHTTP)
	return r, k
}

// line is a call of a batch.
func line(model string) string {
	return `{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"{\"body\":{\"model\":\"hidden\"}}"}],"model":"` + model + `"}}` + "\n"
}

func (r *mediaRig) upload(t *testing.T, key, content string) (id string) {
	t.Helper()
	contentType, body := multipartBody(t, "purpose", "batch", "file", content)
	g := r.do(t, key, "POST", "/v1/files", contentType, body, "Causeway-Provider", "openai")
	g.want(t, 200)
	if s := r.mediaLast(t, "/v1/files"); string(s.body) != string(body) || s.header.Get("Causeway-Provider") != "" {
		t.Errorf("the provider got %.300s %v", s.body, s.header)
	}
	return idOf(t, g.body)
}

func idOf(t *testing.T, body string) string {
	t.Helper()
	var o struct{ ID string }
	if err := json.Unmarshal([]byte(body), &o); err != nil || o.ID == "" {
		t.Fatalf("%v: %s", err, body)
	}
	return o.ID
}

func TestFilesBelongToWhoMadeThem(t *testing.T) {
	r, k := newFilesRig(t)
	mine := r.upload(t, "WEB", line("gpt-5-nano"))
	r.do(t, "WEB", "GET", "/v1/files/"+mine, "", nil).want(t, 200, mine)
	g := r.do(t, "WEB", "GET", "/v1/files/"+mine+"/content", "", nil)
	g.want(t, 200)
	if g.body != "<html>content of "+mine+"</html>" {
		t.Errorf("the content has changed: %s", g.body)
	}
	before := k.count()
	for _, path := range []string{"/v1/files/" + mine, "/v1/files/" + mine + "/content", "/v1/files/file-of-nobody", "/v1/batches/" + mine} {
		r.do(t, "APP", "GET", path, "", nil).want(t, 404, "object_not_found")
	}
	r.do(t, "APP", "DELETE", "/v1/files/"+mine, "", nil).want(t, 404, "object_not_found")
	r.do(t, "APP", "GET", "/v1/files?provider=openai&after="+mine, "", nil).want(t, 404, "object_not_found")
	r.do(t, "APP", "GET", "/v1/files?provider=openai", "", nil).want(t, 200, `"data":[]`)
	if n := k.count(); n != before {
		t.Errorf("the provider was asked %d times for what is another's, at last %s", n-before, k.last())
	}
	// In a conversation as well.
	for _, body := range []string{
		`{"model":"openai/gpt-4o","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"` + mine + `"}}]}]}`,
		`{"model":"openai/gpt-4o","messages":[{"role":"user","content":[{"type":"file","file":{"file\u005fid":"` + mine + `"}}]}]}`,
		`{"model":"openai/gpt-4o","messages":[],"tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["x","` + mine + `"]}}]}`,
	} {
		r.do(t, "APP", "POST", "/v1/chat/completions", "application/json", []byte(body)).want(t, 404, "object_not_found")
	}
	r.do(t, "WEB", "DELETE", "/v1/files/"+mine, "", nil).want(t, 200, `"deleted":true`)
	r.do(t, "WEB", "GET", "/v1/files/"+mine, "", nil).want(t, 404, "object_not_found")
}

func TestListsAreFiltered(t *testing.T) {
	r, k := newFilesRig(t)
	var mine []string
	for i := range 10 {
		if i%4 == 0 { // three of ten
			mine = append([]string{r.upload(t, "WEB", line("m"))}, mine...)
		} else {
			r.upload(t, "APP", line("m"))
		}
	}
	type page struct {
		Data    []struct{ ID string }
		FirstID *string `json:"first_id"`
		LastID  *string `json:"last_id"`
		HasMore bool    `json:"has_more"`
	}
	list := func(key, query string) (p page, ids []string) {
		t.Helper()
		g := r.do(t, key, "GET", "/v1/files"+query, "", nil, "Causeway-Provider", "openai")
		g.want(t, 200)
		if err := json.Unmarshal([]byte(g.body), &p); err != nil || strings.Contains(g.body, "total") {
			t.Fatal(err, g.body)
		}
		if g.header.Get("Content-Length") != strconv.Itoa(len(g.body)) {
			t.Errorf("a length of %s for %d bytes", g.header.Get("Content-Length"), len(g.body))
		}
		for _, d := range p.Data {
			ids = append(ids, d.ID)
		}
		return p, ids
	}
	// Page by page, as an SDK goes on: none is empty while there is more.
	var all []string
	after := ""
	for {
		p, ids := list("WEB", "?limit=1"+after)
		if all = append(all, ids...); !p.HasMore {
			break
		}
		if len(ids) != 1 || *p.LastID != ids[0] || *p.FirstID != ids[0] {
			t.Fatalf("a page of %v, %+v", ids, p)
		}
		after = "&after=" + *p.LastID
	}
	if !slices.Equal(all, mine) {
		t.Errorf("the pages have %v, want %v", all, mine)
	}
	if p, ids := list("WEB", "?limit=100"); !slices.Equal(ids, mine) || p.HasMore {
		t.Errorf("one page has %v, want %v", ids, mine)
	}
	// A provider's page at a time where no limit is said, none of them empty.
	all, after = nil, ""
	for {
		p, ids := list("WEB", after)
		if all = append(all, ids...); !p.HasMore {
			break
		}
		after = "?after=" + *p.LastID
	}
	if !slices.Equal(all, mine) {
		t.Errorf("the pages have %v, want %v", all, mine)
	}
	before := k.count()
	if p, ids := list("POOR", ""); len(ids) != 0 || p.HasMore || p.LastID != nil || k.count() != before {
		t.Errorf("one without files sees %v", ids)
	}
	r.do(t, "WEB", "GET", "/v1/files?provider=openai&after="+all[0]+"x", "", nil).want(t, 404, "object_not_found")
	r.do(t, "WEB", "GET", "/v1/files?provider=openai&limit=0", "", nil).want(t, 400, "limit")
}

func TestWhichProviderKeepsAFile(t *testing.T) {
	r, _ := newFilesRig(t)
	contentType, body := multipartBody(t, "purpose", "batch", "file", "x")
	// Several have files, and the one application may use one of them alone.
	r.do(t, "WEB", "POST", "/v1/files", contentType, body).want(t, 400, "azure", "openai", "Causeway-Provider")
	r.do(t, "SOME", "POST", "/v1/files", contentType, body).want(t, 200, `"object":"file"`)
	r.do(t, "NONE", "POST", "/v1/files", contentType, body).want(t, 400, "unsupported_feature")
	r.do(t, "NONE", "POST", "/v1/files", contentType, body, "Causeway-Provider", "openai").want(t, 403, "not_subscribed")
	r.do(t, "WEB", "POST", "/v1/files", contentType, body, "Causeway-Provider", "claude").want(t, 400, "unsupported_feature", "claude has no files")
	r.do(t, "WEB", "POST", "/v1/files?provider=nowhere", contentType, body).want(t, 400, "no provider")
	r.do(t, "WEB", "PATCH", "/v1/files", contentType, body).want(t, 405)
	r.do(t, "WEB", "POST", "/v1/files?provider=azure&x=1", contentType, body).want(t, 200)
	r.mediaLast(t, "/openai/files?api-version=2024-10-21&x=1")
}

// A file is not held: it goes to the provider while it comes.
func TestALargeUpload(t *testing.T) {
	r, _ := newFilesRig(t)
	content := strings.Repeat(line("gpt-5-nano"), (8<<20)/len(line("gpt-5-nano")))
	id := r.upload(t, "SOME", content)
	r.do(t, "SOME", "POST", "/v1/batches", "application/json", []byte(`{"input_file_id":"`+id+`","endpoint":"/v1/chat/completions","completion_window":"24h"}`)).want(t, 200)
	id = r.upload(t, "SOME", content+line("o1-pro")+content)
	r.do(t, "SOME", "POST", "/v1/batches", "application/json", []byte(`{"input_file_id":"`+id+`"}`)).want(t, 403, "not_subscribed", "openai/o1-pro")
}

func TestBatches(t *testing.T) {
	r, k := newFilesRig(t)
	file := r.upload(t, "WEB", line("gpt-5-nano"))
	create := []byte(`{"input_file_id":"` + file + `","endpoint":"/v1/chat/completions","completion_window":"24h"}`)
	before := k.count()
	r.do(t, "APP", "POST", "/v1/batches", "application/json", create).want(t, 404, "object_not_found", "input_file_id")
	r.do(t, "WEB", "POST", "/v1/batches", "application/json", []byte(`{"endpoint":"x"}`)).want(t, 400, "/input_file_id")
	r.do(t, "WEB", "POST", "/v1/batches", "application/json", []byte(`{"input_file_id":7}`)).want(t, 400, "/input_file_id")
	r.do(t, "WEB", "POST", "/v1/batches", "application/json", []byte(`[`)).want(t, 400)
	if k.count() != before {
		t.Errorf("the provider was asked: %s", k.last())
	}
	g := r.do(t, "WEB", "POST", "/v1/batches", "application/json", create)
	g.want(t, 200)
	id := idOf(t, g.body)
	if s := r.last(t); string(s.body) != string(create) {
		t.Errorf("the provider got %s", s.body)
	}
	r.do(t, "APP", "GET", "/v1/batches/"+id, "", nil).want(t, 404, "object_not_found")
	r.do(t, "APP", "POST", "/v1/batches/"+id+"/cancel", "", nil).want(t, 404, "object_not_found")
	g = r.do(t, "WEB", "GET", "/v1/batches/"+id, "", nil)
	g.want(t, 200)
	if u := r.recordOf(t, g).Usage; u.Source != "" {
		t.Errorf("a batch that runs is counted: %+v", u)
	}
	r.do(t, "WEB", "POST", "/v1/batches/"+id+"/cancel", "application/json", []byte("{}")).want(t, 200)
	if k.last() != "POST /v1/batches/"+id+"/cancel" {
		t.Errorf("the provider was asked %s", k.last())
	}
	r.do(t, "WEB", "GET", "/v1/batches?provider=openai", "", nil).want(t, 200, id)
	r.do(t, "APP", "GET", "/v1/batches?provider=openai", "", nil).want(t, 200, `"data":[]`)

	// Its end is counted once, and its output is the caller's.
	end := recordedCalls(t)["openai-0250"].Response.Body
	end = strings.ReplaceAll(end, "batch_6a85c08a63188190982c56b42faa4ff5", "%s")
	k.mu.Lock()
	k.batch = end
	k.mu.Unlock()
	const output = "file-4SnbT9qu8ShH2A1wCvTHNp"
	r.do(t, "WEB", "GET", "/v1/files/"+output+"/content", "", nil).want(t, 404)
	g = r.do(t, "WEB", "GET", "/v1/batches/"+id, "", nil)
	g.want(t, 200, `"completed"`)
	u := r.recordOf(t, g).Usage
	// gpt-5-nano costs 0.05 and 0.40 dollars for a million tokens; a batch half of that.
	if u.Input != 36 || u.Output != 224 || u.Reasoning != 128 || !u.Priced || u.Cost != (36*50+224*400)/2 || u.Extra == nil || !u.Extra.Batch {
		t.Errorf("usage %+v", u)
	}
	for range 2 {
		g = r.do(t, "WEB", "GET", "/v1/batches/"+id, "", nil)
		if u := r.recordOf(t, g).Usage; u.Source != "" || u.Cost != 0 {
			t.Errorf("counted twice: %+v", u)
		}
	}
	r.do(t, "WEB", "GET", "/v1/files/"+output+"/content", "", nil).want(t, 200, "content of "+output)
	r.do(t, "APP", "GET", "/v1/files/"+output+"/content", "", nil).want(t, 404)
}

// Whoever only looks at lists pays as well, and a budget that is spent makes no more batches.
func TestABatchAgainstABudget(t *testing.T) {
	r, k := newFilesRig(t)
	file := r.upload(t, "POOR", line("gpt-5-nano"))
	create := []byte(`{"input_file_id":"` + file + `"}`)
	for range 2 {
		r.do(t, "POOR", "POST", "/v1/batches", "application/json", create).want(t, 200)
	}
	k.mu.Lock()
	k.batch = `{"id":"%s","object":"batch","status":"completed","model":"gpt-5-nano","usage":{"input_tokens":1000000,"output_tokens":0,"total_tokens":1000000}}`
	k.mu.Unlock()
	g := r.do(t, "POOR", "GET", "/v1/batches?provider=openai", "", nil)
	g.want(t, 200)
	if u := r.recordOf(t, g).Usage; u.Input != 2000000 || u.Cost != 50_000_000 || !u.Priced {
		t.Errorf("usage %+v", u)
	}
	r.do(t, "POOR", "POST", "/v1/batches", "application/json", create).want(t, 429, "budget")
	unknown := r.upload(t, "POOR", line("a-model-that-nobody-knows"))
	r.do(t, "POOR", "POST", "/v1/batches", "application/json", []byte(`{"input_file_id":"`+unknown+`"}`)).want(t, 403, "price_unknown")
}

func TestWhatABatchsFileNames(t *testing.T) {
	r, _ := newFilesRig(t)
	for name, tc := range map[string]struct {
		content string
		status  int
	}{
		"its own model":                 {line("gpt-5-nano"), 200},
		"what a model's name leads to":  {line("whisper-1-with-a-longer-name"), 200},
		"another one":                   {line("gpt-5-nano") + line("gpt-5"), 403},
		"none":                          {`{"custom_id":"1","body":{"input":"x"}}` + "\n", 403},
		"a name with escapes":           {`{"body":{"mod\u0065l":"gpt-5"}}` + "\n" + line("gpt-5-nano"), 403},
		"a model with escapes":          {line(`gpt-\u0035`), 403},
		"an object over several lines":  {"{\n\"body\":{\"model\":\"gpt-5\"}}\n" + line("gpt-5-nano"), 403},
		"two models in a line":          {strings.Replace(line("gpt-5-nano"), `"model"`, `"model":"gpt-5","model"`, 1), 403},
		"a model elsewhere in the line": {`{"model":"gpt-5","body":{"x":{"model":"o1"},"model":"gpt-5-nano"}}`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			id := r.upload(t, "SOME", tc.content)
			g := r.do(t, "SOME", "POST", "/v1/batches", "application/json", []byte(`{"input_file_id":"`+id+`"}`))
			if g.status != tc.status {
				t.Errorf("%d %s", g.status, g.body)
			}
		})
	}
}
