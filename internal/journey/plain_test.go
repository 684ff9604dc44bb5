package journey

import "testing"

func TestBeginsRequest(t *testing.T) {
	for text, want := range map[string]bool{
		"GET /": true, "POST ": true, "PUT /": true, "HEAD ": true, "DELET": true, "PATCH": true, "OPTIO": true, "CONNE": true, "PRI *": true, "GET h": true, "QUERY": true, "PROPF": true,
		"PROXY": false, "SSH-2": false, "EHLO ": true, "GET x": false, "get /": false, "GE /a": false, " GET ": false, "\x00\x01\x02\x03\x04": false, "\x16\x03\x01\x00\x05": false, "220 m": false, "QUIT\r": false,
	} {
		if got := BeginsRequest([5]byte([]byte(text))); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
