package bedrock

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// codec implements canon.Codec for Converse.
type codec struct{}

var _ canon.Codec = codec{}

// signer is the dialect that made the signatures of reasoning on Bedrock. Claude's are the only ones, and they "are
// compatible across platforms" (platform.claude.com/docs, "Extended thinking"), so that reasoning goes back and forth between
// Bedrock and Anthropic's own API.
const signer = "anthropic"

// reasons are Bedrock's stop reasons and what they mean. Where several mean the same, the first is written.
var reasons = [...]struct {
	word   string
	finish canon.Finish
}{
	{"end_turn", canon.Stopped},
	{"tool_use", canon.ToolCalls},
	{"max_tokens", canon.Length},
	{"stop_sequence", canon.StopSequence},
	{"content_filtered", canon.Filtered},
	{"guardrail_intervened", canon.Filtered},
	{"model_context_window_exceeded", canon.ContextLength},
	{"malformed_tool_use", canon.BadCall},
	{"malformed_model_output", canon.Failed},
	{"content_filtered", canon.Refused},
	{"end_turn", canon.Paused},
}

func finishOf(word string) canon.Finish {
	for _, r := range reasons {
		if r.word == word {
			return r.finish
		}
	}
	return canon.Stopped
}

// wordOf is the stop reason for a finish; raw counts where it is one of Bedrock's own that means the same.
func wordOf(f canon.Finish, raw string) string {
	word := "end_turn"
	for i := len(reasons) - 1; i >= 0; i-- {
		if r := reasons[i]; r.finish == f {
			if word = r.word; raw == word {
				return word
			}
		}
	}
	return word
}

// A format is the word for a MIME type. Where several types have one, the first is the one that it is read as.
type format struct{ word, mime string }

var imageFormats = []format{{"png", "image/png"}, {"jpeg", "image/jpeg"}, {"gif", "image/gif"}, {"webp", "image/webp"}, {"jpeg", "image/jpg"}}

var documentFormats = []format{
	{"pdf", "application/pdf"},
	{"csv", "text/csv"},
	{"doc", "application/msword"},
	{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"xls", "application/vnd.ms-excel"},
	{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"html", "text/html"},
	{"txt", "text/plain"},
	{"md", "text/markdown"},
	{"txt", "application/json"},
	{"txt", "text/xml"},
	{"txt", "application/xml"},
}

var videoFormats = []format{
	{"mp4", "video/mp4"},
	{"mov", "video/quicktime"},
	{"mkv", "video/x-matroska"},
	{"webm", "video/webm"},
	{"flv", "video/x-flv"},
	{"mpeg", "video/mpeg"},
	{"mpg", "video/mpg"},
	{"wmv", "video/x-ms-wmv"},
	{"three_gp", "video/3gpp"},
	{"mov", "video/mov"},
	{"wmv", "video/wmv"},
}

var audioFormats = []format{
	{"mp3", "audio/mpeg"},
	{"wav", "audio/wav"},
	{"flac", "audio/flac"},
	{"ogg", "audio/ogg"},
	{"opus", "audio/opus"},
	{"aac", "audio/aac"},
	{"m4a", "audio/mp4"},
	{"webm", "audio/webm"},
	{"pcm", "audio/pcm"},
	{"mka", "audio/x-matroska"},
	{"mp3", "audio/mp3"},
	{"wav", "audio/x-wav"},
	{"wav", "audio/wave"},
	{"m4a", "audio/m4a"},
	{"m4a", "audio/x-m4a"},
	{"aac", "audio/x-aac"},
	{"flac", "audio/x-flac"},
}

// formatsOf are the formats of a kind of media.
func formatsOf(kind canon.PartKind) []format {
	switch kind {
	case canon.Image:
		return imageFormats
	case canon.Video:
		return videoFormats
	case canon.Audio:
		return audioFormats
	}
	return documentFormats
}

// mimeOf is the type for a format's word; a word that is not known makes a type of its own.
func mimeOf(kind canon.PartKind, word string) string {
	if word == "" {
		return ""
	}
	for _, f := range formatsOf(kind) {
		if f.word == word {
			return f.mime
		}
	}
	switch kind {
	case canon.Image:
		return "image/" + word
	case canon.Video:
		return "video/" + word
	case canon.Audio:
		return "audio/" + word
	}
	return "application/" + word
}

// wordFor is the format's word for a type, "" when Bedrock has none.
func wordFor(kind canon.PartKind, mime string) string {
	for _, f := range formatsOf(kind) {
		if f.mime == mime {
			return f.word
		}
	}
	for _, w := range [...]string{"x-aac", "mpga", "mpeg", "mkv", "mp4"} { // words that mimeOf makes a type of
		if kind == canon.Audio && mime == "audio/"+w {
			return w
		}
	}
	return ""
}

// isObject tells whether text is a JSON object.
func isObject(text []byte) bool {
	var scan jsonscan.Scanner
	scan.Reset(text)
	if scan.Peek() != jsonscan.Object {
		return false
	}
	scan.Skip()
	return scan.Finished()
}
