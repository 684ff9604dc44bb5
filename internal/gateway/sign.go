package gateway

import (
	"bytes"
	"time"

	"causeway/internal/sign"
	"causeway/internal/wire"
)

// sign puts the proof of a provider's credential on the head that was written, which depends on the whole of the
// request: it is the last thing before the attempt.
func (c *call) sign(body []byte) error {
	head := c.out
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	_, rest, _ := bytes.Cut(line, []byte{' '})
	target, _, _ := bytes.Cut(rest, []byte{' '})
	path, query, _ := bytes.Cut(target, []byte{'?'})
	r := &sign.Request{
		Method: c.j.Method, Host: fieldOf(head, "Host"), Path: string(path), Query: string(query),
		Header: func(name string) string { return fieldOf(head, name) }, Body: body, Now: time.Now(),
	}
	signed, err := c.key.Signer.Append(head[:len(head)-2:len(head)-2], r)
	if err != nil {
		return err
	}
	c.out = append(signed, '\r', '\n')
	return nil
}

// fieldOf is the value of a field in a head, "" when it has none.
func fieldOf(head []byte, name string) string {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if k, v, ok := bytes.Cut(line, []byte{':'}); ok && wire.EqualFold(k, name) {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}
