package openai

import (
	"bytes"
	"strings"

	"causeway/internal/llm/canon"
)

// What another dialect signs its reasoning with travels through Responses as the encrypted_content of a
// reasoning item, with the dialect's name and a colon before it, so that it finds its way back: OpenAI's own
// is base64url and has no colon. Two words may stand in between:
//
//	anthropic:SIGNATURE               of the reasoning in the item's summary
//	anthropic:redacted:DATA           of reasoning that has no text
//	gemini:call=CALL_ID:SIGNATURE     of the call with this id
//	gemini:text:SIGNATURE             of the text before the item
//
// The last two are items that only carry a proof; their summary is empty.

// seal is what stands before a signature.
type seal struct {
	kind string // "call" or "text", "" for the reasoning itself
	id   string // the call's
	sig  string
	by   string
}

const (
	sealRedacted = "redacted:"
	sealText     = "text:"
	sealCall     = "call="
)

var sealEscape = strings.NewReplacer("%", "%25", ":", "%3A")

var sealUnescape = strings.NewReplacer("%25", "%", "%3A", ":")

// sealed is a signature as encrypted_content has it.
func sealed(by, signature, mark string) string {
	if by == dialectName || by == "" {
		return signature
	}
	return by + ":" + mark + signature
}

func callMark(id string) string { return sealCall + sealEscape.Replace(id) + ":" }

// opened takes a seal off; ok is false when there is none.
func opened(content string) (by, rest string, ok bool) {
	by, rest, ok = strings.Cut(content, ":")
	if !ok || by == "" || len(by) > 16 {
		return "", content, false
	}
	for i := range len(by) {
		if c := by[i]; (c < 'a' || c > 'z') && c != '-' {
			return "", content, false
		}
	}
	return by, rest, true
}

// unseal takes the seal off the signature of a part and says so in all parts of its item. That of a call or a
// text stays on, for sealOf.
func unseal(last *canon.Part, parts []canon.Part) {
	by, rest, ok := opened(last.Signature)
	if !ok || strings.HasPrefix(rest, sealText) || strings.HasPrefix(rest, sealCall) {
		return
	}
	last.Signature, last.Redacted = rest, false
	if data, redacted := strings.CutPrefix(rest, sealRedacted); redacted {
		last.Signature, last.Redacted = data, true
	}
	for i := range parts {
		parts[i].SignedBy = by
	}
}

// sealOf is the seal of a part that only carries a proof.
func sealOf(p *canon.Part) (s seal) {
	by, rest, ok := opened(p.Signature)
	if !ok || p.SignedBy != dialectName || p.Text != "" {
		return s
	}
	if sig, found := strings.CutPrefix(rest, sealText); found {
		return seal{kind: "text", sig: sig, by: by}
	}
	if after, found := strings.CutPrefix(rest, sealCall); found {
		id, sig, _ := strings.Cut(after, ":")
		return seal{kind: "call", id: sealUnescape.Replace(id), sig: sig, by: by}
	}
	return s
}

// giveBack gives a proof to the part that it is of.
func (t *turns) giveBack(s seal) bool {
	for m := len(t.list) - 1; m >= 0; m-- {
		parts := t.list[m].Parts
		for i := len(parts) - 1; i >= 0; i-- {
			p := &parts[i]
			if s.kind == "call" && p.Call != nil && p.Call.ID == s.id || s.kind == "text" && p.Kind == canon.Text && t.list[m].Role == canon.Assistant {
				p.Signature, p.SignedBy = s.sig, s.by
				return true
			}
		}
		if s.kind == "text" {
			return false // it stands right behind its text, in the same turn
		}
	}
	return false
}

// HasForeignThoughts tells whether the body of a call of Responses has reasoning that another dialect signed: a
// provider of this one refuses it, so that such a body can't pass through.
func HasForeignThoughts(body []byte) bool {
	name := []byte(`"encrypted_content"`)
	for {
		i := bytes.Index(body, name)
		if i < 0 {
			return false
		}
		body = body[i+len(name):]
		value := bytes.TrimLeft(body, ": \t\r\n")
		if len(value) < 2 || value[0] != '"' {
			continue
		}
		if _, _, ok := opened(string(value[1:min(len(value), 24)])); ok {
			return true
		}
	}
}
