package gemini

import "causeway/internal/llm/canon"

// finishOf is what a finishReason or a blockReason means. STOP is said after calls as well: the reader of an
// answer knows of them. known is false for a word that this version does not know.
func finishOf(word string) (finish canon.Finish, known bool) {
	switch word {
	case "STOP":
		return canon.Stopped, true
	case "MAX_TOKENS":
		return canon.Length, true
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
		"IMAGE_RECITATION", "MODEL_ARMOR", "JAILBREAK":
		return canon.Filtered, true
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS":
		return canon.BadCall, true
	case "OTHER", "IMAGE_OTHER", "NO_IMAGE", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE":
		return canon.Failed, true
	case "", "FINISH_REASON_UNSPECIFIED":
		return canon.Unfinished, true
	}
	return canon.Failed, false
}

// finishWord is the finishReason for what a model stopped for: the provider's own word where it is one of Google's.
func finishWord(finish canon.Finish, raw string) string {
	if _, known := finishOf(raw); known && raw != "" && raw != "FINISH_REASON_UNSPECIFIED" {
		return raw
	}
	switch finish {
	case canon.Length, canon.ContextLength:
		return "MAX_TOKENS"
	case canon.Filtered, canon.Refused:
		return "SAFETY"
	case canon.BadCall:
		return "MALFORMED_FUNCTION_CALL"
	case canon.Failed, canon.Unfinished:
		return "OTHER"
	}
	return "STOP"
}
