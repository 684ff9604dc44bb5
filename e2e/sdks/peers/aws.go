package peers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/url"
	"strings"
)

// signed checks a request's Signature Version 4 as AWS does
// (docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html). It is written apart from the gateway's own.
func signed(r *http.Request, body []byte) error {
	line, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return refused("Missing Authentication Token")
	}
	part := map[string]string{}
	for field := range strings.SplitSeq(line, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		part[name] = value
	}
	scope := strings.Split(part["Credential"], "/")
	date := r.Header.Get("X-Amz-Date")
	if len(scope) != 5 || scope[0] != AccessKey || scope[2] != AWSRegion || scope[3] != "bedrock" || scope[4] != "aws4_request" || !strings.HasPrefix(date, scope[1]) {
		return refused("the credential %q is not for this", part["Credential"])
	}
	var head strings.Builder
	names := strings.Split(part["SignedHeaders"], ";")
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		if value == "" {
			return refused("the signed header %s was not sent", name)
		}
		head.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	if !strings.Contains(";"+part["SignedHeaders"]+";", ";host;") || !strings.Contains(part["SignedHeaders"], "x-amz-date") {
		return refused("'Host' or 'X-Amz-Date' must be a signed header")
	}
	sum := sha256.Sum256(body)
	// Each segment of the path is encoded once more than it stands on the wire.
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for i := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(segments[i]), "+", "%20")
	}
	canonical := strings.Join([]string{r.Method, strings.Join(segments, "/"), r.URL.RawQuery, head.String(), part["SignedHeaders"], hex.EncodeToString(sum[:])}, "\n")
	of := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", date, strings.Join(scope[1:], "/"), hex.EncodeToString(of[:])}, "\n")
	key := []byte("AWS4" + SecretKey)
	for _, s := range append(scope[1:], text) {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(s))
		key = m.Sum(nil)
	}
	if got := hex.EncodeToString(key); !hmac.Equal([]byte(got), []byte(part["Signature"])) {
		return refused("The request signature we calculated does not match the signature you provided.")
	}
	return nil
}

// frames puts events into AWS's binary frames (smithy.io/2.0/aws/amazon-eventstream.html).
func frames(events [][]json.RawMessage) []string {
	var out []string
	for _, e := range events {
		var kind string
		_ = json.Unmarshal(e[0], &kind) // written by us
		var head []byte
		for _, h := range [][2]string{{":event-type", kind}, {":content-type", "application/json"}, {":message-type", "event"}} {
			head = append(append(append(head, byte(len(h[0]))), h[0]...), 7)
			head = append(binary.BigEndian.AppendUint16(head, uint16(len(h[1]))), h[1]...)
		}
		f := binary.BigEndian.AppendUint32(nil, uint32(16+len(head)+len(e[1])))
		f = binary.BigEndian.AppendUint32(f, uint32(len(head)))
		f = binary.BigEndian.AppendUint32(f, crc32.ChecksumIEEE(f))
		f = append(append(f, head...), e[1]...)
		out = append(out, string(binary.BigEndian.AppendUint32(f, crc32.ChecksumIEEE(f))))
	}
	return out
}
