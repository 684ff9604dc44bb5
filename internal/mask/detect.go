package mask

import (
	"net/netip"
	"strings"
)

// Match is a place in a text that a detector has found.
type Match struct {
	From, To int
	Label    string // "EMAIL", "CARD": the detector's name in a placeholder
}

// detector looks for one thing. next finds the first match at or after from; ok is false when there is none.
type detector struct {
	name  string // in a configuration
	label string // in a placeholder
	next  func(text string, from int) (start, end int, ok bool)
}

// builtin are the detectors by the names that a configuration has for them, in the order in which they win where two
// find the same place.
var builtin = [...]detector{
	{"secret", "SECRET", nextSecret},
	{"email", "EMAIL", nextEmail},
	{"iban", "IBAN", nextIBAN},
	{"card", "CARD", nextCard},
	{"id_number", "ID", nextID},
	{"ip", "IP", nextIP},
	{"phone", "PHONE", nextPhone},
}

// Detectors lists the names of the built-in detectors.
func Detectors() (names []string) {
	for _, d := range builtin {
		names = append(names, d.name)
	}
	return names
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func alnum(c byte) bool  { return digit(c) || letter(c) }

// bounded tells whether text[from:to] is no part of a longer word or number.
func bounded(text string, from, to int) bool {
	return (from == 0 || !alnum(text[from-1]) && text[from-1] != '_') && (to == len(text) || !alnum(text[to]) && text[to] != '_')
}

// nextEmail finds an addr-spec as people write it: a dotted local part, and a domain with at least one dot whose
// last label is letters.
func nextEmail(text string, from int) (start, end int, ok bool) {
	for at := from; at < len(text); {
		i := strings.IndexByte(text[at:], '@')
		if i < 0 {
			return 0, 0, false
		}
		i += at
		start = i
		for start > from && (alnum(text[start-1]) || strings.IndexByte("._%+-'", text[start-1]) >= 0) {
			start--
		}
		for start < i && strings.IndexByte(".'-", text[start]) >= 0 {
			start++
		}
		end = i + 1
		dot := -1
		for end < len(text) && (alnum(text[end]) || text[end] == '-' || text[end] == '.' && end+1 < len(text) && alnum(text[end+1])) {
			if text[end] == '.' {
				dot = end
			}
			end++
		}
		for end > i && text[end-1] == '-' {
			end--
		}
		if start < i && text[i-1] != '.' && dot > i+1 && end-dot > 2 && allLetters(text[dot+1:end]) {
			return start, end, true
		}
		at = i + 1
	}
	return 0, 0, false
}

func allLetters(s string) bool {
	for i := range len(s) {
		if !letter(s[i]) {
			return false
		}
	}
	return s != ""
}

// digitRun is the run of digits with single separators that begins at i, and its digits.
func digitRun(text string, i int, separators string, most int) (end int, digits []byte) {
	for end = i; end < len(text); {
		switch c := text[end]; {
		case digit(c):
			digits = append(digits, c)
			end++
			if len(digits) > most {
				return end, digits
			}
		case strings.IndexByte(separators, c) >= 0 && end+1 < len(text) && digit(text[end+1]):
			end++
		default:
			return end, digits
		}
	}
	return end, digits
}

// nextNumber finds a run of digits of which accept takes the digits. accept may take fewer than there are: it
// returns how many, 0 for none.
func nextNumber(text string, from int, separators string, most int, accept func(digits []byte, written string) bool) (start, end int, ok bool) {
	for i := from; i < len(text); {
		if !digit(text[i]) || i > 0 && (digit(text[i-1]) || letter(text[i-1])) {
			i++
			continue
		}
		end, digits := digitRun(text, i, separators, most)
		if bounded(text, i, end) && accept(digits, text[i:end]) {
			return i, end, true
		}
		i = max(end, i+1)
	}
	return 0, 0, false
}

// nextCard finds a payment card's number: 13 to 19 digits that pass Luhn's check (ISO/IEC 7812-1), beginning as
// the networks' do.
func nextCard(text string, from int) (start, end int, ok bool) {
	return nextNumber(text, from, " -", 19, func(d []byte, _ string) bool {
		return len(d) >= 13 && len(d) <= 19 && d[0] >= '2' && d[0] <= '6' && luhn(d) && !same(d)
	})
}

func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

func same(d []byte) bool {
	for _, c := range d {
		if c != d[0] {
			return false
		}
	}
	return true
}

// ibanLength is the length of an IBAN by its country (the SWIFT registry).
var ibanLength = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22,
	"GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30,
	"KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31,
	"MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
	"SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}

// nextIBAN finds an IBAN, written together or in groups, whose check digits are right (ISO 13616).
func nextIBAN(text string, from int) (start, end int, ok bool) {
	for i := from; i+15 <= len(text); i++ {
		if !letter(text[i]) || i > 0 && alnum(text[i-1]) || !letter(text[i+1]) || !digit(text[i+2]) || !digit(text[i+3]) {
			continue
		}
		want := ibanLength[strings.ToUpper(text[i:i+2])]
		if want == 0 {
			continue
		}
		n, end := 0, i
		var packed [40]byte
		for end < len(text) && n < want {
			switch c := text[end]; {
			case alnum(c):
				packed[n] = c &^ 0x20
				if digit(c) {
					packed[n] = c
				}
				n++
			case c == ' ' && n > 0 && end+1 < len(text) && alnum(text[end+1]):
			default:
				n = want + 1
				continue
			}
			end++
		}
		if n == want && bounded(text, i, end) && mod97(packed[:n]) {
			return i, end, true
		}
	}
	return 0, 0, false
}

func mod97(iban []byte) bool {
	rest := 0
	for i := range iban {
		c := iban[(i+4)%len(iban)]
		if digit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return rest == 1
}

// nextID finds identity numbers: a US Social Security number written with hyphens, a Chinese resident's number
// (GB 11643, with its check digit), a Brazilian CPF and a Spanish DNI or NIE with theirs.
func nextID(text string, from int) (start, end int, ok bool) {
	for i := from; i < len(text); i++ {
		if !alnum(text[i]) || i > 0 && (alnum(text[i-1]) || text[i-1] == '-' || text[i-1] == '_') {
			continue
		}
		for _, form := range idForms {
			if end := i + len(form.shape); end <= len(text) && shaped(text[i:end], form.shape) && bounded(text, i, end) && form.check(text[i:end]) {
				return i, end, true
			}
		}
	}
	return 0, 0, false
}

// idForms are the shapes: 9 stands for a digit, A for a letter, X for either, the rest for itself.
var idForms = [...]struct {
	shape string
	check func(s string) bool
}{
	{"999-99-9999", checkSSN},
	{"99999999999999999X", checkResident},
	{"999.999.999-99", checkCPF},
	{"99999999A", checkDNI},
	{"A9999999A", checkDNI},
}

func shaped(s, shape string) bool {
	for i := range len(shape) {
		switch shape[i] {
		case '9':
			if !digit(s[i]) {
				return false
			}
		case 'A':
			if !letter(s[i]) {
				return false
			}
		case 'X':
			if !alnum(s[i]) {
				return false
			}
		default:
			if s[i] != shape[i] {
				return false
			}
		}
	}
	return true
}

func checkSSN(s string) bool {
	return s[:3] != "000" && s[:3] != "666" && s[0] != '9' && s[4:6] != "00" && s[7:] != "0000"
}

func checkResident(s string) bool {
	weights := [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += w * int(s[i]-'0')
	}
	last := s[17]
	if last == 'x' {
		last = 'X'
	}
	month := s[10:12]
	return "10X98765432"[sum%11] == last && month >= "01" && month <= "12"
}

func checkCPF(s string) bool {
	var d []int
	for i := range len(s) {
		if digit(s[i]) {
			d = append(d, int(s[i]-'0'))
		}
	}
	for n := 9; n <= 10; n++ {
		sum := 0
		for i := range n {
			sum += d[i] * (n + 1 - i)
		}
		if sum*10%11%10 != d[n] {
			return false
		}
	}
	return true
}

func checkDNI(s string) bool {
	n := 0
	if i := strings.IndexByte("XYZ", s[0]&^0x20); letter(s[0]) {
		if i < 0 {
			return false
		}
		n = i
	} else {
		n = int(s[0] - '0')
	}
	for i := 1; i < 8; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return "TRWAGMYFPDXBNJZSQVHLCKE"[n%23] == s[8]&^0x20
}

// nextIP finds an IPv4 address of four numbers, or an IPv6 address with at least two colons. Loopback and
// unspecified addresses tell nothing about anybody and stay.
func nextIP(text string, from int) (start, end int, ok bool) {
	for i := from; i < len(text); {
		if !hexDigit(text[i]) && text[i] != ':' || i > 0 && (alnum(text[i-1]) || text[i-1] == '.' || text[i-1] == ':') {
			i++
			continue
		}
		end := i
		for end < len(text) && (hexDigit(text[end]) || text[end] == ':' || text[end] == '.') {
			end++
		}
		for end > i && (text[end-1] == '.' || text[end-1] == ':' && !strings.HasSuffix(text[i:end], "::")) {
			end--
		}
		word := text[i:end]
		if k := strings.IndexByte(word, ':'); k > 0 && strings.Count(word[:k], ".") == 3 { // with a port
			word, end = word[:k], i+k
		}
		dots, colons := strings.Count(word, "."), strings.Count(word, ":")
		if (dots == 3 || colons >= 2) && bounded(text, i, end) {
			if a, err := netip.ParseAddr(word); err == nil && !a.IsLoopback() && !a.IsUnspecified() {
				return i, end, true
			}
		}
		i = max(end, i+1)
	}
	return 0, 0, false
}

func hexDigit(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// nextPhone finds a telephone number: with a country code (+ or 00) and 8 to 15 digits (ITU-T E.164), or in the
// North American form with its separators.
func nextPhone(text string, from int) (start, end int, ok bool) {
	for i := from; i < len(text); i++ {
		c := text[i]
		if c != '+' && c != '(' && !digit(c) || i > 0 && (alnum(text[i-1]) || strings.IndexByte("+.,/-_", text[i-1]) >= 0) {
			continue
		}
		at := i
		if c == '+' {
			at++
		}
		end, digits := phoneRun(text, at)
		written := text[i:end]
		switch {
		case !bounded(text, min(at, len(text)-1), end) && c != '(':
		case c == '+' && len(digits) >= 8 && len(digits) <= 15,
			strings.HasPrefix(string(digits), "00") && len(digits) >= 10 && len(digits) <= 17,
			american(written, digits):
			return i, end, true
		}
		if digit(c) {
			i = max(end-1, i)
		}
	}
	return 0, 0, false
}

func phoneRun(text string, i int) (end int, digits []byte) {
	last := i
	for end = i; end < len(text) && len(digits) <= 18; end++ {
		switch c := text[end]; {
		case digit(c):
			digits = append(digits, c)
			last = end + 1
		case strings.IndexByte(" -.()/", c) >= 0 && end-last < 2:
		default:
			return last, digits
		}
	}
	return last, digits
}

// american tells whether a number is written as (212) 555-0123, 212-555-0123, 212.555.0123 or with a 1 before.
func american(written string, digits []byte) bool {
	if len(digits) == 11 && digits[0] == '1' {
		digits = digits[1:]
	}
	if len(digits) != 10 || digits[0] < '2' || digits[3] < '2' {
		return false
	}
	groups := strings.FieldsFunc(written, func(r rune) bool { return r < '0' || r > '9' })
	if len(groups) == 4 && groups[0] == "1" {
		groups = groups[1:]
	}
	return len(groups) == 3 && len(groups[0]) == 3 && len(groups[1]) == 3 && len(groups[2]) == 4
}

// secretForms are how known credentials begin, and how long what follows is at least. What may follow is
// letters, digits, "_", "-", and where dots is set ".".
var secretForms = [...]struct {
	prefix string
	least  int
	dots   bool
}{
	{"sk-ant-", 20, false},
	{"sk-proj-", 20, false},
	{"sk-or-", 20, false},
	{"sk-", 20, false}, // OpenAI and many who followed
	{"sk_live_", 16, false},
	{"sk_test_", 16, false},
	{"rk_live_", 16, false},
	{"gsk_", 20, false},
	{"xai-", 20, false},
	{"pplx-", 20, false},
	{"hf_", 20, false},
	{"AIza", 30, false},
	{"ya29.", 20, true},
	{"AKIA", 16, false},
	{"ASIA", 16, false},
	{"ghp_", 30, false},
	{"gho_", 30, false},
	{"ghu_", 30, false},
	{"ghs_", 30, false},
	{"ghr_", 30, false},
	{"github_pat_", 30, false},
	{"glpat-", 16, false},
	{"xoxb-", 16, false},
	{"xoxp-", 16, false},
	{"xoxa-", 16, false},
	{"xapp-", 16, false},
	{"npm_", 30, false},
	{"pypi-", 30, false},
	{"SG.", 40, true},
	{"eyJ", 30, true}, // a JSON web token
	{"cwk_", 16, false},
}

// nextSecret finds credentials by how they begin, and private keys in PEM.
func nextSecret(text string, from int) (start, end int, ok bool) {
	best := -1
	for _, f := range secretForms {
		for at := from; ; {
			i := strings.Index(text[at:], f.prefix)
			if i < 0 || best >= 0 && at+i >= best {
				break
			}
			i += at
			to, dots := i+len(f.prefix), 0
			for to < len(text) && (alnum(text[to]) || text[to] == '_' || text[to] == '-' || f.dots && text[to] == '.') {
				if text[to] == '.' {
					dots++
				}
				to++
			}
			if (i == 0 || !alnum(text[i-1])) && to-i-len(f.prefix) >= f.least && (f.prefix != "eyJ" || dots == 2) {
				best, end = i, to
				break
			}
			at = i + len(f.prefix)
		}
	}
	if i := strings.Index(text[from:], "-----BEGIN "); i >= 0 && (best < 0 || from+i < best) {
		i += from
		head := strings.Index(text[i:], "PRIVATE KEY-----")
		if head >= 0 && head < 40 {
			last := strings.Index(text[i+head+16:], "-----END ")
			to := len(text)
			if last >= 0 {
				to = i + head + 16 + last
				if line := strings.Index(text[to+9:], "-----"); line >= 0 {
					to += 9 + line + 5
				}
			}
			return i, to, true
		}
	}
	return best, end, best >= 0
}
