package joist_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// What the root go.mod may require. All of it is lifted into the build of every user, so that the list is short, and what
// joins it needs an entry in docs/decisions.md.
var (
	engineModule = "github.com/maypok86/otter/v2" // for cache alone

	// blockModules are what any block may depend on.
	blockModules = []string{
		"golang.org/x/sync",
		"go.opentelemetry.io/otel",
		"go.opentelemetry.io/otel/metric",
		"go.opentelemetry.io/otel/trace",
	}

	testModules = []string{
		"pgregory.net/rapid",
		"go.uber.org/goleak",
	}

	// indirectModules are what the others bring, with the module that does.
	indirectModules = map[string]string{
		"github.com/go-logr/logr":      "go.opentelemetry.io/otel",
		"github.com/go-logr/stdr":      "go.opentelemetry.io/otel",
		"go.opentelemetry.io/auto/sdk": "go.opentelemetry.io/otel/trace",
	}
)

func TestTheRootModuleRequiresOnlyWhatIsAllowed(t *testing.T) {
	if _, err := os.Stat("go.mod"); err != nil { // so that go test's cache knows what this test depends on
		t.Fatal(err)
	}
	out, err := goTool("mod", "edit", "-json")
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Module    struct{ Path string }
		Go        string
		Toolchain string
		Require   []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{ Old struct{ Path string } }
		Exclude []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path != modulePath || mod.Go != "1.26.0" {
		t.Errorf("module %s, go %s; want module %s, go 1.26.0", mod.Module.Path, mod.Go, modulePath)
	}
	if mod.Toolchain != "" {
		t.Errorf("go.mod has a toolchain line (%s): a library leaves the toolchain to its users", mod.Toolchain)
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod replaces %s: users of the module would not see that", r.Old.Path)
	}
	for _, e := range mod.Exclude {
		t.Errorf("go.mod excludes %s: users of the module would not see that", e.Path)
	}
	for _, r := range mod.Require {
		direct := r.Path == engineModule || slices.Contains(blockModules, r.Path) || slices.Contains(testModules, r.Path)
		indirect := r.Indirect && indirectModules[r.Path] != ""
		if !direct && !indirect {
			t.Errorf("go.mod requires %s (indirect: %v), which is not on the list", r.Path, r.Indirect)
		}
	}
}
