package catalog

import "strings"

// syntaxWords says in a user's words what the YAML library's terse messages mean: the first row
// whose words are in the message. The words are those of github.com/goccy/go-yaml v1.19.2.
func syntaxWords() [][3]string {
	return [][3]string{
		{"',' or ']' must be specified", "this list in [ ] is not continued with a comma or closed", "put a comma between the items and ] at the end"},
		{"',' or '}' must be specified", "this mapping in { } is not continued with a comma or closed", "put a comma between the keys and } at the end"},
		{"sequence end token ']' not found", "the [ here is never closed", "add the ] that belongs to it"},
		{"could not find flow mapping end token '}'", "the { here is never closed", "add the } that belongs to it"},
		{"could not find '[' character", "there is a ] without its [", "remove it, or add the [ before it"},
		{"could not find '{' character", "there is a } without its {", "remove it, or add the { before it"},
		{"could not find end character of double-quoted", "the text in double quotes is never closed", `add the closing "`},
		{"could not find end character of single-quoted", "the text in single quotes is never closed", "add the closing '"},
		{"non-map value is specified", "this line is not a key with a value, but its neighbours at the same indentation are", "write key: value, or indent the line under the key that it belongs to"},
		{"unexpected key name", "this line is not a key with a value", "write key: value, with a space after the colon"},
		{"mapping value is not allowed in this context", "there is a second colon on this line, so it reads as a key inside a value", "put the value in quotes"},
		{"value is not allowed in this context. map key-value is pre-defined", "this line is indented deeper than the key before it, which has a value already", "align it with the keys that it belongs to"},
		{"value is not allowed in this context", "this value stands where none can be", "align it with the keys that it belongs to"},
		{"block sequence entries are not allowed in this context", "a list begins on the line of its key", "begin each - item on a line of its own, or write [a, b]"},
		{"found character '\t' that cannot start any token", "this line is indented with a tab, and YAML forbids it", "indent with spaces"},
		{"tab character", "there is a tab where YAML forbids one", "indent with spaces"},
		{"could not find multi-line content", "the text after | or > is missing", "indent the text's lines deeper than its key"},
		{"could not find flow map content", "this mapping in { } has something that is no key: value", "write {key: value, key: value}"},
		{"expected sequence element, but found ','", "this list has a comma with nothing before it", "remove the comma"},
		{"found an invalid key for this map", "there is a colon with no key before it", "write key: value, or put the value in quotes"},
		{"unexpected map key", "there is a key where none can be", "check the indentation of this line and the one before it"},
		{"could not find anchor value", "this anchor stands before nothing", "write the value after it: key: &name value"},
		{"anchors cannot be used consecutively", "one value has two anchors", "keep one of them"},
		{"undefined anchor name", "there is an & without a name", "write &name before a value, or put text that begins with & in quotes"},
		{"undefined alias name", "there is a * without a name", "put text that begins with * in quotes"},
		{"could not find alias value", "there is a * without a name", "put text that begins with * in quotes"},
		{"map key definition includes an implicit line break", "a key goes on over two lines", "is a colon or a closing bracket missing on the line before?"},
		{"value cannot be placed after document separator", "something stands on the line of ---", "move it to a line of its own"},
		{"unexpected directive", "a line that begins with % is a YAML directive, and they mean nothing here", "remove it, or put the text in quotes"},
		{"could not find directive", "a line that begins with % is a YAML directive, and they mean nothing here", "remove it, or put the text in quotes"},
		{"undefined directive value", "a line that begins with % is a YAML directive, and they mean nothing here", "remove it, or put the text in quotes"},
		{"is a reserved character", "text can't begin with this character", "put the text in quotes"},
		{"found unknown escape character", `a \ in double quotes begins an escape that YAML does not have`, `write \\ for a backslash, or use single quotes`},
		{"escaped UTF-", `a \u or \U in double quotes has too few digits after it`, `write \u and four hexadecimal digits`},
		{"surrogate", `a \u in double quotes is half of a character`, "write the character itself"},
		{"invalid header option", "text stands on the line of a | or >", "begin the text on the next line, or put it in quotes"},
		{"found unexpected document separator", "a line --- or ... is inside text in quotes", "close the quotes before it"},
		{"indent", "the lines of the text after | or > are not indented alike", "indent them all by the same number of spaces"},
	}
}

// explainSyntax puts a message of the YAML library into a user's words. A message that quotes
// the file is not passed on: what it quotes may be a secret.
// after is what follows on the line of its place.
func explainSyntax(message, after string) (what, fix string) {
	if strings.Contains(message, "mapping value is not allowed") && !strings.Contains(after, ":") {
		return "this key has a value already, and the next line is indented deeper than the key", "align the next line with the key, or begin it with a key's mapping"
	}
	for _, row := range syntaxWords() {
		if strings.Contains(message, row[0]) {
			return row[1], row[2]
		}
	}
	what, fix = "this is not YAML", "check the indentation, quotes and brackets around it"
	if !strings.ContainsAny(message, "\"'`") {
		what += ": " + message
	}
	return what, fix
}
