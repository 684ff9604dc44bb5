package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Body is a JSON body in a form that is the same for bodies that say the same: without white space, with the members
// of objects in the order of their names, and texts without escapes. It is meant to be hashed, and is no JSON.
type Body struct {
	Text []byte
	// Names are the members, wherever they stand, whose value is neither null nor false.
	Names map[string]bool
	// Left are the outermost members that were left out, by name, in the same form.
	Left map[string][]byte
}

// errNotPlain is the error of a body that can't be told from another by its form.
var errNotPlain = errors.New("the body is no JSON that can be compared")

// mostDeep is how deep a body may be nested.
const mostDeep = 200

// Normalise reads a body. Outermost members named in leave are left out. The error is of a body that is not JSON, that
// has a member twice (which one counts is for its reader to say), or text that is no Unicode.
func Normalise(body []byte, leave ...string) (*Body, error) {
	b := &Body{Names: map[string]bool{}, Left: map[string][]byte{}}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	text, err := b.value(d, 0, leave)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotPlain
	}
	b.Text = text
	return b, nil
}

func (b *Body) value(d *json.Decoder, depth int, leave []string) ([]byte, error) {
	t, err := d.Token()
	if err != nil || depth > mostDeep {
		return nil, errNotPlain
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return b.object(d, depth, leave)
		}
		return b.array(d, depth)
	case string:
		return appendPlain(nil, v)
	case json.Number:
		return []byte(v), nil
	case bool:
		return strconv.AppendBool(nil, v), nil
	}
	return []byte("null"), nil
}

// appendPlain writes a text behind its length. A replacement character may stand for different bytes.
func appendPlain(dst []byte, s string) ([]byte, error) {
	if strings.ContainsRune(s, '\uFFFD') {
		return nil, errNotPlain
	}
	dst = append(strconv.AppendInt(dst, int64(len(s)), 10), '"')
	return append(dst, s...), nil
}

func (b *Body) object(d *json.Decoder, depth int, leave []string) ([]byte, error) {
	members := map[string][]byte{}
	var names []string
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok || members[name] != nil {
			return nil, errNotPlain
		}
		value, err := b.value(d, depth+1, nil)
		if err != nil {
			return nil, err
		}
		if s := string(value); s != "null" && s != "false" {
			b.Names[name] = true
		}
		members[name] = value
		names = append(names, name)
	}
	if _, err := d.Token(); err != nil {
		return nil, errNotPlain
	}
	slices.Sort(names)
	out := []byte{'{'}
	for _, name := range names {
		if slices.Contains(leave, name) {
			b.Left[name] = members[name]
			continue
		}
		var err error
		if out, err = appendPlain(out, name); err != nil {
			return nil, err
		}
		out = append(append(out, ':'), members[name]...)
		out = append(out, ',')
	}
	return append(out, '}'), nil
}

func (b *Body) array(d *json.Decoder, depth int) ([]byte, error) {
	out := []byte{'['}
	for d.More() {
		value, err := b.value(d, depth+1, nil)
		if err != nil {
			return nil, err
		}
		out = append(append(out, value...), ',')
	}
	if _, err := d.Token(); err != nil {
		return nil, errNotPlain
	}
	return append(out, ']'), nil
}
