package catalog

import "cmp"

// providerOf is the vendor of a provider with what the file says otherwise of it, and its address.
func providerOf(v *value) (vendor Vendor, at spot, known bool) {
	vendor, known = Find(as[string](v.get("kind")))
	if !known {
		return vendor, at, false
	}
	at = spot{
		base: as[string](v.get("base_url")), version: as[string](v.get("api_version")), region: as[string](v.get("region")),
		project: as[string](v.get("project")), location: as[string](v.get("location")),
	}
	if vendor.Kind == "vertex" {
		at.project, at.location = cmp.Or(at.project, namedIn(at.base, "/projects/")), cmp.Or(at.location, namedIn(at.base, "/locations/"))
	}
	if d := as[string](v.get("dialect")); d != "" && d != vendor.Speaks() && vendor.mayChange() {
		vendor.BaseURL = vendor.Roots[d]
		vendor.Ops, vendor.Quirks = nil, Quirks{}
		vendor.Dialect = d
		if vendor.Kind == anyOpenAI {
			vendor.Auth = authOf(d)
		}
	}
	if a := as[string](v.get("auth")); a != "" {
		vendor.Auth = a
	}
	vendor.Quirks = quirksOf(v.get("quirks"), vendor.Quirks)
	return vendor, at, true
}

// mayChange tells whether another dialect than the vendor's first may be spoken to it.
func (v *Vendor) mayChange() bool { return v.Speaks() == dialectOpenAI && v.Kind != "azure-openai" }

// authOf is how keys are sent in a dialect by its own vendor.
func authOf(dialect string) string {
	switch dialect {
	case dialectAnthropic:
		return "x-api-key"
	case dialectGemini:
		return "x-goog-api-key"
	}
	return ""
}

// quirksOf are the row's with what the file says in their place.
func quirksOf(v *value, q Quirks) Quirks {
	word := func(name string, to *string, zero string) {
		if f := v.get(name); f.set() {
			if *to = as[string](f); *to == zero {
				*to = ""
			}
		}
	}
	flag := func(name string, to *bool) {
		if f := v.get(name); f.set() {
			*to = as[bool](f)
		}
	}
	list := func(name string, to *[]string) {
		if f := v.get(name); f.set() {
			*to = texts(f)
		}
	}
	word("max_tokens", &q.MaxTokens, "max_tokens")
	flag("developer", &q.Developer)
	flag("usage_always", &q.UsageAlways)
	list("refuses", &q.Refuses)
	if f := v.get("renames"); f.set() {
		q.Renames = stringMap(f)
	}
	list("has", &q.Has)
	word("any_tool", &q.AnyTool, "required")
	flag("no_schema", &q.NoSchema)
	word("thinking_in", &q.ThinkingIn, "")
	word("thinking_switch", &q.ThinkingSwitch, "reasoning_effort")
	list("efforts", &q.Efforts)
	flag("strict", &q.Strict)
	flag("no_image_url", &q.NoImageURL)
	flag("text", &q.Text)
	flag("short_call_ids", &q.ShortCallIDs)
	return q
}

func (b builder) provider(name string, v *value) *Provider {
	vendor, at, _ := providerOf(v)
	p := &Provider{
		Name:            name,
		Kind:            vendor.Kind,
		Vendor:          &vendor,
		BaseURL:         vendor.address(at),
		CallerKey:       as[string](v.get("keys")) == callerWord,
		Region:          at.region,
		Project:         at.project,
		Location:        at.location,
		Credentials:     Secret(as[string](v.get("credentials"))),
		CredentialsFile: b.file(as[string](v.get("credentials_file"))),
		APIVersion:      at.version,
		Headers:         stringMap(v.get("headers").get("set")),
		Timeouts:        limits(v.get("timeouts")),
		Retries:         retriesOf(v.get("retries")),
		TLS:             b.tls(v.get("tls")),
		Protocol:        as[string](v.get("protocol")),
		Models:          texts(v.get("models")),
	}
	if p.Region == "" && vendor.Kind == "bedrock" {
		p.Region = regionOf(p.BaseURL)
	}
	if d := stringMap(v.get("deployments")); len(d) > 0 {
		p.Deployments = d
	}
	for _, k := range v.get("keys").items {
		p.Keys = append(p.Keys, providerKey(k))
	}
	return p
}

func providerKey(k *value) ProviderKey {
	return ProviderKey{
		Value: Secret(as[string](k.get("value"))), Weight: number(k.get("weight")), Priority: number(k.get("priority")), Name: as[string](k.get("name")),
		AccessKeyID: as[string](k.get("access_key_id")), SecretAccessKey: Secret(as[string](k.get("secret_access_key"))), SessionToken: Secret(as[string](k.get("session_token"))),
	}
}
