package openai

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// responseObject is what a response says beside its output. SDKs need most members to be there.
type responseObject struct {
	id, base string // base is the id without its prefix: the ids of its items have it
	model    string
	created  int64
	tier     string
	echo     []byte // members that say again what the caller said, on one line
	made     int
}

func newResponseObject(req *canon.Request, id, model string, created int64, tier string) *responseObject {
	o := &responseObject{id: responseID(id), model: model, created: created, echo: responseEcho(req)}
	o.base = strings.TrimPrefix(o.id, responsePrefix)
	if o.model == "" {
		o.model = req.Model
	}
	if o.created == 0 {
		o.created = time.Now().Unix()
	}
	o.setTier(tier)
	return o
}

// setTier notes how the call was served. Responses has a word for it always, and knows no other vendor's.
func (o *responseObject) setTier(tier string) {
	switch tier = tierOf(tier); tier {
	case "auto", "default", "flex", "scale", "priority":
		o.tier = tier
	default:
		o.tier = "default"
	}
}

const responsePrefix = "resp_"

// responseID is the provider's own id of a response, or a new one where another dialect's answer has an id
// that may come twice: responses are kept by it.
func responseID(id string) string {
	if strings.HasPrefix(id, responsePrefix) || len(id) == 36 && strings.Count(id, "-") == 4 {
		return id
	}
	var b [16]byte
	rand.Read(b[:])
	return responsePrefix + hex.EncodeToString(b[:])
}

// itemID is the id of an item: its own, or one that tells which response it is of.
func (o *responseObject) itemID(own, prefix string) string {
	if own != "" {
		return own
	}
	o.made++
	return prefix + o.base + "_" + strconv.Itoa(o.made)
}

// ResponseOf is the response that an item made by us is of, by the two forms of its id; "" when it is of none.
func ResponseOf(itemID string) (id, bare string) {
	_, rest, ok := strings.Cut(itemID, "_")
	end := strings.LastIndexByte(rest, '_')
	if !ok || end <= 0 {
		return "", ""
	}
	return responsePrefix + rest[:end], rest[:end]
}

// responseEcho writes the members that repeat the request.
func responseEcho(req *canon.Request) []byte {
	var w jsontree.Writer
	scratch := canon.NewReport(req) // what is lost has been told
	raw := func(name string, id canon.ParamID, otherwise string) {
		w.Name(name)
		if json := req.Params[id].JSON; json != nil {
			w.Raw(json)
		} else {
			w.RawStr(otherwise)
		}
	}
	raw("background", canon.Background, "false")
	w.Name("instructions")
	if text, ok := (&responsesOut{req: req}).instructions(); ok && fromResponses(req) && req.Doc != nil {
		w.Str(text)
	} else {
		w.Null()
	}
	raw("max_output_tokens", canon.MaxTokens, "null")
	raw("max_tool_calls", canon.MaxToolCalls, "null")
	raw("previous_response_id", canon.PreviousID, "null")
	raw("prompt_cache_key", canon.CacheKey, "null")
	w.Name("reasoning")
	w.Object()
	writeWord(&w, "effort", req.Reasoning.Effort)
	writeWord(&w, "summary", req.Reasoning.Summary)
	w.End()
	raw("safety_identifier", canon.SafetyUser, "null")
	raw("store", canon.Store, "true")
	raw("temperature", canon.Temperature, "1.0")
	w.Name("text")
	w.Object()
	writeResponsesFormat(&w, &req.Format, true)
	raw("verbosity", canon.Verbosity, `"medium"`)
	w.End()
	writeResponsesChoice(&w, req, true)
	writeResponsesTools(&w, req, scratch, true)
	raw("top_logprobs", canon.TopLogprobs, "0")
	raw("top_p", canon.TopP, "1.0")
	raw("truncation", canon.Truncation, `"disabled"`)
	if user := req.Params[canon.EndUser].JSON; user != nil {
		w.RawMember("user", user)
	}
	raw("metadata", canon.Metadata, "{}")
	return llm.AppendLine(make([]byte, 0, len(w.Buf)), w.Buf)
}

func writeWord(w *jsontree.Writer, name, word string) {
	w.Name(name)
	if word == "" {
		w.Null()
	} else {
		w.Str(word)
	}
}

// outcome is how a response ended; the zero outcome is one that goes on.
type outcome struct {
	status, reason string // of incomplete_details
	failure        string // the message of error
	usage          *canon.Usage
}

// outcomeOf says in Responses' words why a model stopped. refused tells that the answer has a refusal.
func outcomeOf(finish canon.Finish, raw string, refused bool) outcome {
	switch finish {
	case canon.Length, canon.ContextLength, canon.Paused:
		return outcome{status: "incomplete", reason: "max_output_tokens"}
	case canon.Filtered:
		return outcome{status: "incomplete", reason: "content_filter"}
	case canon.Refused:
		if !refused {
			return outcome{status: "incomplete", reason: "content_filter"}
		}
	case canon.Failed, canon.BadCall:
		return outcome{status: "failed", failure: "The model broke off: " + raw}
	}
	return outcome{status: "completed"}
}

// write writes the response. output are its items, ready and with commas between them.
func (o *responseObject) write(w *jsontree.Writer, out outcome, output []byte) {
	w.Object()
	w.StrMember("id", o.id)
	w.StrMember("object", "response")
	w.IntMember("created_at", o.created)
	if out.status == "" {
		out.status = "in_progress"
	}
	w.StrMember("status", out.status)
	if w.Name("completed_at"); out.status == "completed" {
		w.Int(max(time.Now().Unix(), o.created))
	} else {
		w.Null()
	}
	if w.Name("error"); out.failure != "" {
		w.Object()
		w.StrMember("code", "server_error")
		w.StrMember("message", out.failure)
		w.End()
	} else {
		w.Null()
	}
	if w.Name("incomplete_details"); out.reason != "" {
		w.Object()
		w.StrMember("reason", out.reason)
		w.End()
	} else {
		w.Null()
	}
	w.StrMember("model", o.model)
	w.Name("output")
	w.Array()
	w.Embed(output)
	w.End()
	w.StrMember("service_tier", o.tier)
	w.Embed(o.echo)
	writeResponsesUsage(w, out.usage)
	w.End()
}

// writeResponsesUsage writes usage, and what built-in tools did. Parts that the provider did not count are
// written as none where SDKs need them.
func writeResponsesUsage(w *jsontree.Writer, u *canon.Usage) {
	w.Name("usage")
	if u == nil || u.Input < 0 && u.Output < 0 {
		w.Null()
		return
	}
	extra := func(name string, n int64) {
		if n >= 0 {
			w.IntMember(name, n)
		}
	}
	w.Object()
	w.IntMember("input_tokens", max(u.Input, 0))
	w.Name("input_tokens_details")
	w.Object()
	w.IntMember("cached_tokens", max(u.Cached, 0))
	extra("cache_write_tokens", u.CacheWrite)
	extra("audio_tokens", u.AudioIn)
	extra("image_tokens", u.ImageIn)
	w.End()
	w.IntMember("output_tokens", max(u.Output, 0))
	w.Name("output_tokens_details")
	w.Object()
	w.IntMember("reasoning_tokens", max(u.Reasoning, 0))
	extra("audio_tokens", u.AudioOut)
	extra("image_tokens", u.ImageOut)
	w.End()
	w.IntMember("total_tokens", max(u.Input, 0)+max(u.Output, 0))
	w.End()
	if u.Searches >= 0 {
		w.Name("tool_usage")
		w.Object()
		w.Name("web_search")
		w.Object()
		w.IntMember("num_requests", u.Searches)
		w.End()
		w.End()
	}
}
