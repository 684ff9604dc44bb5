package gateway

import (
	"bytes"
	"fmt"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// Gemini keeps the beginning of a prompt under a name (cachedContents/...), which requests then name as cachedContent.
// Such caches are made at the provider and not through the gateway, so that whose one is can't be told: with a key that
// several applications share it may be another's, and what it holds can be asked for. It then does not exist.

// foreignCache refuses a call that names a cache which may be another application's. ok is true where it names none, or
// nobody else can have made it: the provider's key is the caller's own, or there is one application alone.
func (c *call) foreignCache() (ok, skip bool) {
	if c.dialect.Name() != "gemini" || c.provider.Dialect.Name() != "gemini" || c.op != llm.Chat && c.op != llm.CountTokens {
		return true, false
	}
	if c.caller == nil || c.provider.CallerKey || len(c.gen.Catalog.Applications) < 2 {
		return true, false
	}
	if !bytes.Contains(c.body, []byte("ached")) && !bytes.Contains(c.body, []byte(`\u00`)) {
		return true, false
	}
	var scan jsonscan.Scanner
	scan.Reset(c.body)
	param, name := cacheNamed(&scan, "")
	if name == "" {
		return true, false
	}
	why := fmt.Sprintf("No cached content %s was made by this application.", clipID(name))
	if c.model.Untried(c.triedModels) {
		c.note("choose", "skipped "+c.provider.Name+"/"+c.j.TargetModel+": "+why)
		return false, true
	}
	return c.fail(failure{kind: fault.ObjectNotFound, detail: why, safe: why, param: param}), false
}

// cacheNamed finds the cache that a request names, and the member that does; a count has the request in a member of its
// own.
func cacheNamed(scan *jsonscan.Scanner, at string) (param, name string) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return "", ""
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		member := string(k.Raw)
		if k.Escaped {
			member = string(jsonscan.Unquote(nil, k.Raw))
		}
		switch {
		case (member == "cachedContent" || member == "cached_content") && scan.Peek() == jsonscan.String:
			if raw := scan.Inner(); len(raw) > 0 {
				param, name = at+member, strings.ToValidUTF8(string(jsonscan.Unquote(nil, raw)), "")
			}
		case at == "" && (member == "generateContentRequest" || member == "generate_content_request"):
			if p, n := cacheNamed(scan, member+"."); n != "" {
				param, name = p, n
			}
		default:
			scan.Skip()
		}
	}
	return param, name
}
