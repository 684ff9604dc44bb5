package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"google.golang.org/genai"
)

// openGenAI is google.golang.org/genai: generateContent, its stream, tools, embeddings and counts.
func openGenAI(c *http.Client, r row) (map[string]action, func(error) *failure) {
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{APIKey: r.Key, Backend: genai.BackendGeminiAPI, HTTPClient: c, HTTPOptions: genai.HTTPOptions{BaseURL: r.Base}})
	if err != nil {
		panic(err)
	}
	read := func(got *result, a *genai.GenerateContentResponse) (calls []*genai.FunctionCall, done bool) {
		for _, c := range a.Candidates {
			done = done || c.FinishReason != ""
			if c.Content == nil {
				continue
			}
			for _, p := range c.Content.Parts {
				switch {
				case p.Thought:
					got.Thinking += p.Text
				case p.FunctionCall != nil:
					calls = append(calls, p.FunctionCall)
				default:
					got.Text += p.Text
				}
			}
		}
		if u := a.UsageMetadata; u != nil {
			got.Input, got.Output = int64(u.PromptTokenCount), int64(u.CandidatesTokenCount+u.ThoughtsTokenCount)
		}
		return calls, done
	}
	follow := func(got *result, events iter.Seq2[*genai.GenerateContentResponse, error]) (calls []*genai.FunctionCall, err error) {
		whole := false
		for a, err := range events {
			if err != nil {
				return nil, err
			}
			got.Chunks++
			more, done := read(got, a)
			calls, whole = append(calls, more...), whole || done
		}
		if !whole {
			return nil, errors.New("the stream ended without a finish reason")
		}
		return calls, nil
	}
	ask := func(contents []*genai.Content, config *genai.GenerateContentConfig) action {
		return func(ctx context.Context, model string, got *result) error {
			a, err := client.Models.GenerateContent(ctx, model, contents, config)
			if err != nil {
				return err
			}
			read(got, a)
			return nil
		}
	}
	stream := func(contents []*genai.Content, config *genai.GenerateContentConfig) action {
		return func(ctx context.Context, model string, got *result) error {
			_, err := follow(got, client.Models.GenerateContentStream(ctx, model, contents, config))
			return err
		}
	}
	loop := func(streamed bool, config genai.GenerateContentConfig) action {
		return func(ctx context.Context, model string, got *result) error {
			config := config
			declared := &genai.Tool{}
			for _, t := range tools {
				declared.FunctionDeclarations = append(declared.FunctionDeclarations, &genai.FunctionDeclaration{Name: t.name, Description: t.description, ParametersJsonSchema: t.schema})
			}
			config.Tools = []*genai.Tool{declared}
			chat, err := client.Chats.Create(ctx, model, &config, nil)
			if err != nil {
				return err
			}
			parts := []genai.Part{{Text: prompt}}
			for range 4 {
				got.Text = ""
				var calls []*genai.FunctionCall
				if streamed {
					if calls, err = follow(got, chat.SendMessageStream(ctx, parts...)); err != nil {
						return err
					}
				} else {
					a, err := chat.SendMessage(ctx, parts...)
					if err != nil {
						return err
					}
					calls, _ = read(got, a)
				}
				if len(calls) == 0 {
					return nil
				}
				parts = nil
				for _, c := range calls {
					args := c.Args
					if args == nil {
						args = map[string]any{}
					}
					got.Calls = append(got.Calls, toolCall{c.Name, args})
					parts = append(parts, genai.Part{FunctionResponse: &genai.FunctionResponse{ID: c.ID, Name: c.Name, Response: map[string]any{"result": ran(c.Name)}}})
				}
			}
			return errors.New("the model goes on calling")
		}
	}
	text := genai.Text(prompt)
	half, budget := float32(0.5), int32(1024)
	thinks := genai.GenerateContentConfig{ThinkingConfig: &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: &budget}, MaxOutputTokens: 4096}
	pixels, err := base64.StdEncoding.DecodeString(picture)
	if err != nil {
		panic(err)
	}
	actions := map[string]action{
		"text":         ask(text, &genai.GenerateContentConfig{SystemInstruction: genai.NewContentFromText(system, genai.RoleUser), Temperature: &half, StopSequences: []string{"###"}}),
		"stream":       stream(text, nil),
		"fail":         ask(text, nil),
		"fail-stream":  stream(text, nil),
		"tools":        loop(false, genai.GenerateContentConfig{}),
		"tools-stream": loop(true, genai.GenerateContentConfig{}),
		"schema": func(ctx context.Context, model string, got *result) error {
			if err := ask(text, &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: person})(ctx, model, got); err != nil {
				return err
			}
			return json.Unmarshal([]byte(got.Text), &got.Object)
		},
		"image":           ask([]*genai.Content{genai.NewContentFromParts([]*genai.Part{{Text: "What is this?"}, genai.NewPartFromBytes(pixels, "image/png")}, genai.RoleUser)}, nil),
		"thinking":        ask(text, &thinks),
		"thinking-stream": stream(text, &thinks),
		"thinking-tools":  loop(true, thinks),
		"embed": func(ctx context.Context, model string, got *result) error {
			e, err := client.Models.EmbedContent(ctx, model, append(genai.Text("a"), genai.Text("b")...), nil)
			if err != nil {
				return err
			}
			for _, v := range e.Embeddings {
				got.Vectors = append(got.Vectors, len(v.Values))
			}
			return nil
		},
		"count": func(ctx context.Context, model string, got *result) error {
			n, err := client.Models.CountTokens(ctx, model, text, nil)
			if err != nil {
				return err
			}
			got.Tokens = int64(n.TotalTokens)
			return nil
		},
	}
	return actions, func(err error) *failure {
		var e genai.APIError
		if !errors.As(err, &e) {
			return plain(err)
		}
		return &failure{Classes: []string{fmt.Sprintf("%T", e)}, Status: e.Code, Message: err.Error()}
	}
}
