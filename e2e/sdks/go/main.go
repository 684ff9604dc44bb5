// Command go walks a list of calls with one of the official Go SDKs, unmodified, and prints what its user gets, as
// walk.mjs does for the SDKs of npm.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

// row is one thing that a program does.
type row struct {
	Name  string `json:"name"`
	Do    string `json:"do"`
	Model string `json:"model"`
	Base  string `json:"base"`
	Key   string `json:"key"`
}

// result is what came of it.
type result struct {
	Name     string         `json:"name"`
	OK       bool           `json:"ok"`
	Text     string         `json:"text"`
	Thinking string         `json:"thinking"`
	Calls    []toolCall     `json:"calls"`
	Object   map[string]any `json:"object"`
	Chunks   int            `json:"chunks"`
	Input    int64          `json:"input"`
	Output   int64          `json:"output"`
	Vectors  []int          `json:"vectors"`
	Tokens   int64          `json:"tokens"`
	Error    *failure       `json:"error,omitempty"`
	Answers  []head         `json:"answers"`
}

type toolCall struct {
	Name string         `json:"name"`
	Args map[string]any `json:"args"`
}

type failure struct {
	Classes []string `json:"classes"`
	Status  int      `json:"status"`
	Message string   `json:"message"`
}

// head is the head of one of the gateway's answers.
type head struct {
	Status  int    `json:"status"`
	Call    string `json:"call"`
	Lost    string `json:"lost"`
	Finding string `json:"finding"`
}

// noting notes the heads of what comes.
type noting struct{ heads []head }

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		n.heads = append(n.heads, head{res.StatusCode, res.Header.Get("Causeway-Call-Id"), res.Header.Get("Causeway-Translation"), res.Header.Get("Causeway-Finding")})
	}
	return res, err
}

// action does one thing with a model.
type action func(ctx context.Context, model string, got *result) error

// What the programs ask for, as in tasks.mjs.
const (
	prompt  = "Add and multiply the numbers 2 and 3."
	system  = "You are a helpful assistant."
	picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNQWOAAAAHkAQEOXdw5AAAAAElFTkSuQmCC"
)

type toolSpec struct {
	name, description string
	schema            map[string]any
}

func prop(kind string) map[string]any { return map[string]any{"type": kind} }

var (
	numbers = map[string]any{"type": "object", "properties": map[string]any{"a": prop("integer"), "b": prop("integer")}, "required": []string{"a", "b"}}
	places  = map[string]any{"type": "object", "properties": map[string]any{"latitude": prop("string"), "longitude": prop("string"), "location": prop("string")}}
	tools   = []toolSpec{
		{"add", "Add two numbers", numbers},
		{"multiply", "Multiply two numbers", numbers},
		{"weather", "Get the weather at a place", places},
		{"best_language_to_learn", "Gets the best language to learn", map[string]any{"type": "object", "properties": map[string]any{}}},
	}
	person = map[string]any{
		"type": "object", "properties": map[string]any{"name": prop("string"), "age": prop("integer")}, "required": []string{"name", "age"}, "additionalProperties": false,
	}
)

func ran(name string) string { return name + " is done" }

// called notes a call of a tool.
func (r *result) called(name, arguments string) error {
	c := toolCall{Name: name, Args: map[string]any{}}
	if arguments != "" {
		if err := json.Unmarshal([]byte(arguments), &c.Args); err != nil {
			return err
		}
	}
	r.Calls = append(r.Calls, c)
	return nil
}

func main() {
	var rows []row
	if err := json.NewDecoder(os.Stdin).Decode(&rows); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	sdks := map[string]func(*http.Client, row) (map[string]action, func(error) *failure){"go-openai": openOpenAI, "go-anthropic": openAnthropic, "go-genai": openGenAI}
	open := sdks[os.Args[1]]
	var results []result
	for _, r := range rows {
		transport := &noting{}
		does, told := open(&http.Client{Transport: transport}, r)
		got := result{Name: r.Name}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		do := does[r.Do]
		if do == nil {
			do = func(context.Context, string, *result) error { return fmt.Errorf("no action %s", r.Do) }
		}
		if err := do(ctx, r.Model, &got); err != nil {
			got.Error = told(err)
		}
		cancel()
		got.OK, got.Answers = got.Error == nil, transport.heads
		results = append(results, got)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// plain tells an error that is no answer of a server.
func plain(err error) *failure {
	return &failure{Classes: []string{fmt.Sprintf("%T", err)}, Message: err.Error()}
}
