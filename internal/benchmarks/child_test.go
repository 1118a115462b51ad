package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

func TestAChildAnswersEachLineWithOne(t *testing.T) {
	var out strings.Builder
	in := strings.NewReader("allocs serial 0\nrun serial 1000\nrun parallel 1000\n")
	if err := serveChild("bulkhead/do", in, &out); err != nil {
		t.Fatal(err)
	}
	var allocs, inOne, inAll float64
	if n, err := fmt.Sscan(out.String(), &allocs, &inOne, &inAll); n != 3 || err != nil {
		t.Fatalf("answered %q: %v", out.String(), err)
	}
	if allocs != 0 || inOne <= 0 || inAll <= 0 {
		t.Errorf("%v allocations, %v ns in one goroutine, %v ns in all", allocs, inOne, inAll)
	}
}

func TestAChildDoesNotGuess(t *testing.T) {
	if err := serveChild("bulkhead/none", strings.NewReader(""), &bytes.Buffer{}); err == nil {
		t.Error("a case that there is not was served")
	}
	for _, line := range []string{"", "run", "run serial", "run serial x", "run sideways 5", "walk serial 5"} {
		if err := serveChild("bulkhead/do", strings.NewReader(line+"\n"), &bytes.Buffer{}); err == nil {
			t.Errorf("%q was answered", line)
		}
	}
}

// exported returns the signatures of a file's exported functions and methods and the names of its exported types.
func exported(t *testing.T, path string) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	text := func(node any) string {
		var b strings.Builder
		if err := printer.Fprint(&b, files, node); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	found := make(map[string]string)
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if !d.Name.IsExported() {
				continue
			}
			name := d.Name.Name
			if d.Recv != nil {
				name = text(d.Recv.List[0].Type) + "." + name
			}
			var types []string
			for _, list := range []*ast.FieldList{d.Type.Params, d.Type.Results} {
				types = append(types, "|")
				if list == nil {
					continue
				}
				for _, field := range list.List {
					for range max(1, len(field.Names)) {
						types = append(types, text(field.Type))
					}
				}
			}
			found[name] = strings.Join(types, " ")
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
					found[s.Name.Name] = "type"
				}
			}
		}
	}
	return found
}

func TestTheSilentCounterExportsWhatTheRealOneDoes(t *testing.T) {
	realOne := exported(t, filepath.Join("..", "telemetry", "cell.go"))
	silent := exported(t, filepath.Join("nocounters", "cell.go"))
	if len(realOne) < 4 {
		t.Fatalf("only %v found: is cell.go still what it was?", realOne)
	}
	if !maps.Equal(realOne, silent) {
		t.Errorf("the real one exports %v\nthe silent one %v", realOne, silent)
	}
}
