package journey

import "bytes"

// BeginsRequest tells whether the first five bytes of a connection that should begin with TLS begin an HTTP request
// line, that of HTTP/2's preface included: a method in capitals, and where it ends within them the beginning of a
// target. The PROXY protocol's first word and the greetings of SSH and SMTP are none.
func BeginsRequest(first [5]byte) bool {
	method, target, ended := bytes.Cut(first[:], []byte(" "))
	for _, b := range method {
		if b < 'A' || b > 'Z' {
			return false
		}
	}
	switch {
	case len(method) < 3 || string(method) == "PROXY":
		return false
	case ended && len(target) > 0:
		return target[0] == '/' || target[0] == '*' || target[0] == 'h' || target[0] == 'H' // http://
	}
	return true
}
