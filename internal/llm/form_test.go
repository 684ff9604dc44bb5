package llm

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"testing"

	"causeway/internal/llm/jsonscan"
)

const aForm = "preamble\r\n--x y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\"; name=c\"\r\n\r\n--x\r\n--x  y\r\n\x00\xff\r\n" +
	"--x y \t\r\ncontent-disposition: form-data; name=\"mo\\\"del\"\r\n\r\n\r\n--x y\r\nContent-Disposition: form-data ; name=model\r\n\r\np/m\r\n--x y--\r\nepilogue"

func TestPartsOfAForm(t *testing.T) {
	var got []string
	err := EachPart(`multipart/form-data; boundary="x y"`, []byte(aForm), func(p FormPart) error {
		got = append(got, p.Name+"="+aForm[p.Value.From:p.Value.To])
		if p.File != (p.Name == "file") {
			t.Errorf("%s is a file: %v", p.Name, p.File)
		}
		return nil
	})
	if want := []string{"file=--x\r\n--x  y\r\n\x00\xff", `mo"del=`, "model=p/m"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %q", err, got)
	}
}

func TestRenamingInAForm(t *testing.T) {
	for _, tc := range []struct{ before, name, behind, to string }{
		{"aa", "provider/model", "bbbbbbbbbb", "model"},
		{"aaaaaaaaaaaaaaaa", "provider/model", "b", "model"},
		{"aaa", "m", "bbbbb", "a-longer-name"},
		{"aaa", "same", "bbb", "else"},
	} {
		for _, room := range []int{0, 64} {
			body := append(make([]byte, 0, room), tc.before+tc.name+tc.behind...)
			r := Request{Model: []byte(tc.name), ModelAt: jsonscan.Span{From: len(tc.before), To: len(tc.before) + len(tc.name)}, Verbatim: true}
			body = r.Rename(body, tc.to, false)
			if string(body) != tc.before+tc.to+tc.behind || string(body[r.ModelAt.From:r.ModelAt.To]) != tc.to || string(r.Model) != tc.to {
				t.Errorf("%+v: %s %+v", tc, body, r)
			}
			// And once more, for another provider.
			if body = r.Rename(body, tc.name, false); string(body) != tc.before+tc.name+tc.behind {
				t.Errorf("%+v: back to %s", tc, body)
			}
		}
	}
}

// FuzzForm: what we read as model, a usual reader of forms reads too, and nothing else.
func FuzzForm(f *testing.F) {
	f.Add([]byte(aForm), `multipart/form-data; boundary="x y"`)
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n--b--"), "multipart/form-data; boundary=b")
	f.Add([]byte("--b\nContent-Disposition: form-data; name=model\n\nm\n--b--"), "multipart/form-data; boundary=b")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		var req Request
		if err := ReadFormRequest(&req, contentType, body); err != nil {
			return
		}
		_, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatal(err)
		}
		r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		var models []string
		for {
			p, err := r.NextRawPart()
			if err != nil {
				break // what it refuses reaches no model
			}
			if p.FormName() == "model" {
				value, _ := io.ReadAll(p)
				models = append(models, string(value))
			}
		}
		if len(models) > 1 || len(models) == 1 && models[0] != string(req.Model) {
			t.Errorf("read %q, another reader %q", req.Model, models)
		}
	})
}

func TestFileIDs(t *testing.T) {
	for body, want := range map[string][]string{
		`{"model":"m","messages":[{"content":"about a file_id"}]}`:                    nil,
		`{"a":[{"file_id":"f1"},{"b":{"file_ids":["f2","f3"]}}]}`:                     {"f1", "f2", "f3"},
		`{"f\u0069le_id":"f\u0031"}`:                                                  {"f1"},
		`{"properties":{"file_id":{"type":"string"}},"x":"\u001b","file_id":null}`:    nil,
		`{"content":[{"type":"document","source":{"type":"file","file_id":"file_a"}}`: {"file_a"},
		`file_id`: nil,
	} {
		if got := FileIDs([]byte(body)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// TestRenamingInAJSONBody: the result is what Rewrite makes in a copy, wherever model and stream stand.
func TestRenamingInAJSONBody(t *testing.T) {
	const ask = `,"stream_options":{"include_usage":true}`
	for _, body := range []string{
		`{"model":"provider/model","stream":true,"messages":[]}`,
		`{"stream":true,"messages":["a longer text than what follows it"],"model":"provider/model"}`,
		`{"messages":[],"model":"provider/model","stream":true}`,
	} {
		for _, to := range []string{"m", "a-much-longer-name-of-a-model-than-it-was", "q\"uoted", "provider/model"} {
			for _, asked := range []bool{false, true} {
				name, stream := bytes.Index([]byte(body), []byte(`"provider/model"`)), bytes.Index([]byte(body), []byte("true"))+4
				r := Request{
					Model: []byte("provider/model"), ModelAt: jsonscan.Span{From: name, To: name + len(`"provider/model"`)},
					AskUsage: Edit{At: jsonscan.Span{From: stream, To: stream}, Text: ask},
				}
				want := string(r.Rewrite(nil, []byte(body), to, asked))
				got := r.Rename([]byte(body), to, asked)
				if string(got) != want || string(got[r.ModelAt.From:r.ModelAt.To]) != string(jsonscan.Quote(nil, to)) || r.Asked != asked {
					t.Errorf("%s to %s: %s, want %s, %+v", body, to, got, want, r)
				}
				// And for the next provider, in a copy.
				if again := r.Rewrite(nil, got, "provider/model", asked); asked == bytes.Contains(again, []byte(ask)) && !bytes.Contains(again, []byte(`"model":"provider/model"`)) {
					t.Errorf("again: %s", again)
				}
			}
		}
	}
}
