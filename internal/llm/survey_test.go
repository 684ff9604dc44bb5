package llm

import (
	"slices"
	"strings"
	"testing"
)

func TestASurveySeesWhatARequestNeedsInEachDialect(t *testing.T) {
	for _, test := range []struct {
		name, body string
		needs      []string
	}{
		{"chat: text", `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[ ],"response_format":{"type":"json_object"}}`, nil},
		{"chat: image", `{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`, []string{"vision"}},
		{"chat: sound, file, tools, schema", `{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},{"type":"file","file":{"file_data":"AA"}}]}],"tools":[{"type":"function"}],"response_format":{"type":"json_schema","json_schema":{}}}`, []string{"audio", "documents", "tools", "json_schema"}},
		{"chat: what a tool was called with is no part", `{"messages":[{"role":"assistant","tool_calls":[{"type":"function","function":{"arguments":"{\"type\":\"image\"}"}}]},{"role":"tool","content":"{\"type\":\"image\"}"}]}`, nil},
		{"responses", `{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}],"text":{"format":{"type":"json_schema","schema":{}}}}`, []string{"vision", "json_schema"}},
		{"messages", `{"system":"x","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}},{"type":"document","source":{"type":"url","url":"http://x"}}]},{"role":"assistant","content":[{"type":"tool_use","input":{"type":"audio","content":[{"type":"audio"}]}}]}],"tools":[{"name":"t"}]}`, []string{"vision", "documents", "tools"}},
		{"messages: an image in a tool's result", `{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image","source":{"data":"AA"}}]}]}]}`, []string{"vision"}},
		{"generateContent", `{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"AA"}},{"file_data":{"mime_type":"application/pdf","file_uri":"x"}}]}],"generationConfig":{"responseSchema":{}},"tools":[{"functionDeclarations":[]}]}`, []string{"audio", "documents", "tools", "json_schema"}},
		{"ollama", `{"messages":[{"role":"user","content":"what?","images":["AAAA"]}],"format":{"type":"object"},"tools":[]}`, []string{"vision", "json_schema"}},
		{"ollama: any JSON, no images", `{"messages":[{"role":"user","content":"what?","images":[]}],"format":"json"}`, nil},
		{"cohere", `{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_object","json_schema":{}},"documents":["text"]}`, []string{"json_schema"}},
		{"no JSON", `{"messages":[{"type":"image"`, nil},
		{"no object", `[1]`, nil},
	} {
		if got := ReadSurvey([]byte(test.body)).Needs.Names(); !slices.Equal(got, test.needs) {
			t.Errorf("%s: needs %v, want %v", test.name, got, test.needs)
		}
	}
	for _, name := range needNames {
		if got := NeedNamed(name).Names(); !slices.Equal(got, []string{name}) {
			t.Errorf("%s is read as %v", name, got)
		}
	}
}

func TestASurveyCountsWhatIsTextAlone(t *testing.T) {
	long := strings.Repeat("word", 4000)
	if n := ReadSurvey([]byte(`{"messages":[{"role":"user","content":"` + long + `"}]}`)).Tokens; n < 4000 || n > 4100 {
		t.Errorf("4000 words are %d tokens", n)
	}
	if n := ReadSurvey([]byte(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:` + long + `"}}]}]}`)).Tokens; n > 100 {
		t.Errorf("an image is %d tokens", n)
	}
	if n := ReadSurvey([]byte(`{"messages":[{"role":"user","content":"what?","images":["` + long + `"]}]}`)).Tokens; n > 100 {
		t.Errorf("an image of Ollama's is %d tokens", n)
	}
}

func TestAConversationKeepsItsHash(t *testing.T) {
	hash := func(body string) uint64 { return ReadSurvey([]byte(body)).Conversation }
	first := hash(`{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"one"}]}`)
	if first == 0 {
		t.Fatal("a conversation has no hash")
	}
	for name, same := range map[string]string{
		"a later turn":      `{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"one"},{"role":"assistant","content":"1"},{"role":"user","content":"two"}]}`,
		"other parameters":  `{"temperature":1,"messages":[{"content":"be brief","role":"system"},{"content":"one","role":"user"}],"stream":true}`,
		"a marker in parts": `{"messages":[{"role":"system","content":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":[{"type":"text","text":"one"}]}]}`,
	} {
		if hash(same) != first {
			t.Errorf("%s changes it", name)
		}
	}
	for name, other := range map[string]string{
		"another system message": `{"messages":[{"role":"system","content":"be long"},{"role":"user","content":"one"}]}`,
		"another first message":  `{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"two"}]}`,
		"a key":                  `{"prompt_cache_key":"k","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"one"}]}`,
	} {
		if hash(other) == first {
			t.Errorf("%s does not change it", name)
		}
	}
	if a, b := hash(`{"system":"s","messages":[{"role":"user","content":"x"}]}`), hash(`{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}],"system":"s"}`); a != b || a == 0 {
		t.Error("the place of the system message counts")
	}
	if hash(`{"input":"hi"}`) == 0 || hash(`{"contents":[{"parts":[{"text":"hi"}]}]}`) == 0 || hash(`{}`) != 0 {
		t.Error("a conversation in another dialect has no hash, or none has one")
	}
}

func TestASurveyAllocatesNothing(t *testing.T) {
	body := []byte(`{"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image","source":{"media_type":"image/png","data":"AA"}}]}],"tools":[{}],"prompt_cache_key":"k"}`)
	if n := testing.AllocsPerRun(100, func() { ReadSurvey(body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzSurvey(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"image"}]}],"text":{"format":{"type":1}},"tools":[]}`))
	f.Add([]byte(`{"contents":[[[{"parts":"x"}]]],"input":{},"system":[1,null],"response_format":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if s := ReadSurvey(body); s.Tokens < 0 || s.Tokens > int64(len(body)) {
			t.Errorf("%+v", s)
		}
	})
}
