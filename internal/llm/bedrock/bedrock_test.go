package bedrock_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/llmtest"
)

// streamType is the Content-Type of Bedrock's streams.
const streamType = "application/vnd.amazon.eventstream"

func recorded(t testing.TB) map[string]llmtest.Exchange {
	t.Helper()
	all := map[string]llmtest.Exchange{}
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/recorded.jsonl") {
		all[x.ID] = x
	}
	return all
}

// streams are the streams of testdata/streams.jsonl by their names.
func streams(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, x := range llmtest.Lines[struct{ Name, Frames string }](t, "testdata/streams.jsonl") {
		b, err := base64.StdEncoding.DecodeString(x.Frames)
		if err != nil {
			t.Fatal(err)
		}
		all[x.Name] = string(b)
	}
	return all
}

// frames splits a stream by the lengths that its frames tell.
func frames(body string) (list []string) {
	for len(body) >= 4 {
		n := int(binary.BigEndian.Uint32([]byte(body)))
		if n > len(body) {
			break
		}
		list, body = append(list, body[:n]), body[n:]
	}
	if body != "" {
		list = append(list, body)
	}
	return list
}

// payload is the JSON in a frame.
func payload(frame []byte) []byte {
	return frame[12+binary.BigEndian.Uint32(frame[4:]) : len(frame)-4]
}

func reported(input, output, cached, written int64) journey.Usage {
	return journey.Usage{Input: input, Output: output, Cached: cached, CacheWrite: written, Reasoning: -1, Source: "reported"}
}

func TestTheSuiteHolds(t *testing.T) {
	rec, str := recorded(t), streams(t)
	html := "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"
	bad := []string{html, "data: {}\n\n" + html, `{"message":"raw JSON, long enough"}`, "HTTP/1.1 502 Bad Gateway\r\n\r\n"}
	for _, change := range []int{3, 7, 9, 40, len(frames(str["text"])[1]) - 10, len(frames(str["text"])[1]) - 1} {
		b := []byte(frames(str["text"])[1])
		b[change] ^= 1
		bad = append(bad, string(b))
	}
	var errs []llmtest.Error
	errs = append(errs, classified...)
	for _, id := range []string{"bedrock-0082", "bedrock-0085"} {
		x := rec[id]
		kind := map[string]fault.Kind{"bedrock-0082": fault.ProviderKeyRejected, "bedrock-0085": fault.ContextTooLong}[id]
		errs = append(errs, llmtest.Error{Name: id, Status: x.Status, Headers: x.Headers, Body: x.Body, Kind: kind, Valid: true})
	}
	llmtest.Run(t, llmtest.Suite{
		Dialect: bedrock.New(),
		Op:      llm.Chat,
		Requests: []llmtest.Request{
			{Name: "made", Body: `{"messages":[{"role":"user","content":[{"text":"Hi \"you\""}]}]}`, Model: "anthropic.claude-3-haiku-20240307-v1:0", Stream: true, UsageAsked: true},
			{Name: "recorded", Body: rec["bedrock-0083"].Request, Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0", UsageAsked: true},
			{Name: "with an image", Body: rec["bedrock-0084"].Request, Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0", UsageAsked: true},
		},
		Answers: []llmtest.Answer{
			{Name: "bedrock-0083", Body: rec["bedrock-0083"].Body, Usage: reported(575, 36, 0, 0), Finish: "tool_use"},
			{Name: "bedrock-0084", Body: rec["bedrock-0084"].Body, Usage: reported(675, 103, 0, 0), Finish: "end_turn"},
		},
		Streams: []llmtest.Stream{
			{Name: "text", Body: str["text"], Usage: reported(12, 7, -1, -1), Finish: "end_turn"},
			{Name: "tools", Body: str["thinking and tools"], Usage: reported(1220, 90, 1000, 200), Finish: "tool_use"},
			{Name: "citations", Body: str["redacted thinking and citations"], Usage: reported(5, 4, -1, -1), Finish: "stop_sequence"},
		},
		Errors:     errs,
		Terminal:   "metadata",
		ErrorEvent: str["exception"],
		ErrorKind:  fault.ProviderRateLimited,
		InPath:     true,
		Frames:     frames,
		Payload:    payload,
		BadFrames:  bad,
	})
}

// classified are errors as the API reference and users tell them.
var classified = []llmtest.Error{
	{Name: "throttling", Status: 429, Headers: typed("ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/"), Body: `{"message":"Too many requests, please wait before trying again."}`, Kind: fault.ProviderRateLimited, Valid: true},
	{Name: "a quota", Status: 400, Headers: typed("ServiceQuotaExceededException"), Body: `{"message":"Your request exceeds the service quota for your account."}`, Kind: fault.QuotaExhausted, Valid: true},
	{Name: "too long", Status: 400, Headers: typed("ValidationException"), Body: `{"message":"Input is too long for requested model."}`, Kind: fault.ContextTooLong, Valid: true},
	{Name: "too long for Claude", Status: 400, Headers: typed("ValidationException"), Body: `{"message":"The model returned the following errors: prompt is too long: 210000 tokens > 200000 maximum"}`, Kind: fault.ContextTooLong, Valid: true},
	{Name: "an unknown model", Status: 400, Headers: typed("ValidationException"), Body: `{"message":"The provided model identifier is invalid."}`, Kind: fault.ModelNotFound, Valid: true},
	{Name: "only by profile", Status: 400, Headers: typed("ValidationException"), Body: `{"message":"Invocation of model ID anthropic.claude-sonnet-4 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model."}`, Kind: fault.ModelNotFound, Valid: true},
	{Name: "a parameter", Status: 400, Headers: typed("ValidationException"), Body: `{"message":"3 validation errors detected: Value at 'inferenceConfig.temperature' failed to satisfy constraint"}`, Kind: fault.ParameterRejected, Valid: true},
	{Name: "no access to the model", Status: 403, Headers: typed("AccessDeniedException"), Body: `{"message":"You don't have access to the model with the specified model ID."}`, Kind: fault.ModelNotFound, Valid: true},
	{Name: "not authorized", Status: 403, Headers: typed("AccessDeniedException"), Body: `{"Message":"User: arn:aws:iam::123456789012:user/x is not authorized to perform: bedrock:InvokeModel"}`, Kind: fault.ProviderKeyRejected, Valid: true},
	{Name: "a country", Status: 403, Headers: typed("AccessDeniedException"), Body: `{"message":"Access to Anthropic models is not allowed from unsupported countries, regions, or territories."}`, Kind: fault.RegionBlocked, Valid: true},
	{Name: "a country, as a bad request", Status: 400, Headers: typed("ValidationException"), Body: `{"message":"Access to Anthropic models is not allowed from unsupported countries, regions, or territories."}`, Kind: fault.RegionBlocked, Valid: true},
	{Name: "no means of payment", Status: 403, Headers: typed("AccessDeniedException"), Body: `{"message":"Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided."}`, Kind: fault.QuotaExhausted, Valid: true},
	{Name: "an account that may not", Status: 400, Headers: typed("ValidationException"), Body: `{"message":"Operation not allowed"}`, Kind: fault.ProviderKeyRejected, Valid: true},
	{Name: "expired", Status: 403, Headers: typed("ExpiredTokenException"), Body: `{"message":"The security token included in the request is expired"}`, Kind: fault.ProviderKeyRejected, Valid: true},
	{Name: "signature", Status: 403, Headers: typed("InvalidSignatureException"), Body: `{"message":"Signature expired: 20260819T143411Z is now earlier than 20260819T150000Z"}`, Kind: fault.ProviderKeyRejected, Valid: true},
	{Name: "in the body", Status: 404, Body: `{"__type":"com.amazon.bedrock#ResourceNotFoundException","message":"Could not resolve the foundation model from the provided model identifier."}`, Kind: fault.ModelNotFound, Valid: true},
	{Name: "not ready", Status: 429, Headers: typed("ModelNotReadyException"), Body: `{"message":"The model specified in the request is not ready to serve inference requests."}`, Kind: fault.Overloaded, Valid: true},
	{Name: "unavailable", Status: 503, Headers: typed("ServiceUnavailableException"), Body: `{"message":"Bedrock is unable to process your request."}`, Kind: fault.Overloaded, Valid: true},
	{Name: "timeout", Status: 408, Headers: typed("ModelTimeoutException"), Body: `{"message":"Model has timed out in processing the request."}`, Kind: fault.ProviderError, Valid: true},
	{Name: "model error", Status: 424, Headers: typed("ModelErrorException"), Body: `{"message":"The system encountered an unexpected error during processing.","originalStatusCode":500}`, Kind: fault.ProviderError, Valid: true},
	{Name: "internal", Status: 500, Headers: typed("InternalServerException"), Body: `{"message":"The system encountered an unexpected error."}`, Kind: fault.ProviderError, Valid: true},
	{Name: "no such address", Status: 404, Headers: typed("UnknownOperationException"), Body: `{}`, Kind: fault.IncompatibleResponse, Valid: true},
	{Name: "a login page", Status: 403, Body: `<html><title>Log in</title></html>`, Kind: fault.IncompatibleResponse},
	{Name: "a load balancer", Status: 503, Body: `<html>503</html>`, Kind: fault.Overloaded},
}

func typed(name string) map[string]string { return map[string]string{"x-amzn-errortype": name} }

func TestAddresses(t *testing.T) {
	const arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0"
	d := bedrock.New()
	for _, c := range []struct {
		path string
		want llm.Match
	}{
		{"/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse", llm.Match{Op: llm.Chat, Model: "anthropic.claude-3-haiku-20240307-v1:0"}},
		{"/model/amazon.nova-lite-v1:0/converse-stream", llm.Match{Op: llm.Chat, Model: "amazon.nova-lite-v1:0", Stream: true}},
		{"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-sonnet-4-20250514-v1%3A0/converse", llm.Match{Op: llm.Chat, Model: arn}},
		{"/model/" + arn + "/converse", llm.Match{Op: llm.Chat, Model: arn}},
		{"/model/openai%2Fgpt-4o/converse", llm.Match{Op: llm.Chat, Model: "openai/gpt-4o"}},
		{"/model/amazon.titan-embed-text-v2%3A0/invoke", llm.Match{Op: llm.Invoke, Model: "amazon.titan-embed-text-v2:0"}},
		{"/model/m/invoke-with-response-stream", llm.Match{Op: llm.Invoke, Model: "m", Stream: true}},
		{"/model/m/count-tokens", llm.Match{Op: llm.CountTokens, Model: "m"}},
	} {
		if m, ok := d.Lookup("POST", c.path); !ok || m != c.want {
			t.Errorf("%s: %+v, %v", c.path, m, ok)
			continue
		}
		path, query := d.Place(c.want.Op, c.want.Model, c.want.Stream)
		if m, ok := d.Lookup("POST", path); !ok || m != c.want || query != "" {
			t.Errorf("%s is placed at %s?%s, which is %+v, %v", c.want.Model, path, query, m, ok)
		}
		if strings.ContainsAny(strings.TrimPrefix(path, "/model/"), ":%") && strings.Contains(path, ":") || strings.Count(path, "/") != 3 {
			t.Errorf("%s is not encoded", path)
		}
		if m, ok := d.Lookup("GET", c.path); ok || m.Allow != "POST" {
			t.Errorf("GET %s: %+v, %v", c.path, m, ok)
		}
	}
	for _, path := range []string{"/model", "/model/", "/model/m", "/model//converse", "/model/m/other", "/model/%zz/converse", "/models/m/converse"} {
		if m, ok := d.Lookup("POST", path); ok {
			t.Errorf("%s: %+v", path, m)
		}
	}
}

func TestStreamsOfInvokeModel(t *testing.T) {
	all := streams(t)
	body := all["invoke"]
	d := bedrock.New()
	s := d.FramedStream(llm.Invoke, streamType)
	if _, end := finish(s, body, 5); !end.Complete || !s.State().Done || s.State().Usage != reported(9, 3, -1, -1) {
		t.Errorf("%+v, %+v", end, s.State())
	}
	s = d.FramedStream(llm.Invoke, streamType)
	if _, end := finish(s, frames(body)[0]+all["exception"], 50); end.Kind != fault.StreamError || s.State().Error.Kind != fault.ProviderRateLimited {
		t.Errorf("%+v, %+v", end, s.State().Error)
	}
	if d.FramedStream(llm.Chat, "application/json") != nil || d.FramedStream(llm.Chat, "text/event-stream") != nil {
		t.Error("something else is taken for a stream")
	}
	if d.Codec(llm.Invoke) != nil {
		t.Error("InvokeModel has a codec")
	}
}

func TestAnErrorFrameFails(t *testing.T) {
	all := streams(t)
	s := bedrock.New().NewStream(llm.Chat, false)
	out, end := finish(s, frames(all["text"])[0]+all["error"], 1)
	e := s.State().Error
	if end.Kind != fault.StreamError || out != frames(all["text"])[0] || e.Code != "InternalFailure" || e.Kind != fault.ProviderError || e.Message != "An internal server error occurred" {
		t.Errorf("%+v, %+v", end, e)
	}
}

func finish(s *llm.Stream, body string, size int) (out string, end llm.End) {
	var room [][]byte
	take := func() {
		for _, p := range room {
			out += string(p)
		}
	}
	for len(body) > 0 {
		n := min(size, len(body))
		room = s.Feed([]byte(body[:n]), room[:0])
		take()
		body = body[n:]
	}
	room, end = s.Finish(true, room[:0])
	take()
	return out, end
}

// TestFramesOfAnyLengthAreBounded: a frame that says it is longer than any, or whose headers do not fit into it, is refused
// before it is held.
func TestFramesOfAnyLengthAreBounded(t *testing.T) {
	for name, prelude := range map[string][2]uint32{
		"4 GiB": {1<<32 - 1, 10}, "headers beyond the frame": {100, 90}, "too short": {15, 0}, "nothing": {0, 0}, "long headers": {1 << 20, 1<<20 - 16},
	} {
		s := bedrock.New().NewStream(llm.Chat, false)
		if _, end := finish(s, string(prelude12(prelude[0], prelude[1])), 100); end.Kind != fault.MalformedStream || end.Problem == "" {
			t.Errorf("%s: %+v", name, end)
		}
	}
}

func TestErrorsAsTheSDKsReadThem(t *testing.T) {
	d := bedrock.New()
	for _, c := range []struct {
		kind   fault.Kind
		status int
		want   string
		stream string
	}{
		{fault.ProviderRateLimited, 429, "ThrottlingException", "throttlingException"},
		{fault.RateLimited, 429, "ThrottlingException", "throttlingException"},
		{fault.QuotaExhausted, 429, "ServiceQuotaExceededException", "throttlingException"},
		{fault.BadRequest, 400, "ValidationException", "validationException"},
		{fault.ContextTooLong, 413, "ValidationException", "validationException"},
		{fault.KeyUnknown, 401, "AccessDeniedException", "validationException"},
		{fault.NotSubscribed, 403, "AccessDeniedException", "validationException"},
		{fault.ModelNotFound, 404, "ResourceNotFoundException", "validationException"},
		{fault.FirstByteTimeout, 504, "ModelTimeoutException", "modelStreamErrorException"},
		{fault.Overloaded, 503, "ServiceUnavailableException", "serviceUnavailableException"},
		{fault.ProviderKeyRejected, 502, "InternalServerException", "internalServerException"},
		{fault.ConnectionRefused, 502, "InternalServerException", "internalServerException"},
		{fault.TruncatedStream, 502, "InternalServerException", "modelStreamErrorException"},
	} {
		f := &llm.Failure{Kind: c.kind, Status: c.status, Sentence: "It failed.", CallID: "01J", Members: []byte(`{"kind":"x"}`)}
		var body struct {
			Type    string `json:"__type"`
			Message string
			Error   struct{ Causeway struct{ Kind string } }
		}
		if err := json.Unmarshal(d.AppendError(nil, f), &body); err != nil || body.Type != c.want || body.Error.Causeway.Kind != "x" || !strings.HasPrefix(body.Message, "It failed.") {
			t.Errorf("%s: %v, %+v", c.kind, err, body)
		}
		frame := string(d.AppendErrorEvent(nil, llm.Chat, f, &llm.StreamState{}))
		if !strings.Contains(frame, ":exception-type\x07\x00"+string(rune(len(c.stream)))+c.stream) {
			t.Errorf("%s: %q", c.kind, frame)
		}
	}
}

func TestWhatSignedARequestIsNotTold(t *testing.T) {
	body := `{"message":"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key. The Canonical String for this request should have been\n'POST\nx-amz-security-token:SESSIONTOKEN'"}`
	e := bedrock.New().ReadError(403, func(name string) string { return typed("InvalidSignatureException")[name] }, []byte(body), time.Time{})
	if e.Kind != fault.ProviderKeyRejected || strings.Contains(e.Message, "SESSIONTOKEN") || !strings.Contains(e.Message, "does not match") || e.Passable() {
		t.Errorf("%+v", e)
	}
	body = `{"message":"The key 'AKIAIOSFODNN7EXAMPLE' and ABSKQmVkcm9ja0FQSUtleQ== are not valid"}`
	e = bedrock.New().ReadError(403, func(name string) string { return typed("AccessDeniedException")[name] }, []byte(body), time.Time{})
	if strings.Contains(e.Message, "AKIA") || strings.Contains(e.Message, "ABSK") {
		t.Errorf("%q", e.Message)
	}
}

func prelude12(total, headers uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, total)
	b = binary.BigEndian.AppendUint32(b, headers)
	return binary.BigEndian.AppendUint32(b, crcOf(b))
}
