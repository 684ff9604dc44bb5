package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "causeway/"

// floors lists the packages of the house from the ground up. A package may import those on floors
// below its own; on its own floor only what crossings allows.
var floors = [][]string{
	{"internal/fault", "internal/catalog", "internal/journey", "internal/faulty"},
	{
		"internal/route", "internal/wire", "internal/upstream", "internal/policy", "internal/llm",
		"internal/coding", "internal/diagnose", "internal/history", "internal/child", "internal/host", "internal/shed", "internal/certs", "internal/meter", "internal/ledger", "internal/listen", "internal/identity", "internal/store",
		"internal/sign", "internal/fetch", "internal/responses", "internal/owner", "internal/choose", "internal/budget", "internal/price", "internal/tokens", "internal/mask", "internal/probe", "internal/logs", "internal/incident", "internal/hook", "internal/cache", "internal/drill",
	},
	{"internal/snapshot", "internal/gateway", "internal/admin", "internal/doctor", "internal/paste"},
	{"internal/app"},
	{"cmd/causeway"},
}

// crossings are the imports between packages of one floor that are part of the plan.
var crossings = map[string][]string{
	"internal/journey": {"internal/fault"},
	"internal/catalog": {"internal/fault"}, // hooks are for kinds of failures
	"internal/faulty":  {"internal/fault"},
	"internal/gateway": {"internal/snapshot"},
	"internal/doctor":  {"internal/snapshot"},
}

// walls are imports that a package must not reach, even through others.
var walls = map[string][]string{
	"internal/gateway":  {"causeway/internal/store", "causeway/internal/admin", "causeway/web", "database/sql"},
	"internal/snapshot": {"causeway/internal/store", "causeway/internal/admin", "causeway/web", "database/sql"},
	"internal/admin":    {"causeway/internal/gateway", "causeway/internal/store"},
	"internal/diagnose": {"net", "net/http", "os"},
	"internal/fault":    {"net", "net/http", "os"},
	"internal/wire":     {"net/http/httputil"},
}

// pkg is one package of the module, without its tests.
type pkg struct {
	path    string // "internal/wire"
	files   []string
	imports []string
	doc     bool
}

func load(t *testing.T) map[string]*pkg {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pkgs := map[string]*pkg{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || name == "node_modules" || name == "tools" || strings.HasPrefix(name, ".") && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		p := pkgs[dir]
		if p == nil {
			p = &pkg{path: dir}
			pkgs[dir] = p
		}
		p.files = append(p.files, path)
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		p.doc = p.doc || file.Doc != nil
		for _, i := range file.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if !slices.Contains(p.imports, name) {
				p.imports = append(p.imports, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// floorOf returns the floor of a package or of the package that it is a part of; -1 for what has none.
func floorOf(path string) (floor int, owner string) {
	for i, f := range floors {
		for _, name := range f {
			if path == name || strings.HasPrefix(path, name+"/") {
				return i, name
			}
		}
	}
	return -1, path
}

func TestImportsGoDownTheFloors(t *testing.T) {
	for _, p := range load(t) {
		floor, owner := floorOf(p.path)
		if floor < 0 {
			continue
		}
		for _, name := range p.imports {
			if !strings.HasPrefix(name, module) {
				continue
			}
			name = strings.TrimPrefix(name, module)
			f, o := floorOf(name)
			if o == owner || f >= 0 && f < floor || slices.Contains(crossings[owner], o) || name == "web" && floor >= 3 {
				continue
			}
			t.Errorf("%s (floor %d) imports %s (floor %d)", p.path, floor, name, f)
		}
	}
}

func TestNobodyReachesThroughAWall(t *testing.T) {
	pkgs := load(t)
	var reach func(path string, seen map[string]bool, trail []string, forbidden []string)
	reach = func(path string, seen map[string]bool, trail, forbidden []string) {
		if seen[path] || pkgs[path] == nil {
			return
		}
		seen[path] = true
		for _, name := range pkgs[path].imports {
			// net/netip and net/url are values without sockets; only the names themselves are walls.
			if slices.Contains(forbidden, name) {
				t.Errorf("%s reaches %s", strings.Join(append(trail, path), " -> "), name)
			}
			if strings.HasPrefix(name, module) {
				reach(strings.TrimPrefix(name, module), seen, append(trail, path), forbidden)
			}
		}
	}
	for path, forbidden := range walls {
		reach(path, map[string]bool{}, nil, forbidden)
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	for _, p := range load(t) {
		if !p.doc {
			t.Errorf("%s has no package comment", p.path)
		}
	}
}

func TestEveryInternalPackageHasAFloor(t *testing.T) {
	for _, p := range load(t) {
		if floor, _ := floorOf(p.path); floor < 0 && strings.HasPrefix(p.path, "internal/") && p.path != "internal/arch" {
			t.Errorf("%s stands on no floor; add it to the list", p.path)
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, p := range load(t) {
		for _, path := range p.files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s has an init function: what exists is an explicit list", path)
				}
			}
		}
	}
}

func TestFilesAreOneSubject(t *testing.T) {
	const most = 600
	for _, p := range load(t) {
		for _, path := range p.files {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), "\n"); n > most {
				t.Errorf("%s has %d lines; more than %d is more than one subject", path, n, most)
			}
		}
	}
}
