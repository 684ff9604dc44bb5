package bedrock

import (
	"encoding/base64"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// jsonWriter is short for what all of this is written with.
type jsonWriter = jsontree.Writer

// media writes an image, document, video or recording; false when there is no way to.
func (w *writing) media(p *canon.Part) bool {
	m := *p.Media
	if m.URL != "" && !w.fetch(p, &m) {
		return false
	}
	if m.FileID != "" && !strings.HasPrefix(m.FileID, "s3://") {
		w.refuse(p.At, "it is a file that another provider keeps, and Bedrock reads files in S3")
		return false
	}
	mime, _, _ := strings.Cut(m.MIME, ";")
	word := wordFor(p.Kind, strings.ToLower(strings.TrimSpace(mime)))
	if word == "" && m.MIME == "" {
		word = guess(p.Kind, &m)
	}
	if word == "" && p.Kind == canon.Document && strings.HasPrefix(mime, "text/") {
		word = "txt"
	}
	if word == "" {
		what := m.MIME
		if what == "" {
			what = "no type"
		}
		w.refuse(p.At, "Bedrock takes no "+p.Kind.String()+" of "+what)
		return false
	}
	if m.Detail != "" && m.Detail != "auto" {
		w.r.Lose(p.At, canon.Approximated, "Bedrock knows no levels of detail")
	}
	w.Object()
	if p.Kind == canon.Document {
		w.document(p, &m, word)
	} else {
		w.Name(p.Kind.String())
		w.Object()
		w.StrMember("format", word)
		w.source(&m)
		w.End()
	}
	w.End()
	return true
}

// fetch gets what stands at a URL, since Bedrock takes bytes.
func (w *writing) fetch(p *canon.Part, m *canon.Media) bool {
	if strings.HasPrefix(m.URL, "s3://") {
		m.FileID, m.URL = m.URL, ""
		return true
	}
	if w.to.Fetch == nil {
		w.refuse(p.At, "Bedrock takes bytes, and the gateway may not fetch what stands at a URL")
		return false
	}
	mime, data, err := w.to.Fetch(m.URL)
	if err != nil {
		w.refuse(p.At, "Bedrock takes bytes, and what stands at the URL could not be fetched: "+err.Error())
		return false
	}
	w.r.Lose(p.At, canon.Emulated, "Bedrock takes bytes: the gateway fetched the URL")
	if m.Data, m.URL = data, ""; m.MIME == "" || wordFor(p.Kind, m.MIME) == "" {
		m.MIME = mime
	}
	return true
}

func (w *writing) source(m *canon.Media) {
	w.Name("source")
	w.Object()
	switch {
	case m.FileID != "":
		w.Name("s3Location")
		w.Object()
		w.StrMember("uri", m.FileID)
		w.End()
	case m.Text != "":
		w.StrMember("text", m.Text)
	default:
		w.StrMember("bytes", m.Data)
	}
	w.End()
}

func (w *writing) document(p *canon.Part, m *canon.Media, word string) {
	w.Name("document")
	w.Object()
	w.StrMember("format", word)
	w.StrMember("name", w.documentName(p, m.Name))
	w.source(m)
	if m.Context != "" {
		w.StrMember("context", m.Context)
	}
	if m.CitedBack {
		w.RawMember("citations", []byte(`{"enabled":true}`))
	}
	w.End()
}

// documentName is a document's name in the letters that Bedrock takes, and not that of another document of the request.
func (w *writing) documentName(p *canon.Part, given string) string {
	b := make([]byte, 0, len(given))
	for i := range len(given) {
		c := given[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-()[]", c) >= 0:
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != ' ' && len(b) < 180:
			b = append(b, ' ')
		}
		if len(b) >= 180 {
			break
		}
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		text = "document"
	}
	if w.documents == nil {
		w.documents = map[string]int{}
	}
	w.documents[text]++
	if n := w.documents[text]; n > 1 {
		text += " " + strconv.Itoa(n)
		w.documents[text]++
	}
	if given != "" && text != given {
		w.loseIn(p.At, "name", canon.Approximated, "Bedrock takes letters, digits, spaces and -()[] in a name, and each name once")
	}
	return text
}

// guess finds the format of media whose type nobody said, by how it begins.
func guess(kind canon.PartKind, m *canon.Media) string {
	if m.Text != "" {
		return "txt"
	}
	head := make([]byte, 0, 24)
	head, _ = base64.StdEncoding.AppendDecode(head, []byte(m.Data[:min(len(m.Data)/4*4, 24)]))
	for _, magic := range [...]struct {
		kind        canon.PartKind
		begin, word string
	}{
		{canon.Image, "\x89PNG", "png"},
		{canon.Image, "\xff\xd8\xff", "jpeg"},
		{canon.Image, "GIF8", "gif"},
		{canon.Image, "RIFF", "webp"},
		{canon.Document, "%PDF", "pdf"},
		{canon.Audio, "RIFF", "wav"},
		{canon.Audio, "ID3", "mp3"},
		{canon.Audio, "fLaC", "flac"},
		{canon.Audio, "OggS", "ogg"},
	} {
		if magic.kind == kind && strings.HasPrefix(string(head), magic.begin) {
			return magic.word
		}
	}
	if i := strings.LastIndexByte(m.FileID, '.'); i >= 0 {
		ending := strings.ToLower(m.FileID[i+1:])
		for _, f := range formatsOf(kind) {
			if f.word == ending || f.word == "jpeg" && ending == "jpg" {
				return f.word
			}
		}
	}
	return ""
}
