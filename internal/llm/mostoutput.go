package llm

import "causeway/internal/llm/jsonscan"

// MostOutput is the most tokens of output that a request says it wants, in whichever dialect it is: OpenAI's
// max_completion_tokens, max_tokens and max_output_tokens, Anthropic's and Cohere's max_tokens, Gemini's
// generationConfig.maxOutputTokens, Bedrock's inferenceConfig.maxTokens, Ollama's options.num_predict. With n
// answers it is n times as much. 0 when it does not say, or is no JSON object.
func MostOutput(body []byte) int64 {
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return 0
	}
	most, answers := int64(0), int64(1)
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "max_completion_tokens", "max_tokens", "max_output_tokens":
			most = max(most, jsonscan.Int(scan.Bytes(scan.Skip())))
		case "n", "candidateCount":
			answers = max(answers, jsonscan.Int(scan.Bytes(scan.Skip())))
		case "generationConfig", "generation_config", "inferenceConfig", "options":
			if scan.Peek() != jsonscan.Object {
				scan.Skip()
				continue
			}
			for ok := scan.Object(); ok && scan.Member(&k); {
				switch string(k.Raw) {
				case "maxOutputTokens", "max_output_tokens", "maxTokens", "num_predict":
					most = max(most, jsonscan.Int(scan.Bytes(scan.Skip())))
				case "candidateCount":
					answers = max(answers, jsonscan.Int(scan.Bytes(scan.Skip())))
				default:
					scan.Skip()
				}
			}
		default:
			scan.Skip()
		}
	}
	if scan.Failed() || most > 1<<40 || answers > 1<<20 {
		return 0
	}
	return most * answers
}
