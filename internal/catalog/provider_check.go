package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// checkProvider holds a provider's keys against its kind.
func checkProvider(c *checker, v *value) {
	vendor, at, known := providerOf(v)
	if !known {
		return
	}
	checkScheme(c, v.get("protocol"), vendor.address(at))
	checkBelongs(c, v, vendor.Kind)
	c.dialectOf(v, &vendor)
	switch vendor.Kind {
	case "azure-openai":
		c.azure(v, at)
	case "vertex":
		c.vertex(v, at)
	case "bedrock":
		c.bedrock(v, at)
	}
	c.providerKeys(v, &vendor)
	c.ownFields(v)
	base := v.get("base_url")
	if at.base == "" && vendor.BaseURL == "" && !base.bad && !v.meant["base_url"] && vendor.Kind != "vertex" && vendor.Kind != "bedrock" {
		what, fix := vendor.Kind+" has no address of its own", "add base_url: https://HOST/v1"
		switch {
		case vendor.Example != "":
			what, fix = vendor.Kind+" has an address for each account", "add base_url: "+vendor.Example
		case vendor.Speaks() != dialectOpenAI:
			fix = "add base_url: https://HOST"
			if vendor.Kind != anyOpenAI {
				what = "no address of " + vendor.Title + " is known that speaks " + vendor.Speaks()
			}
		}
		c.faults.add(v.name, "`"+v.path+"` has no `base_url`, and "+what, fix)
	}
}

// checkBelongs reports keys that belong to other kinds.
func checkBelongs(c *checker, v *value, kind string) {
	for _, name := range []string{"region", "project", "location", "credentials_file", "credentials", "api_version", "deployments"} {
		owner := "vertex"
		switch name {
		case "region":
			owner = "bedrock"
		case "api_version", "deployments":
			owner = "azure-openai"
		}
		if f := v.get(name); f.set() && kind != owner {
			c.faults.add(f.name, "`"+f.path+"` is for kind "+owner+", and this provider's is "+kind, "remove it, or write kind: "+owner)
		}
	}
	if f := v.get("auth"); f.set() && kind != anyOpenAI && kind != "azure-openai" {
		c.faults.add(f.name, "`"+f.path+"` is for openai-compatible and azure-openai; how "+kind+" takes its key is known", "remove it")
	}
}

// dialectOf checks the keys dialect and quirks.
func (c *checker) dialectOf(v *value, vendor *Vendor) {
	if d := v.get("dialect"); d.set() && !d.bad && as[string](d) != vendor.Speaks() {
		c.faults.add(d.name, "`"+d.path+": "+as[string](d)+"` can't be: "+vendor.Kind+" is spoken to in its own dialect, "+vendor.Speaks(),
			"remove it, or write kind: openai-compatible with a base_url")
	}
	if q := v.get("quirks"); q.set() && vendor.Speaks() != dialectOpenAI {
		c.faults.add(q.name, "`"+q.path+"` is for providers that speak OpenAI's dialect, and this one speaks "+vendor.Speaks(), "remove it")
	}
}

func (c *checker) azure(v *value, at spot) {
	if strings.Contains(at.base, "/openai/deployments/") {
		base := v.get("base_url")
		root, rest, _ := strings.Cut(at.base, "/openai/deployments/")
		deployment, _, _ := strings.Cut(rest, "/")
		c.faults.add(base.at, "`"+base.path+"` names one deployment", "write base_url: "+root+" and deployments: {MODEL: "+deployment+"}")
	}
}

func (c *checker) vertex(v *value, at spot) {
	for name, part := range map[string]string{"project": at.project, "location": at.location} {
		if part == "" && !v.get(name).bad && !v.meant[name] {
			fix := "add project: PROJECT_ID"
			if name == "location" {
				fix = "add location: global, or a region such as europe-west4"
			}
			c.faults.add(v.name, "`"+v.path+"` has no `"+name+"`, and an address of Vertex AI names it", fix)
		}
	}
	file, text, keys := v.get("credentials_file"), v.get("credentials"), v.get("keys")
	switch {
	case file.set() && text.set():
		c.faults.add(text.name, "`"+v.path+"` has both `credentials_file` and `credentials`", "keep one of the two")
	case (file.set() || text.set()) && keys.set():
		c.faults.add(keys.name, "`"+v.path+"` has both a service account and `keys`", "keep one of the two")
	case !file.set() && !text.set() && !keys.set() && at.base == "" && !v.meant["credentials_file"] && !v.meant["credentials"] && !v.meant["keys"]:
		c.faults.add(v.name, "`"+v.path+"` has no `credentials_file`, and Vertex AI asks for a service account", "add credentials_file: service-account.json")
	}
}

// account checks the file of a service account.
func (c *checker) account(file *value, b builder) {
	if data, ok := c.content(file, b); ok {
		if w := wrongAccount(data); w != nil {
			c.faults.add(file.at, subjectOf(file)+" "+w.message, w.fix)
		}
	}
}

func (c *checker) bedrock(v *value, at spot) {
	region := v.get("region")
	if region.set() || region.bad || v.meant["region"] || regionOf(at.base) != "" {
		return
	}
	c.faults.add(v.name, "`"+v.path+"` has no `region`", "add region: us-east-1")
}

// providerKeys checks a provider's keys against how its kind takes them.
func (c *checker) providerKeys(v *value, vendor *Vendor) {
	keys := v.get("keys")
	first := map[string]pos{}
	for _, k := range keys.items {
		if as[string](k.get("value")) == callerWord {
			c.faults.add(k.at, "`"+k.path+"` is the word for keys of the callers' own", "write keys: caller, without the brackets")
		}
		if name := k.get("name"); name.set() && !name.bad {
			if at, taken := first[as[string](name)]; taken {
				c.faults.add(name.at, fmt.Sprintf("`%s` is the name of another key of this provider, too, at line %d", name.path, at.line), "give each key a name of its own")
			} else {
				first[as[string](name)] = name.at
			}
		}
		for _, part := range awsParts {
			if f := k.get(part); f.set() && vendor.Auth != "aws" {
				c.faults.add(f.name, "`"+f.path+"` is for kind bedrock, and this provider's is "+vendor.Kind, `write value: "${API_KEY}" in its place`)
				break
			}
		}
	}
	if !vendor.NeedsKey || keys.bad || len(keys.items) > 0 || keys.v != nil || v.meant["keys"] || vendor.Kind == "vertex" {
		return
	}
	if base := v.get("base_url"); base.bad || base.set() && !vendor.owns(as[string](base)) {
		return // a server of another's, which may ask for no key
	}
	where, fix := vendor.Title, `add keys: ["${API_KEY}"]`
	if vendor.BaseURL != "" {
		where = vendor.BaseURL
	}
	if vendor.Kind == "bedrock" {
		fix = `add keys: [{access_key_id: "${AWS_ACCESS_KEY_ID}", secret_access_key: "${AWS_SECRET_ACCESS_KEY}"}]`
	}
	c.faults.add(v.name, "`"+v.path+"` has no `keys`, and "+where+" asks for one", fix)
}

// ownFields refuses headers that carry the key: they are written from keys.
func (c *checker) ownFields(v *value) {
	set := v.get("headers").get("set")
	for _, name := range set.names {
		switch strings.ToLower(name) {
		case "authorization", "x-api-key", "x-goog-api-key", "api-key":
			c.faults.add(set.keyAt[name], "`"+join(set.path, name)+"` carries a provider's key, which is written from `keys`", `remove it, and write keys: ["${API_KEY}"]`)
		}
	}
}

// awsParts are the members of a pair of AWS keys.
var awsParts = []string{"access_key_id", "secret_access_key", "session_token"}

// checkProviderKey holds the members of one key to each other.
func checkProviderKey(c *checker, v *value) {
	plain := v.fields["value"] != nil || v.fields["sealed"] != nil || v.meant["value"]
	aws := slices.ContainsFunc(awsParts, func(part string) bool { return v.fields[part] != nil || v.meant[part] })
	switch {
	case plain && aws:
		c.faults.add(v.at, "`"+v.path+"` has both `value` and a pair of AWS keys", "keep one of the two")
	case plain:
	case !aws:
		c.faults.add(v.at, "`"+v.path+"` has no `value`", `add value: "${API_KEY}"`)
	default:
		for _, part := range awsParts[:2] {
			if v.fields[part] == nil && !v.meant[part] {
				c.faults.add(v.at, "`"+v.path+"` has no `"+part+"`", `add `+part+`: "${AWS_`+strings.ToUpper(part)+`}"`)
			}
		}
	}
}
