package openai_test

import (
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/openai"
)

func TestKeptAddresses(t *testing.T) {
	d := openai.New()
	for _, tc := range []struct {
		method, path string
		op           llm.Operation
		detail       string
		allow        string
	}{
		{"POST", "/v1/files", llm.Files, "", ""},
		{"GET", "/v1/files", llm.Files, "", ""},
		{"GET", "/v1/files/file-1", llm.Files, "file-1", ""},
		{"DELETE", "/v1/files/file-1", llm.Files, "file-1", ""},
		{"GET", "/v1/files/file-1/content", llm.Files, "file-1/content", ""},
		{"POST", "/v1/files/file-1", 0, "", "GET, DELETE"},
		{"POST", "/v1/files/file-1/content", 0, "", "GET"},
		{"GET", "/v1/files/file-1/other", 0, "", ""},
		{"GET", "/v1/files/", 0, "", ""},
		{"GET", "/v1/filesystem", 0, "", ""},
		{"POST", "/v1/batches", llm.Batches, "", ""},
		{"GET", "/v1/batches/b", llm.Batches, "b", ""},
		{"POST", "/v1/batches/b/cancel", llm.Batches, "b/cancel", ""},
		{"DELETE", "/v1/batches/b", 0, "", "GET"},
		{"PATCH", "/v1/batches", 0, "", "GET, POST"},
		{"POST", "/v1/images/edits", llm.Images, "edits", ""},
		{"GET", "/v1/images/edits", 0, "", "POST"},
		{"POST", "/v1/audio/speech", llm.Speech, "", ""},
	} {
		m, ok := d.Lookup(tc.method, tc.path)
		if m.Op != tc.op || ok != (tc.op != 0) || m.Detail != tc.detail || tc.allow != "" && m.Allow != tc.allow {
			t.Errorf("%s %s: %+v, %v", tc.method, tc.path, m, ok)
		}
	}
}
