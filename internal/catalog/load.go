package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Load reads the configuration file at path, with the environment variables that env knows
// (os.LookupEnv, usually). The error is not nil only when the file can't be read. With faults the
// Catalog is nil. The certificate files that the configuration names are read, too, to see that
// they are there and belong together.
func Load(path string, env func(string) (string, bool)) (*Catalog, Faults, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close() // opened for reading: nothing is lost
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	c, faults := parse(path, data, env, (*checker).files)
	return c, faults, nil
}

// Parse is Load for a file that is in memory already. name is what faults call it, and its folder
// is where the files that it names are taken from; Parse itself reads no file, so it does not see
// whether they are there.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Catalog, Faults) {
	return parse(name, data, env, nil)
}

// Default is the configuration without a file: all defaults, no services and no applications, and
// the sandbox as the only provider.
func Default() *Catalog {
	c, faults := Parse("defaults", []byte("version: 1"), func(string) (string, bool) { return "", false })
	if len(faults) > 0 {
		panic("the embedded defaults are not valid: " + faults.String()) // a test holds them valid
	}
	c.Hash = ""
	return c
}

// OpenService is a service with every default that is open to everyone and takes every path to one
// target: what "causeway proxy URL" serves. Its route /* leaves the gateway's own paths alone, as
// longer routes win; a file can't have it without hosts. The error says what is wrong with target.
func OpenService(name, target string) (*Service, error) {
	scalar := func(text string) *node { return &node{kind: stringNode, text: text, size: 1} }
	mapping := func(key string, v *node) *node { return &node{kind: mapNode, fields: []field{{key: key, value: v}}} }
	list := func(item *node) *node { return &node{kind: listNode, items: []*node{item}} }
	tree := mapping("access", scalar("open"))
	tree.fields = append(tree.fields,
		field{key: "routes", value: list(mapping("path", scalar("/*")))},
		field{key: "upstream", value: mapping("targets", list(mapping("url", scalar(target))))})

	root := fileShape()
	c := &checker{faults: &faultList{}, root: &root, defaults: map[*key]*value{}}
	v := c.check(tree, root.find("services").shape.of, "", pos{})
	if len(c.faults.list) > 0 {
		_, w := targetURL().parse(target)
		return nil, fmt.Errorf("%q %s: %s", target, w.message, w.fix)
	}
	return builder{}.service(name, v), nil
}

func parse(name string, data []byte, env func(string) (string, bool), files func(*checker, *value, builder)) (*Catalog, Faults) {
	faults := &faultList{file: name}
	tree, aliases := readYAML(faults, data, env)
	if tree == nil {
		return nil, faults.list.sorted()
	}
	if tree.kind != mapNode {
		faults.add(tree.at, "the file is "+tree.kind.String()+", and a configuration is a mapping", "begin with version: 1")
		return nil, faults.list.sorted()
	}
	shape := fileShape()
	c := &checker{faults: faults, root: &shape, defaults: map[*key]*value{}}
	if aliases {
		c.done = map[checked]bool{}
	}
	root := c.check(tree, &shape, "", tree.at)
	c.routes(root)
	c.references(root)
	c.certificates(root)
	b := builder{folder: filepath.Dir(name)}
	if files != nil {
		files(c, root, b)
	}
	if len(faults.list) > 0 {
		return nil, faults.list.sorted()
	}
	made := b.catalog(root)
	made.Providers[sandboxName] = sandbox(c)
	sum := sha256.Sum256(data)
	made.Hash = hex.EncodeToString(sum[:])
	return made, nil
}

// sandbox is the built-in provider, with every provider's defaults.
func sandbox(c *checker) *Provider {
	v := &value{fields: map[string]*value{}}
	of := c.root.find("providers").shape.of
	for _, name := range []string{"timeouts", "retries"} {
		v.fields[name] = c.defaultOf(of.find(name))
	}
	return &Provider{
		Name:     sandboxName,
		Kind:     sandboxName,
		Vendor:   SandboxVendor(),
		Protocol: "auto",
		Timeouts: limits(v.get("timeouts")),
		Retries:  retriesOf(v.get("retries")),
	}
}

// splitModel splits PROVIDER/MODEL at the first slash.
func splitModel(s string) (provider, model string) {
	provider, model, _ = strings.Cut(s, "/")
	return provider, model
}
