package catalog

import (
	"net/url"
	"strings"
)

// spot is what a provider's address is made of, besides its vendor.
type spot struct {
	base     string // as the file has it, without a slash at its end; "" where it has none
	version  string // api_version
	region   string
	project  string
	location string
}

// address is the base URL of a provider of this vendor: with its version path where OpenAI's dialect is
// spoken, else its root. The other form of base is understood too. "" where there is none.
func (v *Vendor) address(at spot) string {
	switch v.Kind {
	case "azure-openai":
		return azureAddress(at)
	case "vertex":
		return vertexAddress(at)
	case "bedrock":
		return bedrockAddress(at)
	}
	if at.base == "" {
		return v.BaseURL
	}
	switch v.Speaks() {
	case dialectAnthropic:
		return without(at.base, "/v1/messages", "/v1")
	case dialectGemini:
		return without(at.base, "/v1beta/openai", "/v1beta/models", "/v1beta", "/v1alpha", "/v1")
	case dialectCohere:
		return without(at.base, "/v2/chat", "/v2", "/compatibility/v1", "/v1")
	case dialectOllama:
		return without(at.base, "/api/chat", "/api", "/v1")
	case dialectBedrock:
		return at.base
	}
	base := without(at.base, "/chat/completions")
	if v.Kind == "ollama" {
		base = without(base, "/api/chat", "/api")
	}
	if pathOf(base) != "" {
		return base
	}
	path := "/v1"
	if own, err := url.Parse(v.BaseURL); err == nil && own.Host != "" {
		path = own.Path
	}
	return base + path
}

// without is base without the first of these ends that it has, for a base URL of which the caller wrote
// more than is wanted.
func without(base string, ends ...string) string {
	for _, end := range ends {
		if short, ok := strings.CutSuffix(base, end); ok && strings.Contains(short, "://") && !strings.HasSuffix(short, "/") {
			return short
		}
	}
	return base
}

// pathOf is the path of a URL without the slash at its end.
func pathOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// datedAPI tells whether an api_version of Azure's is one of those with a date: there deployments stand in
// the path. The others ("", v1, preview, latest) are those of the v1 API, where they stand in the body.
func datedAPI(version string) bool { return version != "" && version[0] >= '0' && version[0] <= '9' }

// azureAddress is the resource's root for the API with dated versions, and its /openai/v1 for the v1
// API. Other paths, such as that of Foundry's /models, stand as they are.
func azureAddress(at spot) string {
	if at.base == "" {
		return ""
	}
	root := without(at.base, "/openai/v1", "/openai")
	switch {
	case pathOf(root) != "":
		return at.base
	case datedAPI(at.version):
		return root
	}
	return root + "/openai/v1"
}

// vertexAddress is the root of the location's endpoint, unless another is given.
// Source: cloud.google.com/vertex-ai/generative-ai/docs/learn/locations.
func vertexAddress(at spot) string {
	if at.base != "" {
		root, _, _ := strings.Cut(at.base, "/projects/")
		return without(root, "/v1", "/v1beta1")
	}
	switch at.location {
	case "":
		return ""
	case "global":
		return "https://aiplatform.googleapis.com"
	case "us", "eu": // the two multi-regions
		return "https://aiplatform." + at.location + ".rep.googleapis.com"
	}
	return "https://" + at.location + "-aiplatform.googleapis.com"
}

// namedIn is what stands behind a word in a path: "p" for "/projects/" in ".../projects/p/locations/l".
func namedIn(base, word string) string {
	_, rest, _ := strings.Cut(base, word)
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// bedrockAddress is the region's own, unless another is given.
func bedrockAddress(at spot) string {
	switch {
	case at.base != "":
		return at.base
	case at.region == "":
		return ""
	case strings.HasPrefix(at.region, "cn-"):
		return "https://bedrock-runtime." + at.region + ".amazonaws.com.cn"
	}
	return "https://bedrock-runtime." + at.region + ".amazonaws.com"
}

// regionOf is the AWS region that a Bedrock address names, "" when it names none.
func regionOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	labels := strings.Split(u.Hostname(), ".")
	for i, label := range labels {
		if strings.HasPrefix(label, "bedrock-runtime") && i+1 < len(labels) && strings.Count(labels[i+1], "-") >= 2 {
			return labels[i+1]
		}
	}
	return ""
}

// owns tells whether an address is of the vendor's own hosts.
func (v *Vendor) owns(base string) bool {
	own := v.BaseURL
	if own == "" {
		own = v.Example
	}
	return own != "" && domainOf(own) == domainOf(base)
}

// domainOf is the end of a URL's host that tells whose it is: "azure.com".
func domainOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	labels := strings.Split(strings.ToLower(u.Hostname()), ".")
	return strings.Join(labels[max(len(labels)-2, 0):], ".")
}
