package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/param"
)

// openAnthropic is anthropic-sdk-go: messages, their streams, tools, thinking and counts.
func openAnthropic(c *http.Client, r row) (map[string]action, func(error) *failure) {
	client := anthropic.NewClient(option.WithBaseURL(r.Base), option.WithAPIKey(r.Key), option.WithHTTPClient(c), option.WithMaxRetries(0))
	messages := []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))}
	read := func(got *result, m *anthropic.Message) *anthropic.Message {
		got.Text = ""
		first := got.Thinking == ""
		for _, b := range m.Content {
			got.Text += b.Text
			if first {
				got.Thinking += b.Thinking
			}
		}
		if got.Output == 0 {
			got.Input, got.Output = m.Usage.InputTokens+m.Usage.CacheReadInputTokens+m.Usage.CacheCreationInputTokens, m.Usage.OutputTokens
		}
		return m
	}
	type turn func(context.Context, *result, anthropic.MessageNewParams) (*anthropic.Message, error)
	ask := func(ctx context.Context, got *result, p anthropic.MessageNewParams) (*anthropic.Message, error) {
		m, err := client.Messages.New(ctx, p)
		if err != nil {
			return nil, err
		}
		return read(got, m), nil
	}
	stream := func(ctx context.Context, got *result, p anthropic.MessageNewParams) (*anthropic.Message, error) {
		s := client.Messages.NewStreaming(ctx, p)
		defer s.Close()
		var m anthropic.Message
		whole := false
		for s.Next() {
			e := s.Current()
			if e.Type == "content_block_delta" {
				got.Chunks++
			}
			whole = e.Type == "message_stop"
			if err := m.Accumulate(e); err != nil {
				return nil, err
			}
		}
		if err := s.Err(); err != nil {
			return nil, err
		}
		if !whole {
			return nil, errors.New("the stream ended without message_stop")
		}
		return read(got, &m), nil
	}
	plainly := func(t turn, change func(*anthropic.MessageNewParams)) action {
		return func(ctx context.Context, model string, got *result) error {
			p := anthropic.MessageNewParams{Model: anthropic.Model(model), MaxTokens: 4096, Messages: messages}
			if change != nil {
				change(&p)
			}
			_, err := t(ctx, got, p)
			return err
		}
	}
	loop := func(t turn, change func(*anthropic.MessageNewParams)) action {
		return func(ctx context.Context, model string, got *result) error {
			p := anthropic.MessageNewParams{Model: anthropic.Model(model), MaxTokens: 4096, Messages: messages, System: []anthropic.TextBlockParam{{Text: system}}}
			if change != nil {
				change(&p)
			}
			for _, t := range tools {
				schema := anthropic.ToolInputSchemaParam{Properties: t.schema["properties"]}
				schema.Required, _ = t.schema["required"].([]string)
				p.Tools = append(p.Tools, anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{Name: t.name, Description: param.NewOpt(t.description), InputSchema: schema}})
			}
			for range 4 {
				m, err := t(ctx, got, p)
				if err != nil {
					return err
				}
				p.Messages = append(p.Messages, m.ToParam())
				var results []anthropic.ContentBlockParamUnion
				for _, b := range m.Content {
					if b.Type != "tool_use" {
						continue
					}
					if err := got.called(b.Name, string(b.Input)); err != nil {
						return err
					}
					results = append(results, anthropic.NewToolResultBlock(b.ID, ran(b.Name), false))
				}
				if len(results) == 0 {
					return nil
				}
				p.Messages = append(p.Messages, anthropic.NewUserMessage(results...))
			}
			return errors.New("the model goes on calling")
		}
	}
	thinks := func(p *anthropic.MessageNewParams) { p.Thinking = anthropic.ThinkingConfigParamOfEnabled(2000) }
	actions := map[string]action{
		"text": plainly(ask, func(p *anthropic.MessageNewParams) {
			p.Temperature, p.StopSequences, p.System = param.NewOpt(0.5), []string{"###"}, []anthropic.TextBlockParam{{Text: system}}
		}),
		"stream":       plainly(stream, nil),
		"fail":         plainly(ask, nil),
		"fail-stream":  plainly(stream, nil),
		"tools":        loop(ask, nil),
		"tools-stream": loop(stream, nil),
		"schema": func(ctx context.Context, model string, got *result) error {
			err := plainly(ask, func(p *anthropic.MessageNewParams) {
				p.OutputConfig = anthropic.OutputConfigParam{Format: anthropic.JSONOutputFormatParam{Schema: person}}
			})(ctx, model, got)
			if err != nil {
				return err
			}
			return json.Unmarshal([]byte(got.Text), &got.Object)
		},
		"image": plainly(ask, func(p *anthropic.MessageNewParams) {
			p.Messages = []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewImageBlockBase64("image/png", picture), anthropic.NewTextBlock("What is this?"))}
		}),
		"thinking":        plainly(ask, thinks),
		"thinking-stream": plainly(stream, thinks),
		"thinking-tools":  loop(stream, thinks),
		"count": func(ctx context.Context, model string, got *result) error {
			n, err := client.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{Model: anthropic.Model(model), Messages: messages})
			if err != nil {
				return err
			}
			got.Tokens = n.InputTokens
			return nil
		},
	}
	return actions, func(err error) *failure {
		var e *anthropic.Error
		if !errors.As(err, &e) {
			return plain(err)
		}
		return &failure{Classes: []string{fmt.Sprintf("%T", e)}, Status: e.StatusCode, Message: err.Error() + "\n" + e.RawJSON()}
	}
}
