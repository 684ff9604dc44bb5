package llm

import "testing"

func TestMostOutput(t *testing.T) {
	for body, want := range map[string]int64{
		`{"model":"m","max_tokens":50}`:                        50,
		`{"max_completion_tokens":70,"n":2}`:                   140,
		`{"max_output_tokens":9}`:                              9,
		`{"generationConfig":{"maxOutputTokens":30}}`:          30,
		`{"inferenceConfig":{"maxTokens":20,"temperature":1}}`: 20,
		`{"options":{"num_predict":11}}`:                       11,
		`{"options":[1],"max_tokens":null}`:                    0,
		`{"messages":[{"max_tokens":5}]}`:                      0,
		`{"max_tokens":-5}`:                                    0,
		`{"max_tokens":99999999999999999999}`:                  0,
		`{"max_tokens":50`:                                     0,
		`[]`:                                                   0,
		``:                                                     0,
	} {
		if got := MostOutput([]byte(body)); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
}
