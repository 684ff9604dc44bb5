package sign

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// The credentials of AWS's published test suite (aws-sig-v4-test-suite; awslabs/aws-c-auth, tests/aws-signing-test-suite).
var suiteKey = AWSKey{AccessKey: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

var suiteTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func lines(t *testing.T, s Signer, r *Request) map[string]string {
	t.Helper()
	text, err := s.Append([]byte("before"), r)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := strings.CutPrefix(string(text), "before")
	if !ok || !strings.HasSuffix(rest, "\r\n") {
		t.Fatalf("%q", text)
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSuffix(rest, "\r\n"), "\r\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(value, "\r\n") {
			t.Fatalf("line %q", line)
		}
		fields[strings.ToLower(name)] = value
	}
	return fields
}

func TestAWSPublishedVectors(t *testing.T) {
	for _, c := range []struct{ name, method, query, signature string }{
		{"get-vanilla", "GET", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "GET", "Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &awsSigner{aws: AWS{Region: "us-east-1", Service: "service", Key: suiteKey}}
			got := lines(t, s, &Request{Method: c.method, Host: "example.amazonaws.com", Path: "/", Query: c.query, Now: suiteTime})
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + c.signature
			if got["authorization"] != want || got["x-amz-date"] != "20150830T123600Z" {
				t.Errorf("got  %v\nwant %s", got, want)
			}
		})
	}
}

// TestBedrockIsSignedAsTheSDKDoes compares with what @smithy/signature-v4 makes for the same requests: the path is encoded
// twice, the body's hash is sent, content-type is signed.
func TestBedrockIsSignedAsTheSDKDoes(t *testing.T) {
	for _, c := range []struct{ name, path, session, signed, signature string }{
		{
			"an inference profile's ARN",
			"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-sonnet-4-20250514-v1%3A0/converse",
			"", "content-type;host;x-amz-content-sha256;x-amz-date", "c3887996c6e4540c66b58e730dbce2b6e1f6a41f2fb0db27da3dc80010a47199",
		},
		{
			"temporary credentials", "/model/meta.llama3-70b-instruct-v1%3A0/converse-stream",
			"SESSION/token==", "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token", "fb11f65c91fed738595a55fbb8e51675edf8171fe9f9b8f16766471f94f6e919",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := suiteKey
			key.Session = c.session
			s, err := NewAWS(AWS{Region: "us-east-1", Service: "bedrock", Key: key})
			if err != nil {
				t.Fatal(err)
			}
			r := &Request{
				Method: "POST", Host: "bedrock-runtime.us-east-1.amazonaws.com", Path: c.path, Body: []byte(`{"messages":[]}`),
				Now:    time.Date(2026, 8, 19, 14, 34, 11, 0, time.UTC),
				Header: func(name string) string { return map[string]string{"content-type": "application/json"}[name] },
			}
			got := lines(t, s, r)
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260819/us-east-1/bedrock/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.signature
			if got["authorization"] != want {
				t.Errorf("got  %s\nwant %s", got["authorization"], want)
			}
			if got["x-amz-content-sha256"] != "5e4ce7b36ba37b78a5d5f9fd08e6b7b54ba6879d651aa46ec9e1d6fa24ebe30a" || got["x-amz-security-token"] != c.session {
				t.Errorf("%v", got)
			}
			if again := lines(t, s, r); again["authorization"] != want {
				t.Error("signing again with the kept key gives another signature")
			}
		})
	}
}

func TestASignerServesManyDaysAtOnce(t *testing.T) {
	s, err := NewAWS(AWS{Region: "us-east-1", Service: "bedrock", Key: suiteKey})
	if err != nil {
		t.Fatal(err)
	}
	days := []time.Time{suiteTime, suiteTime.AddDate(0, 0, 1)}
	want := []string{}
	for _, day := range days {
		want = append(want, lines(t, s, &Request{Method: "POST", Host: "h", Path: "/", Now: day})["authorization"])
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 50 {
				d := (i + k) % 2
				text, err := s.Append(nil, &Request{Method: "POST", Host: "h", Path: "/", Now: days[d]})
				if err != nil || !strings.Contains(string(text), want[d]) {
					t.Errorf("%v: %s", err, text)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestWhatCannotSignIsRefused(t *testing.T) {
	for name, a := range map[string]AWS{
		"no region":  {Service: "bedrock", Key: suiteKey},
		"no service": {Region: "us-east-1", Key: suiteKey},
		"no key":     {Region: "us-east-1", Service: "bedrock"},
		"a line end": {Region: "us-east-1", Service: "bedrock", Key: AWSKey{AccessKey: "A\r\nX: y", Secret: "hush"}},
	} {
		if s, err := NewAWS(a); err == nil || s != nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	s, err := NewAWS(AWS{Region: "us-east-1", Service: "bedrock", Key: suiteKey})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := s.Append([]byte("x"), &Request{Method: "POST", Path: "/"}); err == nil || string(text) != "x" {
		t.Errorf("without host: %q, %v", text, err)
	}
}
