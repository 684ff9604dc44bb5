package ledger

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	key := "sk-proj-abcdEFGH1234567890"
	jwt := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
	cases := []struct{ name, in, want string }{
		{"nothing secret", `{"model":"gpt-4o","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`, ""},
		{"counts of tokens", `{"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"tokens":["a"]}}`, ""},
		{"words that only begin so", `{"content":"secretary tokenizer passwords-are-bad sk-8 basic idea"}`, ""},
		{"JSON member", `{"api_key": "abc", "b": 1}`, `{"api_key": "[masked]", "b": 1}`},
		{
			"other spellings", `{"apiKey":"a","X-API-Key":"b","clientSecret":"c","refresh_token":"d","userPassword":"e"}`,
			`{"apiKey":"[masked]","X-API-Key":"[masked]","clientSecret":"[masked]","refresh_token":"[masked]","userPassword":"[masked]"}`,
		},
		{"value with escaped quotes", `{"password":"a\"b\\","user":"u"}`, `{"password":"[masked]","user":"u"}`},
		{"number", `{"password":12345,"n":1}`, `{"password":[masked],"n":1}`},
		{"null", `{"password":null,"token":false}`, ""},
		{"empty", `{"password":"","token":""}`, ""},
		{"list", `{"tokens":["a"],"token":["abc", "def"],"x":"y"}`, `{"tokens":["a"],"token":["[masked]", "[masked]"],"x":"y"}`},
		{"object", `{"credentials":{"user":"u","password":"p"}}`, `{"credentials":{"user":"u","password":"[masked]"}}`},
		{"JSON in a JSON string", `{"body":"{\"token\":\"abc\",\"n\":1}"}`, `{"body":"{\"token\":\"[masked]\",\"n\":1}"}`},
		{"form", `user=me&password=p%20w&x=1`, `user=me&password=[masked]&x=1`},
		{"headers", "Host: a\r\nAuthorization: Digest user=me, response=1\r\nCookie: a=b; c=d\r\nX: y", "Host: a\r\nAuthorization: [masked]\r\nCookie: [masked]\r\nX: y"},
		{"YAML", "api_key: abc\nname: b\n", "api_key: [masked]\nname: b\n"},
		{"Bearer in a text", `curl -H "X: Bearer abcdef0123456789" http://x`, `curl -H "X: Bearer [masked]" http://x`},
		{"Bearer as a word", `the bearer of this`, ""},
		{"key in a text", "my key is " + key + ", ok?", "my key is [masked], ok?"},
		{"AWS and GitHub", "AKIAIOSFODNN7EXAMPLE ghp_0123456789abcdefghij", "[masked] [masked]"},
		{"JSON Web Token", "see " + jwt + " there", "see [masked] there"},
		{"private key", "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb", "a\n[masked]-----END RSA PRIVATE KEY-----\nb"},
		{"certificate", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", ""},
		{"open end", `{"password":"abc`, `{"password":"[masked]`},
		{"not text", "\x00\xff\xfe--\x01token\x00", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.want == "" {
				c.want = c.in
			}
			if got := string(Mask([]byte(c.in), 1<<20)); got != c.want {
				t.Errorf("Mask gave\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestMaskOfACutBodyShowsNoPartOfASecret(t *testing.T) {
	for _, c := range []struct{ before, secret, after string }{
		{`{"model":"m","api_key":"`, "verysecretvalue", `","x":1}`},
		{"the key is ", "sk-verysecretvalue-0123456789", " there"},
		{"Authorization: ", "Bearer verysecretvalue", "\r\n"},
		{"a=1&password=", "verysecretvalue", "&b=2"},
		{"", "-----BEGIN PRIVATE KEY-----\nverysecretvalue\n", "-----END PRIVATE KEY-----\n"},
	} {
		body := c.before + c.secret + c.after
		for limit := range len(body) + 2 {
			got := string(Mask([]byte(body), limit))
			if strings.Contains(got, "very") {
				t.Fatalf("cut at %d: %s", limit, got)
			}
			if limit <= len(c.before) && got != body[:limit] {
				t.Fatalf("cut at %d before the secret: %s", limit, got)
			}
			if limit >= len(body) && got != c.before+masked+c.after {
				t.Fatalf("not cut: %s", got)
			}
		}
	}
	if got := Mask([]byte("body"), 0); got != nil {
		t.Errorf("nothing allowed: %q", got)
	}
	if got := Mask(nil, 100); got != nil {
		t.Errorf("no body: %q", got)
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte(`{"token":["a","b"],"password":{"x":1}}`), 20)
	f.Add([]byte(`\\"token\\": \\"x`), 5)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----token=Bearer sk-"), 50)
	f.Fuzz(func(t *testing.T, body []byte, limit int) {
		got := Mask(body, limit)
		if len(got) > (max(min(limit, len(body)), 0)+1)*len(masked) {
			t.Fatalf("%d bytes from %d", len(got), len(body))
		}
	})
}

func BenchmarkMask(b *testing.B) {
	body := []byte(strings.Repeat(`{"role":"user","content":"What is the weather like in Paris today, and what will it be tomorrow?"},`, 600))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		Mask(body, 64<<10)
	}
}
