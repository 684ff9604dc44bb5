package gateway

import (
	"bytes"
	"net/url"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/openai"
	"causeway/internal/wire"
)

// A realtime call of OpenAI's dialect is a WebSocket: GET /v1/realtime?model=MODEL
// (platform.openai.com/docs/guides/realtime-websocket). Programs send their key as in every other call;
// browsers, which cannot set fields, offer it as a subprotocol. The gateway's key stays here, the
// model's name is written anew in the query, and what follows the upgrade is the provider's and the
// caller's own.

const (
	nameSubprotocol = "Sec-WebSocket-Protocol"
	nameExtensions  = "Sec-WebSocket-Extensions"
	// keyProtocol begins the subprotocol that carries a key.
	keyProtocol = "openai-insecure-api-key."
)

// realtimeLookup finds fields as keys are looked for: the key among the subprotocols stands for the
// Authorization that a browser cannot send.
func (c *call) realtimeLookup(name string) []byte {
	v := c.rq.Header.Lookup(name)
	if v != nil || !strings.EqualFold(name, "Authorization") {
		return v
	}
	for i := range c.rq.Header.Fields {
		if f := &c.rq.Header.Fields[i]; f.ID == wire.Other && wire.EqualFold(f.Name, nameSubprotocol) {
			var key []byte
			wire.EachToken(f.Value, func(t []byte) bool {
				if bytes.HasPrefix(t, []byte(keyProtocol)) {
					key = append([]byte("Bearer "), t[len(keyProtocol):]...)
				}
				return key == nil
			})
			if key != nil {
				return key
			}
		}
	}
	return nil
}

// withoutKey is a list of subprotocols without the one that carries a key.
func withoutKey(value []byte) []byte {
	if !bytes.Contains(value, []byte(keyProtocol)) {
		return value
	}
	var kept [][]byte
	wire.EachToken(value, func(t []byte) bool {
		if !bytes.HasPrefix(t, []byte(keyProtocol)) {
			kept = append(kept, t)
		}
		return true
	})
	return bytes.Join(kept, []byte(", "))
}

// translateRealtime is translate for a realtime call: the model stands in the query.
func (c *call) translateRealtime() bool {
	if !c.asksUpgrade() || !hasToken(&c.rq.Header, wire.Upgrade, "websocket") {
		text := "This address is a WebSocket: call it with Upgrade: websocket (wss://HOST:PORT" + c.gen.LLMPrefix + "/v1/realtime?model=MODEL)."
		return c.fail(failure{kind: fault.BadRequest, detail: text, safe: text})
	}
	name, at, n := queryModel(c.rq.Query)
	if n != 1 || name == "" {
		text := "The query must name the model: ?model=MODEL."
		if n > 1 {
			text = "The query names the model more than once, and which of them counts is not defined."
		}
		return c.fail(failure{kind: fault.BadRequest, detail: text, safe: text, param: "model"})
	}
	c.llmReq = llm.Request{Op: llm.Realtime, Model: []byte(name), ModelAt: at}
	return c.resolve(name)
}

// queryModel finds the parameter model in a raw query: its value, where that stands, and how often the
// parameter is there. A name that some readers take for it and others do not counts as one.
func queryModel(query []byte) (model string, at jsonscan.Span, n int) {
	for from := 0; from <= len(query); {
		end := bytes.IndexByte(query[from:], '&')
		if end < 0 {
			end = len(query)
		} else {
			end += from
		}
		name, value, _ := bytes.Cut(query[from:end], []byte{'='})
		if plain, err := url.QueryUnescape(string(name)); err == nil && strings.EqualFold(plain, "model") {
			n++
			model, err = url.QueryUnescape(string(value))
			if err != nil || plain != "model" {
				model = ""
			}
			at = jsonscan.Span{From: end - len(value), To: end}
		}
		from = end + 1
	}
	return model, at, n
}

// askRealtime writes the query for the model of this attempt.
func (c *call) askRealtime() {
	c.query = nil
	if string(c.llmReq.Model) == c.j.TargetModel {
		return
	}
	q, at := c.rq.Query, c.llmReq.ModelAt
	c.query = append(append(append(c.query, q[:at.From]...), url.QueryEscape(c.j.TargetModel)...), q[at.To:]...)
}

// realtimeUsed adds what an answer within a realtime session used to the call's usage.
func (c *call) realtimeUsed(message []byte) {
	// Most messages are pieces of sound; the event that tells is rare.
	if !bytes.Contains(message, []byte("response.done")) {
		return
	}
	u, ok := openai.RealtimeUsage(message)
	if !ok {
		return
	}
	sum := &c.j.Usage
	if sum.Source == "" {
		*sum = u
		sum.Source = "reported"
		return
	}
	add := func(to *int64, n int64) {
		if n > 0 {
			*to = max(*to, 0) + n
		}
	}
	add(&sum.Input, u.Input)
	add(&sum.Output, u.Output)
	add(&sum.Cached, u.Cached)
	add(&sum.Reasoning, u.Reasoning)
	if x := u.Extra; x != nil {
		all := journey.UsageExtra{}
		if sum.Extra != nil {
			all = *sum.Extra
		}
		add(&all.AudioIn, x.AudioIn)
		add(&all.AudioOut, x.AudioOut)
		add(&all.ImageIn, x.ImageIn)
		add(&all.ImageOut, x.ImageOut)
		sum.Extra = &all
	}
}
