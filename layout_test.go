package joist_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const modulePath = "github.com/joist-go/joist"

// goPackage is what these tests need of one package as `go list` tells it. Imports and Deps leave test files out: tests
// may use what they like, as long as the root go.mod allows it.
type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
	Module     *struct{ Path string }
}

// listed holds every package of the module together with all that they depend on.
var listed = sync.OnceValues(func() ([]goPackage, error) {
	// go test takes a result from its cache unless a file changed that the test itself looked at. This test looks
	// through the eyes of go list, so it has to look at the directories too.
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && dir != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out, err := goTool("list", "-deps", "-json=ImportPath,Imports,Deps,Standard,Module", "./...")
	if err != nil {
		return nil, err
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

func goTool(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out, nil
}

func TestPackagesImportOnlyWhatTheLayoutAllows(t *testing.T) {
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range layoutFaults(all) {
		t.Error(fault)
	}
	if !slices.ContainsFunc(all, func(p goPackage) bool { return p.ImportPath == modulePath }) {
		t.Error("go list did not list the root package: nothing was checked")
	}
}

// The tests above pass on a module without faults. This one shows that the check finds each kind of fault, on a module
// that has them all.
func TestTheLayoutCheckFindsEachKindOfFault(t *testing.T) {
	other := &struct{ Path string }{Path: "example.org/other"}
	redis := &struct{ Path string }{Path: "github.com/redis/go-redis/v9"}
	engine := &struct{ Path string }{Path: "github.com/maypok86/otter/v2"}
	in := func(rel string, imports ...string) goPackage {
		return goPackage{ImportPath: modulePath + "/" + rel, Imports: imports, Deps: imports}
	}
	foreign := []goPackage{
		{ImportPath: "net/http", Standard: true},
		{ImportPath: "example.org/other/x", Module: other},
		{ImportPath: "github.com/redis/go-redis/v9", Module: redis},
		{ImportPath: "github.com/maypok86/otter/v2", Module: engine},
	}
	tests := []struct {
		name string
		pkg  goPackage
		want string // part of the fault, "" for none
	}{
		{"a block with net/http", in("retry", "net/http"), "net/http"},
		{"an adapter with net/http", in("retry/retryhttp", "net/http", modulePath+"/retry"), ""},
		{"a block with go-redis", in("cache", "github.com/redis/go-redis/v9"), "go-redis"},
		{"a Redis half with go-redis", in("cache/cacheredis", "github.com/redis/go-redis/v9"), ""},
		{"a block with another module", in("pool", "example.org/other/x"), "example.org/other"},
		{"the cache with its engine", in("cache", "github.com/maypok86/otter/v2"), ""},
		{"another block with the engine", in("retry", "github.com/maypok86/otter/v2"), "otter"},
		{"the cache on flights", in("cache", modulePath+"/pool/flight"), ""},
		{"a block on another block", in("retry", modulePath+"/breaker"), "arrows point down"},
		{"internal on a block", in("internal/clock", modulePath+"/breaker"), "arrows point down"},
		{"internal on internal", in("internal/telemetry", modulePath+"/internal/clock"), ""},
		{"the contract suite on a block", in("internal/contract", modulePath+"/breaker"), ""},
		{"a block on the contract suite", in("breaker", modulePath+"/internal/contract"), "arrows point down"},
		{"a suite on its block", in("ratelimit/limittest", modulePath+"/ratelimit"), ""},
		{"an adapter on an adapter", in("breaker/breakerhttp", modulePath+"/retry/retryhttp"), "arrows point down"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := layoutFaults(append([]goPackage{tt.pkg}, foreign...))
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("faults %q, want none", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("faults %q, want one that names %q", got, tt.want)
			}
		})
	}
}

// layoutFaults says what the packages of this module in all import that the layout forbids, one sentence each.
func layoutFaults(all []goPackage) []string {
	owner := map[string]string{} // import path to the module that it comes from, other than this one and Go's own
	for _, p := range all {
		if !p.Standard && p.Module != nil && p.Module.Path != modulePath {
			owner[p.ImportPath] = p.Module.Path
		}
	}
	var faults []string
	for _, p := range all {
		rel, ours := inModule(p.ImportPath)
		if !ours {
			continue
		}
		for _, imported := range p.Imports {
			if to, ours := inModule(imported); ours && !mayImport(rel, to) {
				faults = append(faults, fmt.Sprintf("%s imports %s: arrows point down only", rel, to))
			}
			if (imported == "net/http" || strings.HasPrefix(imported, "net/http/")) && !adapts(rel, "http") {
				faults = append(faults, fmt.Sprintf("%s imports %s: only …http packages may", rel, imported))
			}
		}
		reached := map[string]bool{}
		for _, dep := range p.Deps {
			if module := owner[dep]; module != "" && !reached[module] && !mayReach(rel, module) {
				reached[module] = true
				faults = append(faults, fmt.Sprintf("%s reaches the module %s (package %s)", rel, module, dep))
			}
		}
	}
	return faults
}

func inModule(importPath string) (rel string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// adapts tells whether the package adapts a block to a technology: its name is a block's name and the technology's.
func adapts(rel, technology string) bool {
	return path.Base(rel) != technology && strings.HasSuffix(path.Base(rel), technology)
}

// level orders the packages: an import goes from a higher level to a lower one.
func level(rel string) int {
	switch {
	case rel == "internal/contract": // the suite that runs the contracts against every block
		return 4
	case strings.HasPrefix(rel, "internal/"):
		return 1
	case adapts(rel, "http"), adapts(rel, "redis"), adapts(rel, "test"):
		return 3
	default:
		return 2
	}
}

func mayImport(from, to string) bool {
	switch {
	case from == "cache" && to == "pool/flight":
		return true
	case level(from) == 1 && level(to) == 1: // Go itself forbids circles
		return true
	default:
		return level(from) > level(to)
	}
}

// mayReach tells whether the package may depend on the module, directly or not.
func mayReach(rel, module string) bool {
	switch {
	case slices.Contains(blockModules, module), indirectModules[module] != "":
		return true
	case module == engineModule:
		return rel == "cache" || level(rel) >= 3
	case strings.HasPrefix(module, "github.com/redis/go-redis/"):
		return adapts(rel, "redis")
	default:
		return false
	}
}
