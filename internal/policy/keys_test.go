package policy

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

func keys(list ...string) (out []catalog.CallerKey) {
	for _, k := range list {
		out = append(out, catalog.CallerKey{SHA256: sha256.Sum256([]byte(k))})
	}
	return out
}

func ring(t testing.TB, apps ...*catalog.Application) *KeyRing {
	t.Helper()
	byName := map[string]*catalog.Application{}
	for _, a := range apps {
		byName[a.Name] = a
	}
	r, err := NewKeyRing(byName)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fields makes a lookup of lines such as "apikey: secret".
func fields(lines ...string) func(string) []byte {
	return func(name string) []byte {
		for _, l := range lines {
			if n, v, _ := strings.Cut(l, ": "); strings.EqualFold(n, name) {
				return []byte(v)
			}
		}
		return nil
	}
}

func TestWhereAKeyIsLookedFor(t *testing.T) {
	old := keys("expired-key-0123456789")
	old[0].Expires = time.Now().Add(-time.Second)
	r := ring(t,
		&catalog.Application{Name: "web", Keys: keys("web-key", "web-key-2")},
		&catalog.Application{Name: "cli", Keys: append(keys("cli-key"), old...)})
	for _, tt := range []struct {
		name   string
		places Places
		fields []string
		want   string // "caller by field" or the kind
	}{
		{"apikey", ServicePlaces, []string{"apikey: web-key"}, "web by apikey"},
		{"any case of the name", ServicePlaces, []string{"ApiKey: web-key-2"}, "web by apikey"},
		{"bearer", ServicePlaces, []string{"Authorization: Bearer cli-key"}, "cli by Authorization"},
		{"any case of the scheme, more spaces", ServicePlaces, []string{"Authorization: bEARER   cli-key"}, "cli by Authorization"},
		{"x-api-key", ServicePlaces, []string{"x-api-key: web-key"}, "web by x-api-key"},
		{"the first that is known", ServicePlaces, []string{"Authorization: Bearer a-token-of-the-service", "x-api-key: web-key"}, "web by x-api-key"},
		{"two that are known", ServicePlaces, []string{"x-api-key: web-key", "Authorization: Bearer cli-key"}, "cli by Authorization"},
		{"with apikey nothing else counts", ServicePlaces, []string{"apikey: nobody", "Authorization: Bearer cli-key"}, "key_unknown"},
		{"an empty apikey is none", ServicePlaces, []string{"apikey: ", "Authorization: Bearer cli-key"}, "cli by Authorization"},
		{"nothing", ServicePlaces, nil, "key_missing"},
		{"another scheme", ServicePlaces, []string{"Authorization: Basic d2ViOmtleQ=="}, "key_missing"},
		{"a scheme alone", ServicePlaces, []string{"Authorization: Bearer "}, "key_missing"},
		{"a key without its scheme", ServicePlaces, []string{"Authorization: web-key"}, "key_missing"},
		{"unknown", ServicePlaces, []string{"x-api-key: nobody"}, "key_unknown"},
		{"expired", ServicePlaces, []string{"Authorization: Bearer expired-key-0123456789"}, "key_expired"},
		{"expired and unknown", ServicePlaces, []string{"Authorization: Bearer expired-key-0123456789", "x-api-key: nobody"}, "key_expired"},
		{"expired and known", ServicePlaces, []string{"Authorization: Bearer expired-key-0123456789", "x-api-key: web-key"}, "web by x-api-key"},
		{"no place of services", ServicePlaces, []string{"x-goog-api-key: web-key"}, "key_missing"},
		{"bearer, model", ModelPlaces, []string{"Authorization: Bearer web-key"}, "web by Authorization"},
		{"anthropic's", ModelPlaces, []string{"x-api-key: web-key"}, "web by x-api-key"},
		{"gemini's", ModelPlaces, []string{"x-goog-api-key: web-key"}, "web by x-goog-api-key"},
		{"no place of models", ModelPlaces, []string{"apikey: web-key"}, "key_missing"},
		{"the own pages take all", AnyPlaces, []string{"x-goog-api-key: web-key"}, "web by x-goog-api-key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := r.Find(tt.places, fields(tt.fields...))
			got := string(f.Kind)
			if f.Kind == "" {
				got = f.Caller.Name + " by " + f.Field
			} else if f.Caller != nil || f.Field != "" || f.Detail == "" || len(f.Evidence) != len(tt.places.list) || f.Example == "" {
				t.Errorf("a failure with %+v", f)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAFailureTellsWhereAKeyWasLookedForAndShowsNone(t *testing.T) {
	r := ring(t, &catalog.Application{Name: "web", Keys: keys("web-key")})
	f := r.Find(ServicePlaces, fields("apikey: sk-0123456789abcdef", "x-api-key: other-secret"))
	want := []string{
		"apikey: a key of 19 characters that ends in cdef, which names no application",
		"Authorization: Bearer: not looked at, because apikey was sent",
		"x-api-key: not looked at, because apikey was sent",
	}
	if fmt.Sprint(f.Evidence) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", f.Evidence, want)
	}
	f = r.Find(ModelPlaces, fields("Authorization: Basic d2ViOmtleQ==", "x-api-key: short-secret", "x-goog-api-key: 0123456789abcdef\xff\x01\x02\x03"))
	want = []string{
		"Authorization: Bearer: has another scheme than Bearer",
		"x-api-key: a key of 12 characters, which names no application",
		"x-goog-api-key: a key of 20 characters, which names no application",
	}
	if fmt.Sprint(f.Evidence) != fmt.Sprint(want) || f.Example != "Authorization: Bearer YOUR_KEY" {
		t.Errorf("got  %q, %s\nwant %q", f.Evidence, f.Example, want)
	}
	f = r.Find(ServicePlaces, fields())
	if f.Detail != "The call has no key; it was looked for in apikey, Authorization: Bearer, x-api-key." || f.Example != "apikey: YOUR_KEY" {
		t.Errorf("got %s, %s", f.Detail, f.Example)
	}
}

func TestAKeyExpiresAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keys("web-key")
		k[0].Expires = time.Now().Add(time.Hour)
		r := ring(t, &catalog.Application{Name: "web", Keys: k})
		time.Sleep(time.Hour - 1)
		if _, kind := r.Lookup([]byte("web-key")); kind != "" {
			t.Errorf("before its time: %s", kind)
		}
		time.Sleep(1 * time.Nanosecond)
		if c, kind := r.Lookup([]byte("web-key")); kind != fault.KeyExpired || c.Name != "web" {
			t.Errorf("at its time: %v, %q", c, kind)
		}
	})
}

func TestTwoApplicationsWithOneKey(t *testing.T) {
	_, err := NewKeyRing(map[string]*catalog.Application{"a": {Name: "a", Keys: keys("x")}, "b": {Name: "b", Keys: keys("y", "x")}})
	if err == nil || !strings.Contains(err.Error(), "a and b have the same key") {
		t.Errorf("got %v", err)
	}
	soon, late := keys("x"), keys("x")
	soon[0].Expires, late[0].Expires = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, order := range [][]catalog.CallerKey{append(soon[:1:1], late...), append(late[:1:1], soon...), append(soon[:1:1], keys("x")...), append(keys("x"), soon...)} {
		if _, kind := ring(t, &catalog.Application{Name: "a", Keys: order}).Lookup([]byte("x")); kind != "" {
			t.Errorf("of two entries for one key the shorter won: %s", kind)
		}
	}
}

func TestSubscriptions(t *testing.T) {
	c := ring(t, &catalog.Application{Name: "web", Keys: keys("k"), Subscribes: []string{"orders", "models/fast", "models/openai/*", "models/claude/opus", "models/openrouter/meta-llama/*", "prompts/sentiment"}}).byHash[sha256.Sum256([]byte("k"))].caller
	for service, want := range map[string]bool{"orders": true, "carts": false, "models/fast": false, "fast": false, "prompts/sentiment": false, "": false} {
		if c.MayCall(service) != want {
			t.Errorf("service %q: %v", service, !want)
		}
	}
	for _, tt := range []struct {
		model  string
		direct bool
		want   bool
	}{
		{"fast", false, true},
		{"slow", false, false},
		{"openai/gpt-4o", true, true},
		{"openai/gpt-4o", false, false}, // a name under models is granted by itself alone
		{"openai2/gpt-4o", true, false},
		{"claude/opus", true, true},
		{"claude/haiku", true, false},
		{"openrouter/meta-llama/llama-3", true, true},
		{"openrouter/other/llama-3", true, false},
		{"orders", false, false},
		{"*", false, false},
	} {
		if c.MayUse(tt.model, tt.direct) != tt.want {
			t.Errorf("model %s, direct %v: %v", tt.model, tt.direct, !tt.want)
		}
	}
	if !c.MayAsk("sentiment") || c.MayAsk("other") {
		t.Error("prompts")
	}
	all := newCaller(&catalog.Application{Name: "all", Subscribes: []string{"models/*"}})
	if !all.MayUse("fast", false) || !all.MayUse("openai/gpt-4o", true) || all.MayCall("orders") {
		t.Error("models/*")
	}
}

// TestSubscriptionsEqualTheCatalogues: the compiled rule and the catalogue's own agree.
func TestSubscriptionsEqualTheCatalogues(t *testing.T) {
	cat := &catalog.Catalog{Models: map[string]*catalog.Model{"fast": {}, "openai/named": {}}}
	names := []string{"fast", "openai/named", "openai/gpt", "openrouter/meta/llama", "other/x"}
	subs := []string{"models/*", "models/fast", "models/openai/*", "models/openai/gpt", "models/openrouter/*", "models/openrouter/meta/*", "orders", "prompts/p"}
	for mask := range 1 << len(subs) {
		app := &catalog.Application{Name: "a"}
		for i, s := range subs {
			if mask>>i&1 == 1 {
				app.Subscribes = append(app.Subscribes, s)
			}
		}
		c := newCaller(app)
		for _, n := range names {
			if got, want := c.MayUse(n, cat.Models[n] == nil), cat.SubscriptionAllows(app, "model", n); got != want {
				t.Fatalf("%v, model %s: got %v, want %v", app.Subscribes, n, got, want)
			}
		}
		if c.MayCall("orders") != cat.SubscriptionAllows(app, "service", "orders") || c.MayAsk("p") != cat.SubscriptionAllows(app, "prompt", "p") {
			t.Fatalf("%v", app.Subscribes)
		}
	}
}

func TestAnApplicationKeepsItsIndex(t *testing.T) {
	a := ring(t, &catalog.Application{Name: "web", Keys: keys("k")})
	b := ring(t, &catalog.Application{Name: "another", Keys: keys("j")}, &catalog.Application{Name: "web", Keys: keys("k")})
	ca, _ := a.Lookup([]byte("k"))
	cb, _ := b.Lookup([]byte("k"))
	cc, _ := b.Lookup([]byte("j"))
	if ca.Index != cb.Index || cb.Index == cc.Index {
		t.Errorf("indexes %d, %d and %d", ca.Index, cb.Index, cc.Index)
	}
}

func TestAGoodKeyAllocatesNothing(t *testing.T) {
	r := ring(t, &catalog.Application{Name: "web", Keys: keys("cw-0123456789abcdef0123456789abcdef"), Subscribes: []string{"orders"}})
	h := header{"authorization": []byte("Bearer cw-0123456789abcdef0123456789abcdef")}
	if n := testing.AllocsPerRun(100, func() {
		if f := r.Find(ServicePlaces, h.lookup); f.Kind != "" || !f.Caller.MayCall("orders") {
			t.Fatal(f.Kind)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type header map[string][]byte

func (h header) lookup(name string) []byte {
	for k, v := range h {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

func BenchmarkFindKey(b *testing.B) {
	r := ring(b, &catalog.Application{Name: "web", Keys: keys("cw-0123456789abcdef0123456789abcdef")})
	h := header{"authorization": []byte("Bearer cw-0123456789abcdef0123456789abcdef")}
	b.ReportAllocs()
	for b.Loop() {
		r.Find(ServicePlaces, h.lookup)
	}
}
