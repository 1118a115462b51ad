package joist_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goBlocks returns the blocks of Go code of a page.
func goBlocks(page string) []string {
	var blocks []string
	for {
		_, rest, found := strings.Cut(page, "```go\n")
		code, after, closed := strings.Cut(rest, "```\n")
		if !found || !closed {
			return blocks
		}
		blocks = append(blocks, code)
		page = after
	}
}

// guidePackages are what the code of a guide may use without an import.
var guidePackages = map[string]string{
	"bytes": "bytes", "context": "context", "errors": "errors", "iter": "iter", "log": "log", "http": "net/http", "netip": "net/netip", "strings": "strings", "time": "time",
	"balance":       modulePath + "/pool/balance",
	"batch":         modulePath + "/pool/batch",
	"breaker":       modulePath + "/breaker",
	"breakerhttp":   modulePath + "/breaker/breakerhttp",
	"bulkhead":      modulePath + "/pool/bulkhead",
	"bulkheadhttp":  modulePath + "/pool/bulkhead/bulkheadhttp",
	"flight":        modulePath + "/pool/flight",
	"joist":         modulePath,
	"pool":          modulePath + "/pool",
	"ratelimit":     modulePath + "/ratelimit",
	"ratelimithttp": modulePath + "/ratelimit/ratelimithttp",
	"retry":         modulePath + "/retry",
	"retryhttp":     modulePath + "/retry/retryhttp",
	"throttle":      modulePath + "/breaker/throttle",
}

// theReaders is what a reader has already: a type and three calls. The functions of a guide stand in for them.
const theReaders = `
type User struct{ ID int64 }

func fetch(ctx context.Context, id int64) (User, error) { return User{id}, ctx.Err() }
func call(ctx context.Context) error                    { return ctx.Err() }

func fetchMany(ctx context.Context, ids []int64) (map[int64]User, error) { return make(map[int64]User, len(ids)), ctx.Err() }
`

// guideFile makes a file of one block, in which everything is declared at the top.
func guideFile(code string) string {
	code += theReaders
	var file strings.Builder
	file.WriteString("package guide\n\n")
	for name, path := range guidePackages {
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(code) {
			fmt.Fprintf(&file, "import %q\n", path)
		}
	}
	return file.String() + code
}

func guides(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("docs/guides/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no guides: %v", err)
	}
	return pages
}

// Each block of code of a guide is a package: an overlay puts it where the module's packages can be imported, and nothing
// is written into the tree.
func TestTheCodeOfEveryGuideBuilds(t *testing.T) {
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	packages := []string{}
	for _, page := range guides(t) {
		blocks := goBlocks(read(t, page))
		if len(blocks) == 0 {
			t.Errorf("%s has no code", page)
		}
		for i, code := range blocks {
			name := fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(page), ".md"), i+1)
			file := filepath.Join(dir, name+".go")
			if err := os.WriteFile(file, []byte(guideFile(code)), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay["Replace"][filepath.Join(here, "docs", "guides", name, "guide.go")] = file
			packages = append(packages, "./docs/guides/"+name)
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", append([]string{"build", "-overlay", list}, packages...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// What the packages are built from: without a look at it, go test would take the result from its cache.
	for _, block := range []string{"breaker", "pool", "ratelimit", "retry"} {
		err := filepath.WalkDir(block, func(file string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(file, ".go") {
				_, err = os.ReadFile(file)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
}

var (
	guideLink    = regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)
	guideHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchors = regexp.MustCompile(`[^a-z0-9 -]`)
	codeOnPages  = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

func TestTheLinksOfTheGuidesLeadSomewhere(t *testing.T) {
	for _, page := range append(guides(t), "README.md") {
		for _, link := range guideLink.FindAllStringSubmatch(codeOnPages.ReplaceAllString(read(t, page), "code"), -1) {
			target := filepath.Join(filepath.Dir(page), link[1])
			switch {
			case strings.Contains(link[1], "://"):
				continue
			case link[1] == "":
				target = page
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", page, link[0], err)
				continue
			}
			if link[2] == "" {
				continue
			}
			anchors := map[string]bool{}
			for _, h := range guideHeading.FindAllStringSubmatch(codeOnPages.ReplaceAllString(read(t, target), ""), -1) {
				anchors[strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
			}
			if !anchors[link[2]] {
				t.Errorf("%s: there is no heading for %s", page, link[0])
			}
		}
	}
}
