package canon

import "strings"

// BudgetOf is the thinking budget in tokens that an effort stands for where a dialect counts tokens; 0 for
// no effort, for "none" and for a word that is not known. All dialects go by this one table, so that an effort
// that crosses twice is the same again.
func BudgetOf(effort string) int64 {
	switch effort {
	case "minimal":
		return 1024
	case "low":
		return 2048
	case "medium":
		return 8192
	case "high":
		return 24576
	case "xhigh":
		return 32000
	}
	return 0
}

// EffortOf is the effort that a thinking budget in tokens stands for: EffortOf(BudgetOf(e)) is e. It is
// "" for a budget that is not said, and "medium" for -1, as the model likes.
func EffortOf(budget int64) string {
	switch {
	case budget < 0:
		return "medium"
	case budget == 0:
		return ""
	case budget <= 1024:
		return "minimal"
	case budget <= 4096:
		return "low"
	case budget <= 16384:
		return "medium"
	case budget < 32000:
		return "high"
	}
	return "xhigh"
}

// wrapped begins a signature that another dialect carries.
const wrapped = "causeway."

// WrapSignature is a part's signature for a caller whose dialect own has a member for one: as it is when own
// made it (or nobody is known to have), else with the name of who made it, so that UnwrapSignature knows it
// when the caller sends it back.
func WrapSignature(signature, signedBy, own string) string {
	if signature == "" || signedBy == "" || signedBy == own {
		return signature
	}
	return wrapped + signedBy + "." + signature
}

// UnwrapSignature takes apart what WrapSignature made: the signature and the dialect that made it, own
// when it is a signature like any other, "" for none.
func UnwrapSignature(s, own string) (signature, signedBy string) {
	if s == "" {
		return "", ""
	}
	if rest, ok := strings.CutPrefix(s, wrapped); ok {
		if by, signature, ok := strings.Cut(rest, "."); ok && by != "" {
			return signature, by
		}
	}
	return s, own
}
