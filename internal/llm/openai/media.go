package openai

import (
	"net/http"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// Images, speech, transcriptions, files and batches pass to a provider that has them: what is read of them is the
// model, whether a stream is asked for, and what was used.
//
// Sources: platform.openai.com/docs/api-reference/images, /audio, /files, /batch.

// media are the addresses below which each operation has several, or a model of its own.
var media = [...]struct {
	path string
	op   llm.Operation
	tail string // Match.Detail
}{
	{"/v1/images/generations", llm.Images, "generations"},
	{"/v1/images/edits", llm.Images, "edits"},
	{"/v1/images/variations", llm.Images, "variations"},
	{"/v1/audio/speech", llm.Speech, ""},
	{"/v1/audio/transcriptions", llm.Transcriptions, ""},
	{"/v1/audio/translations", llm.Translations, ""},
	{"/v1/rerank", llm.Rerank, ""},
}

// The addresses of what a provider keeps.
const (
	filesPath   = "/v1/files"
	batchesPath = "/v1/batches"
)

// mediaRoutes are the routes of these.
func mediaRoutes() []llm.Route {
	var list []llm.Route
	for _, m := range media {
		list = append(list, llm.Route{Method: http.MethodPost, Path: m.path, Op: m.op})
	}
	return append(
		list,
		llm.Route{Method: http.MethodPost, Path: filesPath, Op: llm.Files},
		llm.Route{Method: http.MethodGet, Path: filesPath, Op: llm.Files},
		llm.Route{Method: http.MethodGet, Path: filesPath + "/*", Op: llm.Files},
		llm.Route{Method: http.MethodDelete, Path: filesPath + "/*", Op: llm.Files},
		llm.Route{Method: http.MethodPost, Path: batchesPath, Op: llm.Batches},
		llm.Route{Method: http.MethodGet, Path: batchesPath, Op: llm.Batches},
		llm.Route{Method: http.MethodGet, Path: batchesPath + "/*", Op: llm.Batches},
		llm.Route{Method: http.MethodPost, Path: batchesPath + "/*", Op: llm.Batches},
	)
}

// lookupMedia finds the operation of method and path among these.
func lookupMedia(method, path string) (m llm.Match, ok bool) {
	for i := range media {
		if media[i].path == path {
			if method != http.MethodPost {
				return llm.Match{Allow: http.MethodPost}, false
			}
			return llm.Match{Op: media[i].op, Detail: media[i].tail}, true
		}
	}
	if rest, found := strings.CutPrefix(path, filesPath); found && (rest == "" || len(rest) > 1 && rest[0] == '/') {
		return lookupKept(llm.Files, method, strings.TrimPrefix(rest, "/"))
	}
	if rest, found := strings.CutPrefix(path, batchesPath); found && (rest == "" || len(rest) > 1 && rest[0] == '/') {
		return lookupKept(llm.Batches, method, strings.TrimPrefix(rest, "/"))
	}
	return llm.Match{}, false
}

// lookupKept finds what is asked of files or batches; rest is what stands behind the address.
func lookupKept(op llm.Operation, method, rest string) (m llm.Match, ok bool) {
	id, part, deeper := strings.Cut(rest, "/")
	var allow []string
	switch {
	case rest == "":
		allow = []string{http.MethodGet, http.MethodPost}
	case id == "":
	case op == llm.Files && !deeper:
		allow = []string{http.MethodGet, http.MethodDelete}
	case op == llm.Files && part == "content", op == llm.Batches && !deeper:
		allow = []string{http.MethodGet}
	case op == llm.Batches && part == "cancel":
		allow = []string{http.MethodPost}
	}
	for _, a := range allow {
		if a == method {
			return llm.Match{Op: op, Detail: rest}, true
		}
	}
	return llm.Match{Allow: strings.Join(allow, ", ")}, false
}

// readSpeech reads the body of a call for speech: stream_format "sse" asks for a stream of events, anything else for
// the sound itself.
func readSpeech(req *llm.Request, body []byte) error {
	var scan jsonscan.Scanner
	scan.Reset(body)
	m := llm.Enter(&scan, "", "model", "stream_format")
	for {
		index, ok := m.Next(&scan)
		if !ok {
			break
		}
		switch {
		case index == 0:
			if problem := llm.ReadModel(&scan, req); problem != "" {
				m.Fail(index, problem)
			}
		case index == 1:
			req.Stream = string(scan.Bytes(scan.Skip())) == `"sse"`
		default:
			scan.Skip()
		}
	}
	if err := m.Err(&scan); err != nil {
		return err
	}
	if !m.Saw(0) {
		return &llm.RequestError{Pointer: "/model", Offset: len(body), Problem: "is missing"}
	}
	return nil
}

// mediaJudge decides about the events of a streamed image, sound or transcript. Their last ones are of the types
// image_generation.completed, image_edit.completed, speech.audio.done and transcript.text.done.
type mediaJudge struct{}

// Judge reads one event.
func (mediaJudge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	if string(ev.Data) == "[DONE]" {
		st.Done = true
		return llm.Pass
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	failed, last := string(ev.Name) == "error", false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "type":
			word := strings.Trim(string(scan.Bytes(scan.Skip())), `"`)
			failed = failed || word == "error"
			last = strings.HasSuffix(word, ".completed") || word == "speech.audio.done" || word == "transcript.text.done"
		case "usage":
			if u := readUsage(&scan); said(&u) {
				st.Usage = u
			}
		case "error":
			failed = isError(&scan) || failed
		default:
			scan.Skip()
		}
	}
	switch {
	case !scan.Finished():
		return llm.Malformed
	case failed:
		st.Error = readError(ev.Data, 0)
		return llm.Fail
	}
	st.Content = true
	if last {
		st.Ended, st.Done = true, true
	}
	return llm.Pass
}
