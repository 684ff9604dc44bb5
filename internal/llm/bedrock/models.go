package bedrock

import "strings"

// What the models behind one API differ in. A model is known by its id or by that of its inference profile
// (us.anthropic.claude-...); an application inference profile's ARN tells nothing, and then only what all models share is used.
//
// Sources: docs.aws.amazon.com/bedrock/latest/userguide, "Supported models and model features", "Structured output",
// "Prompt caching", "Inference request parameters"; platform.claude.com/docs, "Migration guide".

type family uint8

const (
	unknown family = iota
	claude
	nova
	titan
	llama
	mistral
	cohere
	ai21
	deepSeek
	openAI
	others // known, and with nothing of their own
)

// model is what is known of a model by its name.
type model struct {
	name    string
	family  family
	version int // Claude's, 100 for each major: 4.6 is 406; 0 when it can't be read
}

func modelOf(id string) model {
	m := model{name: strings.ToLower(id)}
	for _, f := range [...]struct {
		part string
		is   family
	}{
		{"anthropic.", claude},
		{"claude", claude},
		{"amazon.nova", nova},
		{"amazon.titan", titan},
		{"meta.llama", llama},
		{"mistral.", mistral},
		{"cohere.", cohere},
		{"ai21.", ai21},
		{"deepseek.", deepSeek},
		{"openai.", openAI},
		{"qwen.", others},
		{"moonshot", others},
		{"minimax.", others},
		{"google.", others},
		{"nvidia.", others},
		{"writer.", others},
		{"zai.", others},
	} {
		if strings.Contains(m.name, f.part) {
			m.family = f.is
			break
		}
	}
	if m.family == claude {
		m.version = claudeVersion(m.name)
	}
	return m
}

// claudeVersion reads 4.5 of claude-sonnet-4-5-20250929 and 3.7 of claude-3-7-sonnet.
func claudeVersion(name string) (version int) {
	_, rest, _ := strings.Cut(name, "claude-")
	found := 0
	for part := range strings.SplitSeq(rest, "-") {
		n, digits := 0, len(part) > 0 && len(part) <= 2
		for _, c := range part {
			digits = digits && c >= '0' && c <= '9'
			n = n*10 + int(c-'0')
		}
		switch {
		case digits && found == 0:
			version, found = n*100, 1
		case digits:
			return version + n
		case found > 0:
			return version
		}
	}
	return version
}

// noSystem tells that the model takes no system prompt.
func (m *model) noSystem() bool {
	for _, part := range [...]string{"amazon.titan", "mistral.mistral-7b", "mistral.mixtral", "cohere.command-text", "cohere.command-light", "ai21.j2"} {
		if strings.Contains(m.name, part) {
			return true
		}
	}
	return false
}

// noSchema tells that the model's answers can't be held to a schema.
func (m *model) noSchema() bool {
	switch m.family {
	case claude:
		return m.version != 0 && m.version < 405
	case nova, titan, llama, cohere, ai21:
		return true
	}
	return false
}

// caches tells whether the model knows cache points, and cachesTools whether it does behind tools.
func (m *model) caches() bool { return m.family == claude || m.family == nova || m.family == unknown }

func (m *model) cachesTools() bool { return m.caches() && m.family != nova }

// oneCall tells that the model can be told to call one tool at a time: Claude from 4.5, in the words of its own API.
func (m *model) oneCall() bool { return m.family == claude && m.version >= 405 }

// adaptive tells that Claude chooses itself how much it thinks, and adaptiveOnly that it does not take a budget, nor
// temperature, top_p and top_k.
func (m *model) adaptive() bool { return m.family == claude && m.version >= 406 }

func (m *model) adaptiveOnly() bool { return m.family == claude && m.version >= 407 }
