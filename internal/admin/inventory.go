package admin

import (
	"context"
	"encoding/json"
	"time"
)

const (
	docListProviders = `The providers of the configuration in force with the state of each of their keys. A key is told by its name and its last characters, never whole.`
	docListModels    = `The names of the configuration that callers may use as a model, with the targets behind each: those that are asked by turn, and behind them the fallbacks in their order.
Prices are those that calls are counted by: of the configuration, else of the catalogue that comes with the program, with its source and date.`
	docListPrompts = `The prompts of the configuration. GET /prompts/NAME on the gateway, with an application's key, describes one as OpenAPI.`
	docListLimits  = `What applications with limits have used in the windows that are running. reserved is what calls that are running may still use; it is given back when they end.`
)

// Inventory is what the configuration in force has of providers, models, prompts and limits, and how each is now.
type Inventory interface {
	Providers() []Provider
	Models() []Model
	Prompts() []Prompt
	// Limits asks the counters, which may be another server's.
	Limits(ctx context.Context) ([]Limit, error)
}

// Provider is where models come from.
type Provider struct {
	Name      string        `json:"name" example:"openai" doc:"Its name in the configuration."`
	Kind      string        `json:"kind" example:"openai" doc:"The vendor."`
	Title     string        `json:"title" example:"OpenAI" doc:"The vendor's name."`
	Dialect   string        `json:"dialect" example:"openai" doc:"What it is spoken to in."`
	BaseURL   string        `json:"base_url" example:"https://api.openai.com/v1" doc:"Its address."`
	BuiltIn   bool          `json:"built_in,omitempty" doc:"The sandbox, which needs no configuration."`
	Models    []string      `json:"models" nullable:"false" doc:"The models that the configuration lists; others work as well, as PROVIDER/MODEL."`
	Supports  []string      `json:"supports" nullable:"false" example:"chat,embeddings" doc:"What it can be asked for."`
	CallerKey bool          `json:"caller_key,omitempty" doc:"Callers bring keys of their own."`
	Keys      []ProviderKey `json:"keys" nullable:"false" doc:"Its keys."`
	DocsURL   string        `json:"docs_url,omitempty" example:"https://platform.openai.com/docs" doc:"The vendor's page that this is from."`
}

// ProviderKey is a key of a provider, without its secret.
type ProviderKey struct {
	Place    int     `json:"place" example:"1" doc:"Its place in the configuration, from 1."`
	Name     string  `json:"name,omitempty" example:"main" doc:"Its name in the configuration."`
	EndsIn   string  `json:"ends_in,omitempty" example:"...1a2b" doc:"Its last characters. Missing: it is too short to tell any."`
	Weight   int     `json:"weight" example:"1" doc:"Its share of the calls."`
	Priority int     `json:"priority" example:"1" doc:"Keys of a higher number are used while none of a lower one can be."`
	State    string  `json:"state" enum:"in_use,rate_limited,rejected,out_of_money" example:"in_use" doc:"How it is."`
	Until    string  `json:"until,omitempty" format:"date-time" doc:"When it is tried again. Missing: it is in use."`
	AsideFor float64 `json:"aside_seconds,omitempty" doc:"How long it has been set aside."`
	Requests *int64  `json:"remaining_requests,omitempty" doc:"What the provider last said is left of its limit of requests."`
	Tokens   *int64  `json:"remaining_tokens,omitempty" doc:"The same of tokens."`
}

// Model is a name that callers may use.
type Model struct {
	Name        string        `json:"name" example:"fast" doc:"What callers write."`
	Balance     string        `json:"balance" example:"weighted" doc:"How one of the targets is chosen."`
	Strict      bool          `json:"strict" doc:"A call that would lose something between two dialects is refused."`
	MaxAttempts int           `json:"max_attempts" example:"5" doc:"The most attempts for one call."`
	Targets     []ModelTarget `json:"targets" nullable:"false" doc:"What is asked: the targets, then the fallbacks."`
}

// ModelTarget is a model of a provider behind a name.
type ModelTarget struct {
	Model        string   `json:"model" example:"openai/gpt-4o-mini" doc:"PROVIDER/MODEL."`
	Provider     string   `json:"provider" example:"openai" doc:"The provider."`
	Fallback     int      `json:"fallback,omitempty" example:"1" doc:"How far down the fallbacks it stands. Missing: it is one of the targets."`
	Context      int64    `json:"context_tokens,omitempty" example:"128000" doc:"What it can hold. Missing: not known."`
	Lacks        []string `json:"lacks,omitempty" nullable:"false" doc:"What it is not asked for: vision, audio, documents, tools, json_schema."`
	Price        *Price   `json:"price,omitempty" doc:"What it costs. Missing: not known; an application with a budget can't use it."`
	Up           bool     `json:"up" doc:"Whether calls go to it."`
	Why          string   `json:"why,omitempty" example:"connection_refused" doc:"Why not: the kind of its last failure."`
	Busy         int64    `json:"busy" doc:"Calls in flight at it."`
	FirstTokenMS float64  `json:"first_token_ms,omitempty" doc:"How long the first token of a stream took of late."`
	AnswerMS     float64  `json:"answer_ms,omitempty" doc:"How long a whole answer took of late."`
}

// Price is in US dollars for a million tokens where nothing else is said.
type Price struct {
	Input        float64 `json:"input" example:"0.15" doc:"Of input."`
	Output       float64 `json:"output" example:"0.6" doc:"Of output."`
	Cached       float64 `json:"cached,omitempty" doc:"Of input read from the provider's cache. Missing: as input."`
	CacheWrite   float64 `json:"cache_write,omitempty" doc:"Of input written to the provider's cache. Missing: as input."`
	CacheWrite1h float64 `json:"cache_write_1h,omitempty" doc:"The same, kept for an hour."`
	AudioIn      float64 `json:"audio_input,omitempty" doc:"Of audio in."`
	AudioOut     float64 `json:"audio_output,omitempty" doc:"Of audio out."`
	ImageIn      float64 `json:"image_input,omitempty" doc:"Of images in."`
	ImageOut     float64 `json:"image_output,omitempty" doc:"Of images out."`
	LongFrom     int64   `json:"long_from,omitempty" doc:"Input tokens above which the long prices hold for the whole call."`
	LongInput    float64 `json:"long_input,omitempty" doc:"Of input of a long call."`
	LongOutput   float64 `json:"long_output,omitempty" doc:"Of output of a long call."`
	Batch        float64 `json:"batch,omitempty" example:"0.5" doc:"Factor of the batch API."`
	PerSearch    float64 `json:"per_search,omitempty" doc:"Dollars for each of the provider's own searches."`
	PerImage     float64 `json:"per_image,omitempty" doc:"Dollars for each image made."`
	Free         bool    `json:"free,omitempty" doc:"It costs nothing."`
	Source       string  `json:"source" example:"https://platform.openai.com/docs/pricing" doc:"Where it is from: a page, or the configuration."`
	Date         string  `json:"date,omitempty" example:"2026-11-23" doc:"When it was read there."`
}

// Prompt is a prompt as a REST API.
type Prompt struct {
	Name        string          `json:"name" example:"sentiment" doc:"Its name."`
	Description string          `json:"description,omitempty" doc:"What it does."`
	URL         string          `json:"url" example:"http://127.0.0.1:8080/prompts/sentiment" doc:"Where it is called."`
	Default     string          `json:"default_version" example:"1" doc:"The version that is used when none is asked for."`
	Versions    []PromptVersion `json:"versions" nullable:"false" doc:"Its versions."`
}

// PromptVersion is a version of a prompt.
type PromptVersion struct {
	Name      string           `json:"name" example:"1" doc:"Its name."`
	Model     string           `json:"model" example:"fast" doc:"The model that it asks."`
	Variables []PromptVariable `json:"variables" nullable:"false" doc:"What a caller gives."`
	Output    json.RawMessage  `json:"output,omitempty" doc:"The JSON Schema of the output. Missing: it is text."`
	Messages  []PromptMessage  `json:"messages" nullable:"false" doc:"What the model is told, with {{variables}}."`
}

// PromptVariable is what a caller gives.
type PromptVariable struct {
	Name        string `json:"name" example:"text" doc:"Its name."`
	Type        string `json:"type" example:"string" doc:"Its type in JSON."`
	Required    bool   `json:"required" doc:"A call without it is refused."`
	Description string `json:"description,omitempty" doc:"What it is."`
}

// PromptMessage is a message of a prompt.
type PromptMessage struct {
	Role    string `json:"role" example:"system" doc:"Who speaks."`
	Content string `json:"content" example:"Classify the sentiment of: {{text}}" doc:"The text."`
}

// Limit is a limit of an application in the window that is running. Amounts are tokens, or US dollars.
type Limit struct {
	Application string    `json:"application" example:"web" doc:"Whose it is."`
	Unit        string    `json:"unit" enum:"tokens,usd" example:"usd" doc:"What is counted."`
	Max         float64   `json:"max" example:"50" doc:"What may be used in a window."`
	Used        float64   `json:"used" example:"12.5" doc:"What was used in this one."`
	Reserved    float64   `json:"reserved" example:"0.1" doc:"What calls that are running may still use."`
	Left        float64   `json:"left" example:"37.4" doc:"What is left for others; 0 when it is spent."`
	Per         string    `json:"per" example:"month" doc:"How long a window is."`
	Resets      time.Time `json:"resets" doc:"When the next window begins."`
}

// ProviderList, ModelList, PromptList and LimitList are the answers of the lists.
type (
	// ProviderList is the answer of GET /api/v1/providers.
	ProviderList struct {
		Providers []Provider `json:"providers" nullable:"false" doc:"By name."`
	}
	// ModelList is the answer of GET /api/v1/models.
	ModelList struct {
		Models []Model `json:"models" nullable:"false" doc:"By name."`
	}
	// PromptList is the answer of GET /api/v1/prompts.
	PromptList struct {
		Prompts []Prompt `json:"prompts" nullable:"false" doc:"By name."`
	}
	// LimitList is the answer of GET /api/v1/limits.
	LimitList struct {
		Limits []Limit `json:"limits" nullable:"false" doc:"By application."`
	}
)

type (
	providersOutput struct{ Body ProviderList }
	modelsOutput    struct{ Body ModelList }
	promptsOutput   struct{ Body PromptList }
	limitsOutput    struct{ Body LimitList }
)

// listOf makes nil an empty list.
func listOf[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (a *api) listProviders(context.Context, *struct{}) (*providersOutput, error) {
	return &providersOutput{ProviderList{listOf(a.Inventory.Providers())}}, nil
}

func (a *api) listModels(context.Context, *struct{}) (*modelsOutput, error) {
	return &modelsOutput{ModelList{listOf(a.Inventory.Models())}}, nil
}

func (a *api) listPrompts(context.Context, *struct{}) (*promptsOutput, error) {
	return &promptsOutput{PromptList{listOf(a.Inventory.Prompts())}}, nil
}

func (a *api) listLimits(ctx context.Context, _ *struct{}) (*limitsOutput, error) {
	list, err := a.Inventory.Limits(ctx)
	if err != nil {
		return nil, &Problem{Status: 503, Detail: "The counters of limits can't be reached: " + err.Error() + "."}
	}
	return &limitsOutput{LimitList{listOf(list)}}, nil
}

// nothing is an Inventory without anything.
type nothing struct{}

func (nothing) Providers() []Provider                   { return nil }
func (nothing) Models() []Model                         { return nil }
func (nothing) Prompts() []Prompt                       { return nil }
func (nothing) Limits(context.Context) ([]Limit, error) { return nil, nil }
