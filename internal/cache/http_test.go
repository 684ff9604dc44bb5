package cache

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// head reads "Name: value" lines.
func head(lines string) func(string) []string {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return func(name string) []string { return h.Values(name) }
}

func TestWhatASharedCacheMayKeep(t *testing.T) {
	date := "Date: " + noon.Format(http.TimeFormat) + "\n"
	for name, c := range map[string]struct {
		status      int
		answer      string
		credentials bool
		want        Storing
		why         string
	}{
		"nothing said":                      {200, "", false, Storing{Lifetime: 30 * time.Second}, ""},
		"not found":                         {404, "", false, Storing{Lifetime: 30 * time.Second}, ""},
		"max-age":                           {200, "Cache-Control: max-age=60", false, Storing{Lifetime: time.Minute}, ""},
		"s-maxage before max-age":           {200, "Cache-Control: max-age=60, s-maxage=10", false, Storing{Lifetime: 10 * time.Second, MustRevalidate: true}, ""},
		"of two the stricter":               {200, "Cache-Control: max-age=60\nCache-Control: max-age=5", false, Storing{Lifetime: 5 * time.Second}, ""},
		"quoted":                            {200, `Cache-Control: ext="a, max-age=1", max-age="60"`, false, Storing{Lifetime: time.Minute}, ""},
		"no end":                            {200, "Cache-Control: max-age=99999999999999999999", false, Storing{Lifetime: MaxLifetime}, ""},
		"expires":                           {200, date + "Expires: " + noon.Add(time.Hour).Format(http.TimeFormat), false, Storing{Lifetime: time.Hour}, ""},
		"max-age before expires":            {200, date + "Expires: 0\nCache-Control: max-age=60", false, Storing{Lifetime: time.Minute}, ""},
		"must-revalidate":                   {200, "Cache-Control: must-revalidate", false, Storing{Lifetime: 30 * time.Second, MustRevalidate: true}, ""},
		"age":                               {200, "Cache-Control: max-age=60\nAge: 20", false, Storing{Lifetime: 39 * time.Second, Age: 21 * time.Second}, ""},
		"an old date":                       {200, "Cache-Control: max-age=60\nDate: " + noon.Add(-50*time.Second).Format(http.TimeFormat), false, Storing{Lifetime: 10 * time.Second, Age: 50 * time.Second}, ""},
		"vary":                              {200, "Vary: Accept-Language, accept\nVary: Accept", false, Storing{Lifetime: 30 * time.Second, Vary: []string{"accept", "accept-language"}}, ""},
		"a coding that was negotiated":      {200, "Content-Encoding: gzip", false, Storing{Lifetime: 30 * time.Second, Vary: []string{"accept-encoding"}}, ""},
		"an origin that was let in":         {200, "Access-Control-Allow-Origin: https://a.example", false, Storing{Lifetime: 30 * time.Second, Vary: []string{"origin"}}, ""},
		"any origin":                        {200, "Access-Control-Allow-Origin: *", false, Storing{Lifetime: 30 * time.Second}, ""},
		"credentials, public":               {200, "Cache-Control: public", true, Storing{Lifetime: 30 * time.Second}, ""},
		"credentials, s-maxage":             {200, "Cache-Control: s-maxage=9", true, Storing{Lifetime: 9 * time.Second, MustRevalidate: true}, ""},
		"credentials":                       {200, "Cache-Control: max-age=9", true, Storing{}, "credentials"},
		"part":                              {206, "", false, Storing{}, "status 206"},
		"part by another status":            {200, "Content-Range: bytes 0-1/10", false, Storing{}, "is a part"},
		"server error":                      {500, "Cache-Control: max-age=60", false, Storing{}, "status 500"},
		"redirect for now":                  {302, "Cache-Control: max-age=60", false, Storing{}, "status 302"},
		"no-store":                          {200, "Cache-Control: NO-STORE", false, Storing{}, "no-store"},
		"private":                           {200, "Cache-Control: max-age=60, private", false, Storing{}, "private"},
		"private fields":                    {200, `Cache-Control: private="x-secret", max-age=60`, false, Storing{}, "private"},
		"no-cache":                          {200, "Cache-Control: no-cache", false, Storing{}, "no-cache"},
		"cookie":                            {200, "Cache-Control: public, max-age=60\nSet-Cookie: a=b", false, Storing{}, "cookie"},
		"vary by everything":                {200, "Vary: accept, *", false, Storing{}, "Vary: *"},
		"expired":                           {200, date + "Expires: Thu, 01 Jan 1970 00:00:00 GMT", false, Storing{}, "stale"},
		"an Expires that is no date":        {200, "Expires: 0", false, Storing{}, "stale"},
		"a max-age that is no number":       {200, "Cache-Control: max-age=abc", false, Storing{}, "stale"},
		"max-age=0":                         {200, "Cache-Control: max-age=0", false, Storing{}, "stale"},
		"older than fresh on its way to us": {200, "Cache-Control: max-age=60\nAge: 60", false, Storing{}, "stale"},
	} {
		t.Run(name, func(t *testing.T) {
			x := Exchange{Status: c.status, Answer: head(c.answer), Credentials: c.credentials, Delay: time.Second, Now: noon, TTL: 30 * time.Second}
			got, why := x.Storable()
			if c.why != "" {
				if !strings.Contains(why, c.why) {
					t.Errorf("%q", why)
				}
				return
			}
			if why != "" || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %q", got, why)
			}
		})
	}
}

func TestConditionalRequests(t *testing.T) {
	a := &Answer{Status: 200, Fields: []Field{
		{[]byte("Etag"), []byte(`W/"v1"`)}, {[]byte("Last-Modified"), []byte(noon.Format(http.TimeFormat))},
	}}
	for name, c := range map[string]struct {
		request string
		want    bool
	}{
		"none":                    {"", false},
		"the tag":                 {`If-None-Match: "v1"`, true},
		"in a list":               {`If-None-Match: "a,b", W/"v1"`, true},
		"part of another tag":     {`If-None-Match: "a\"v1"`, false},
		"another":                 {`If-None-Match: "v2"`, false},
		"any":                     {"If-None-Match: *", true},
		"unquoted":                {"If-None-Match: v1", false},
		"not changed since":       {"If-Modified-Since: " + noon.Format(http.TimeFormat), true},
		"changed since":           {"If-Modified-Since: " + noon.Add(-time.Second).Format(http.TimeFormat), false},
		"no date":                 {"If-Modified-Since: yesterday", false},
		"the tag before the date": {"If-None-Match: \"v2\"\nIf-Modified-Since: " + noon.Format(http.TimeFormat), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := a.Unchanged(head(c.request)); got != c.want {
				t.Error(got)
			}
		})
	}
	if (&Answer{Status: 404, Fields: a.Fields}).Unchanged(head(`If-None-Match: "v1"`)) {
		t.Error("a 404 is not turned into a 304")
	}
}

func TestVariantsByTheRequestsFields(t *testing.T) {
	key := func(lines string) Key { return KeyOf(Variant([]string{"accept", "x-a"}, head(lines))...) }
	if key("Accept: a,b") != key("Accept: a ,  b") || key("Accept: a\nAccept: b") != key("Accept: a, b") {
		t.Error("the same values, written otherwise, are another variant")
	}
	if key("Accept: a") == key("X-A: a") || key("") == key("Accept:") || key("Accept: a") == key("Accept: b") {
		t.Error("different requests share a variant")
	}
}

func FuzzControl(f *testing.F) {
	f.Add(`private="a\"b", max-age="1`)
	f.Add(`,,=,max-age=1;x`)
	f.Fuzz(func(t *testing.T, v string) {
		if c := ParseControl(v); c.MaxAge < -1 || c.MaxAge > longest {
			t.Error(c.MaxAge)
		}
		hasTag(v, `"x"`)
	})
}
