package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// openOpenAI is openai-go: chat completions, Responses, embeddings.
func openOpenAI(c *http.Client, r row) (map[string]action, func(error) *failure) {
	client := openai.NewClient(option.WithBaseURL(r.Base+"/v1/"), option.WithAPIKey(r.Key), option.WithHTTPClient(c), option.WithMaxRetries(0))
	messages := []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(system), openai.UserMessage(prompt)}
	usage := func(got *result, u openai.CompletionUsage) {
		got.Input, got.Output = u.PromptTokens, u.CompletionTokens
	}
	ask := func(ctx context.Context, got *result, p openai.ChatCompletionNewParams) (*openai.ChatCompletionMessage, error) {
		a, err := client.Chat.Completions.New(ctx, p)
		if err != nil {
			return nil, err
		}
		usage(got, a.Usage)
		got.Text = a.Choices[0].Message.Content
		return &a.Choices[0].Message, nil
	}
	stream := func(ctx context.Context, got *result, p openai.ChatCompletionNewParams) (*openai.ChatCompletionMessage, error) {
		p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: param.NewOpt(true)}
		s := client.Chat.Completions.NewStreaming(ctx, p)
		defer s.Close()
		var all openai.ChatCompletionAccumulator
		for s.Next() {
			got.Chunks++
			if !all.AddChunk(s.Current()) {
				return nil, errors.New("the accumulator refuses a chunk")
			}
		}
		if err := s.Err(); err != nil {
			return nil, err
		}
		if len(all.Choices) == 0 || all.Choices[0].FinishReason == "" {
			return nil, errors.New("the stream ended without a finish reason")
		}
		usage(got, all.Usage)
		got.Text = all.Choices[0].Message.Content
		return &all.Choices[0].Message, nil
	}
	type turn func(context.Context, *result, openai.ChatCompletionNewParams) (*openai.ChatCompletionMessage, error)
	loop := func(ctx context.Context, got *result, p openai.ChatCompletionNewParams, next turn) error {
		p.Messages = messages
		for _, t := range tools {
			p.Tools = append(p.Tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: t.name, Description: param.NewOpt(t.description), Parameters: t.schema}))
		}
		for range 4 {
			m, err := next(ctx, got, p)
			if err != nil || len(m.ToolCalls) == 0 {
				return err
			}
			p.Messages = append(p.Messages, m.ToParam())
			for _, call := range m.ToolCalls {
				if err := got.called(call.Function.Name, call.Function.Arguments); err != nil {
					return err
				}
				p.Messages = append(p.Messages, openai.ToolMessage(ran(call.Function.Name), call.ID))
			}
		}
		return errors.New("the model goes on calling")
	}
	plainly := func(t turn, change func(*openai.ChatCompletionNewParams)) action {
		return func(ctx context.Context, model string, got *result) error {
			p := openai.ChatCompletionNewParams{Model: model, Messages: messages}
			if change != nil {
				change(&p)
			}
			_, err := t(ctx, got, p)
			return err
		}
	}
	effort := func(p *openai.ChatCompletionNewParams) {
		p.ReasoningEffort, p.MaxCompletionTokens = shared.ReasoningEffortMedium, param.NewOpt[int64](4096)
	}
	actions := map[string]action{
		"text": plainly(ask, func(p *openai.ChatCompletionNewParams) {
			p.Temperature, p.Stop = param.NewOpt(0.5), openai.ChatCompletionNewParamsStopUnion{OfStringArray: []string{"###"}}
		}),
		"stream":      plainly(stream, nil),
		"fail":        plainly(ask, nil),
		"fail-stream": plainly(stream, nil),
		"tools": func(ctx context.Context, model string, got *result) error {
			return loop(ctx, got, openai.ChatCompletionNewParams{Model: model}, ask)
		},
		"tools-stream": func(ctx context.Context, model string, got *result) error {
			return loop(ctx, got, openai.ChatCompletionNewParams{Model: model}, stream)
		},
		"schema": func(ctx context.Context, model string, got *result) error {
			format := shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "person", Schema: person, Strict: param.NewOpt(true)}}
			m, err := ask(ctx, got, openai.ChatCompletionNewParams{Model: model, Messages: messages, ResponseFormat: openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &format}})
			if err != nil {
				return err
			}
			return json.Unmarshal([]byte(m.Content), &got.Object)
		},
		"image": plainly(ask, func(p *openai.ChatCompletionNewParams) {
			p.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
				openai.TextContentPart("What is this?"),
				openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + picture}),
			})}
		}),
		"thinking":        plainly(ask, effort),
		"thinking-stream": plainly(stream, effort),
		"embed": func(ctx context.Context, model string, got *result) error {
			e, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b"}}})
			if err != nil {
				return err
			}
			for _, d := range e.Data {
				got.Vectors = append(got.Vectors, len(d.Embedding))
			}
			return nil
		},
		"responses": func(ctx context.Context, model string, got *result) error {
			a, err := client.Responses.New(ctx, responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt(prompt)}})
			if err != nil {
				return err
			}
			got.Text, got.Input, got.Output = a.OutputText(), a.Usage.InputTokens, a.Usage.OutputTokens
			return nil
		},
		"responses-stream": func(ctx context.Context, model string, got *result) error {
			s := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt(prompt)}})
			defer s.Close()
			whole := false
			for s.Next() {
				switch e := s.Current(); e.Type {
				case "response.output_text.delta":
					got.Chunks++
					got.Text += e.Delta
				case "response.completed":
					whole, got.Input, got.Output = true, e.Response.Usage.InputTokens, e.Response.Usage.OutputTokens
				}
			}
			if err := s.Err(); err != nil {
				return err
			}
			if !whole {
				return errors.New("the stream ended without response.completed")
			}
			return nil
		},
	}
	return actions, func(err error) *failure {
		var e *openai.Error
		if !errors.As(err, &e) {
			return plain(err)
		}
		return &failure{Classes: []string{fmt.Sprintf("%T", e)}, Status: e.StatusCode, Message: err.Error() + "\n" + e.RawJSON()}
	}
}
