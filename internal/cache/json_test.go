package cache

import (
	"bytes"
	"strings"
	"testing"
)

func TestBodiesThatSayTheSame(t *testing.T) {
	same := [][2]string{
		{`{"a":1,"b":[true,null]}`, " {\"b\" : [ true , null ],\n\"a\":1} "},
		{`{"a":"é"}`, `{"\u0061":"\u00e9"}`},
		{`{"stream":true,"a":1}`, `{"a":1,"stream":false}`},
	}
	for _, p := range same {
		a, errA := Normalise([]byte(p[0]), "stream")
		b, errB := Normalise([]byte(p[1]), "stream")
		if errA != nil || errB != nil || !bytes.Equal(a.Text, b.Text) {
			t.Errorf("%s and %s: %q, %q, %v, %v", p[0], p[1], a.Text, b.Text, errA, errB)
		}
	}
	different := []string{
		`{"a":1}`, `{"a":"1"}`, `{"a":1.0}`, `{"a":[1]}`, `{"a":{"b":1}}`, `{"b":1}`, `{"a":[1,2]}`, `{"a":[12]}`, `{"a":["1","2"]}`, `{"a":["1\",\"2"]}`,
		`{"a":{"stream":true}}`, `{"a":{"stream":false}}`, `{"a":true}`, `{"a":"true"}`, `{"a":null}`, `{}`, `[]`, `""`, `{"a":"b","c":"d"}`, `{"a":"b\",4\"c\":d"}`,
	}
	seen := map[string]string{}
	for _, s := range different {
		b, err := Normalise([]byte(s), "stream")
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if other := seen[string(b.Text)]; other != "" {
			t.Errorf("%s and %s are the same", s, other)
		}
		seen[string(b.Text)] = s
	}
}

func TestBodiesThatCannotBeCompared(t *testing.T) {
	for _, s := range []string{
		``, `{`, `{"a":1} x`, `{"a":1}{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, `{"a":1,"\u0061":1}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":01}`,
		strings.Repeat("[", 300) + strings.Repeat("]", 300),
	} {
		if b, err := Normalise([]byte(s)); err == nil {
			t.Errorf("%q is %q", s, b.Text)
		}
	}
}

func TestNamesOfMembersAnywhere(t *testing.T) {
	b, err := Normalise([]byte(`{"a":[{"file_id":"f"},{"x":null,"y":false}],"stream":true,"stream_options":{"include_usage":true}}`), "stream", "stream_options")
	if err != nil || !b.Names["file_id"] || b.Names["x"] || b.Names["y"] || string(b.Left["stream"]) != "true" || string(b.Left["stream_options"]) != `{13"include_usage:true,}` {
		t.Errorf("%+v, %v", b, err)
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",{"b":null}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := Normalise(body)
		if err != nil {
			return
		}
		if b, err := Normalise(append([]byte(" \n"), body...)); err != nil || !bytes.Equal(a.Text, b.Text) {
			t.Errorf("%q: %v", body, err)
		}
	})
}
