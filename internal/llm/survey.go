package llm

import (
	"encoding/binary"
	"math/bits"

	"causeway/internal/llm/jsonscan"
)

// Needs are what a request asks of a model beyond text: a set.
type Needs uint8

// The needs, as the configuration names them.
const (
	NeedsVision    Needs = 1 << iota // images in its messages
	NeedsAudio                       // sound
	NeedsDocuments                   // PDF and other files
	NeedsTools                       // tools to call
	NeedsSchema                      // an answer by a JSON Schema
)

var needNames = [...]string{"vision", "audio", "documents", "tools", "json_schema"}

// Names lists them.
func (n Needs) Names() (names []string) {
	for i, name := range needNames {
		if n&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// NeedNamed is the need that the configuration calls so, 0 for none.
func NeedNamed(name string) Needs {
	for i, n := range needNames {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

// Survey is what the choice among a model's targets goes by.
type Survey struct {
	Needs Needs
	// Tokens is an estimate of the prompt's length: a token for four bytes, images and other media left out.
	Tokens int64
	// Conversation is a hash of how the conversation begins: its prompt_cache_key where it has one, else
	// its system messages and its first message of the user, their texts alone. It is 0 where nothing
	// of that is found, and the same for every turn, whatever is added behind.
	Conversation uint64
}

// ReadSurvey looks over the body of a chat in any dialect (Chat Completions, Responses, Messages,
// generateContent). What it does not know it passes over; a body that is no JSON has an empty Survey.
// It allocates nothing.
func ReadSurvey(body []byte) Survey {
	var s surveyor
	s.scan.Reset(body)
	s.top()
	if s.scan.Failed() {
		return Survey{}
	}
	s.out.Tokens = int64(max(len(body)-s.media, 0)) / 4
	switch {
	case s.key != 0:
		s.out.Conversation = s.key
	case s.hashes[hashSystem] != 0 || s.hashes[hashFirst] != 0:
		s.out.Conversation = scramble(s.hashes[hashSystem]) ^ bits.RotateLeft64(scramble(s.hashes[hashFirst]), 17) | 1
	}
	return s.out
}

type surveyor struct {
	scan  jsonscan.Scanner
	out   Survey
	media int // bytes of images and alike

	hashes [3]uint64
	key    uint64 // the hash of prompt_cache_key
	into   int    // the hash that texts go into
	user   bool   // the first message of the user has been passed
}

// The hashes of texts.
const (
	hashNone = iota
	hashSystem
	hashFirst
)

// top reads the outermost object.
func (s *surveyor) top() {
	var k jsonscan.Key
	for ok := s.scan.Object(); ok && s.scan.Member(&k); {
		kind := s.scan.Peek()
		switch string(k.Raw) {
		case "messages", "contents", "input":
			s.messages(kind)
		case "system", "instructions", "systemInstruction", "system_instruction":
			s.into = hashSystem
			s.value(kind)
			s.into = hashNone
		case "prompt_cache_key":
			if kind == jsonscan.String {
				s.key = hashText(0, s.scan.Inner())
			} else {
				s.scan.Skip()
			}
		case "tools", "functions":
			if at := s.scan.Skip(); at.Len() > 2 && kind == jsonscan.Array && !emptyArray(s.scan.Bytes(at)) {
				s.out.Needs |= NeedsTools
			}
		case "response_format", "text", "output_config", "output_format", "generationConfig", "generation_config":
			s.format(kind)
		case "format": // Ollama: "json", or the schema itself
			if s.scan.Skip(); kind == jsonscan.Object {
				s.out.Needs |= NeedsSchema
			}
		case "images":
			s.images(kind)
		default:
			s.scan.Skip()
		}
	}
}

// emptyArray tells whether an array has no element.
func emptyArray(array []byte) bool {
	for _, c := range array[1 : len(array)-1] {
		if c > ' ' {
			return false
		}
	}
	return true
}

// format looks for a JSON Schema in what says how the answer should look.
func (s *surveyor) format(kind jsonscan.Kind) {
	if kind != jsonscan.Object {
		s.scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := s.scan.Object(); ok && s.scan.Member(&k); {
		kind := s.scan.Peek()
		switch string(k.Raw) {
		case "type":
			if kind == jsonscan.String && string(s.scan.Bytes(s.scan.Skip())) == `"json_schema"` {
				s.out.Needs |= NeedsSchema
				continue
			}
			if kind != jsonscan.String {
				s.scan.Skip()
			}
		case "format":
			s.format(kind)
		case "responseSchema", "responseJsonSchema", "response_schema", "response_json_schema", "json_schema":
			s.out.Needs |= NeedsSchema
			s.scan.Skip()
		default:
			s.scan.Skip()
		}
	}
}

// messages reads the conversation: a text, or a list of messages.
func (s *surveyor) messages(kind jsonscan.Kind) {
	switch kind {
	case jsonscan.String:
		s.hashes[hashFirst] = hashText(s.hashes[hashFirst], s.scan.Inner())
		s.user = true
	case jsonscan.Array:
		for ok := s.scan.Array(); ok && s.scan.Element(); {
			if !s.user {
				s.into = hashFirst
			}
			s.value(s.scan.Peek())
			s.into = hashNone
		}
	default:
		s.scan.Skip()
	}
}

// value reads a message, a part of one, a list of parts, or a text.
func (s *surveyor) value(kind jsonscan.Kind) {
	switch kind {
	case jsonscan.String:
		inner := s.scan.Inner()
		if s.into != hashNone {
			s.hashes[s.into] = hashText(s.hashes[s.into], inner)
		}
	case jsonscan.Array:
		for ok := s.scan.Array(); ok && s.scan.Element(); {
			s.value(s.scan.Peek())
		}
	case jsonscan.Object:
		s.object()
	default:
		s.scan.Skip()
	}
}

// object reads a message or a part. What a tool was called with, and what it said, may look like a part
// and is none: only the members that parts are made of are looked into.
func (s *surveyor) object() {
	var k jsonscan.Key
	for ok := s.scan.Object(); ok && s.scan.Member(&k); {
		kind := s.scan.Peek()
		switch string(k.Raw) {
		case "role":
			if at := s.scan.Skip(); string(s.scan.Bytes(at)) == `"user"` {
				s.user = true
			}
		case "content", "parts", "text", "output":
			s.value(kind)
		case "type":
			s.out.Needs |= needOfPart(s.scan.Bytes(s.scan.Skip()))
		case "inlineData", "inline_data", "fileData", "file_data", "source", "image_url", "input_audio", "file":
			if kind == jsonscan.Object {
				s.bytes()
			} else {
				s.media += s.scan.Skip().Len()
			}
		case "url", "data":
			s.media += s.scan.Skip().Len()
		case "images":
			s.images(kind)
		default:
			s.scan.Skip()
		}
	}
}

// images reads a list of images in base64, as Ollama has them beside a message's text.
func (s *surveyor) images(kind jsonscan.Kind) {
	at := s.scan.Skip()
	if kind == jsonscan.Array && !emptyArray(s.scan.Bytes(at)) {
		s.out.Needs |= NeedsVision
		s.media += at.Len()
	}
}

// bytes reads what holds an image, a sound or a file.
func (s *surveyor) bytes() {
	var k jsonscan.Key
	for ok := s.scan.Object(); ok && s.scan.Member(&k); {
		at := s.scan.Skip()
		switch string(k.Raw) {
		case "mimeType", "mime_type", "media_type":
			s.out.Needs |= needOfMedia(s.scan.Bytes(at))
		default:
			s.media += at.Len()
		}
	}
}

// needOfPart is what a part of this type (quotes included) needs.
func needOfPart(typ []byte) Needs {
	switch string(typ) {
	case `"image_url"`, `"input_image"`, `"image"`:
		return NeedsVision
	case `"input_audio"`, `"audio"`:
		return NeedsAudio
	case `"file"`, `"input_file"`, `"document"`:
		return NeedsDocuments
	}
	return 0
}

// needOfMedia is what data of this type (quotes included) need.
func needOfMedia(mime []byte) Needs {
	switch {
	case mimeBegins(mime, `"image/`):
		return NeedsVision
	case mimeBegins(mime, `"audio/`):
		return NeedsAudio
	case mimeBegins(mime, `"application/`):
		return NeedsDocuments
	}
	return 0
}

func mimeBegins(text []byte, with string) bool {
	return len(text) >= len(with) && string(text[:len(with)]) == with
}

// hashText adds a text to a hash, eight bytes at a time.
func hashText(h uint64, p []byte) uint64 {
	h = scramble(h + uint64(len(p)))
	for len(p) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(p)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		p = p[8:]
	}
	var last [8]byte
	copy(last[:], p)
	return scramble(h ^ binary.LittleEndian.Uint64(last[:]))
}

// scramble is the finalizer of splitmix64, of a number that is not 0.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
