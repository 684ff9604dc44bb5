package owner

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestWhoseAnObjectIs(t *testing.T) {
	ctx := context.Background()
	g := New(nil)
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	made := func(tenant, provider, id string) {
		t.Helper()
		at = at.Add(time.Second)
		if err := g.Made(ctx, Record{Tenant: tenant, Provider: provider, ID: id, Kind: File, Created: at}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(tenant, provider, id string) string {
		t.Helper()
		r, err := g.Find(ctx, tenant, provider, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		return r.Provider
	}
	made("web", "a", "file-1")
	made("app", "b", "file-1") // another provider's id of the same name
	made("web", "b", "file-2")
	for _, tc := range []struct{ tenant, provider, id, want string }{
		{"web", "", "file-1", "a"},
		{"app", "", "file-1", "b"},
		{"web", "b", "file-1", ""},
		{"other", "", "file-1", ""},
		{"web", "", "file-2", "b"},
		{"web", "", "file-3", ""},
	} {
		if got := has(tc.tenant, tc.provider, tc.id); got != tc.want {
			t.Errorf("%+v: found at %q", tc, got)
		}
	}
	for id, want := range map[string]bool{"file-1": false, "file-2": true, "file-3": false} {
		if got, err := g.Foreign(ctx, "app", id); got != want || err != nil {
			t.Errorf("%s is foreign: %v, %v", id, got, err)
		}
	}
	// Seen never takes what is another's, Made does: the provider says that it has just made it.
	if err := g.Seen(ctx, Record{Tenant: "app", Provider: "b", ID: "file-2", Kind: File}); err != nil || has("app", "", "file-2") != "" {
		t.Errorf("what is seen is taken: %v", err)
	}
	if made("app", "b", "file-2"); has("app", "", "file-2") != "b" || has("web", "", "file-2") != "" {
		t.Error("what is made anew has its old owner")
	}
	if err := g.Gone(ctx, "b", "file-2"); err != nil || has("app", "", "file-2") != "" {
		t.Errorf("what is gone is there: %v", err)
	}
	if ids, err := g.IDs(ctx, "web", "a", File); err != nil || len(ids) != 1 || !ids["file-1"] {
		t.Errorf("web has %v, %v", ids, err)
	}
	for i, want := range []bool{true, false, false} {
		if first, err := g.Bill(ctx, "a", "file-1"); first != want || err != nil {
			t.Errorf("bill %d: %v, %v", i, first, err)
		}
	}
	if first, _ := g.Bill(ctx, "a", "file-9"); first {
		t.Error("what nobody has is billed")
	}
}

const aLine = `{"custom_id":"1","body":{"model":"m1","messages":[{"content":"a \"model\":\"x\" {"}],"a":{"model":"y"},"b":["model"]}}`

// However an upload is cut into pieces, the same models are read.
func TestUploadsInPieces(t *testing.T) {
	form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\nContent-Transfer-Encoding: binary\r\n\r\n" +
		aLine + "\n" + `{"body":{"input":"x","model":"m2"}}` + "\r\n--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b--\r\n"
	for _, n := range []int{1, 2, 3, 7, 64, len(form)} {
		var u Upload
		for piece := range slices.Chunk([]byte(form), n) {
			u.Feed(piece)
		}
		if got := u.Models(); !slices.Equal(got, []string{"m1", "m2"}) {
			t.Errorf("in pieces of %d: %v", n, got)
		}
	}
}

func TestUploadsThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"a transfer coding": "Content-Transfer-Encoding: base64\r\n\r\n" + aLine + "\n",
		"no model":          `{"body":{"x":1}}` + "\n",
		"no object":         "%PDF-1.7\n",
		"a list":            `[{"body":{"model":"m"}}]` + "\n" + aLine + "\n",
		"a model object":    aLine + "\n" + `{"body":{"model":{"a":1}}}` + "\n",
		"an escaped name":   aLine + "\n" + `{"b\u006fdy":{"model":"m9"}}` + "\n",
		"nothing":           "",
	} {
		var u Upload
		u.Feed([]byte(text))
		if got := u.Models(); !slices.Equal(got, []string{AnyModel}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzUpload: what is read does not depend on the pieces, and its memory is bounded.
func FuzzUpload(f *testing.F) {
	f.Add([]byte(aLine+"\n"+aLine), 3)
	f.Add([]byte("\xef\xbb\xbf{\"body\":{\"model\":\"\\"), 1)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		var whole, cut Upload
		whole.Feed(text)
		for piece := range slices.Chunk(text, max(1, n&63)) {
			cut.Feed(piece)
		}
		if a, b := whole.Models(), cut.Models(); !slices.Equal(a, b) {
			t.Errorf("%q and %q", a, b)
		}
		if len(cut.prefix) > 64 || len(cut.text) > maxModel {
			t.Errorf("%d and %d bytes are held", len(cut.prefix), len(cut.text))
		}
	})
}
