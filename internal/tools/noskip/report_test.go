package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module with one test file into a temporary directory and returns it.
func module(t *testing.T, body string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.org/m\n\ngo 1.26.0\n",
		"m.go":      "package m\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\n" + body,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAPassingPackagePrintsItsClosingLineAlone(t *testing.T) {
	dir := module(t, `func TestA(t *testing.T) { t.Log("quiet") }`)
	var out bytes.Buffer
	code, err := run(dir, []string{"./..."}, true, &out)
	if code != 0 || err != nil {
		t.Fatalf("exit code %d, error %v", code, err)
	}
	if got := out.String(); !strings.HasPrefix(got, "ok  \texample.org/m\t") || strings.Count(got, "\n") != 1 {
		t.Fatalf("printed %q", got)
	}
}

func TestAFailingPackagePrintsWhatItsFailedTestsSaid(t *testing.T) {
	dir := module(t, `
func TestA(t *testing.T) { t.Log("quiet") }
func TestB(t *testing.T) { t.Error("wrong answer") }`)
	var out bytes.Buffer
	code, err := run(dir, []string{"./..."}, true, &out)
	if code != 1 || err != nil {
		t.Fatalf("exit code %d, error %v", code, err)
	}
	got := out.String()
	for _, want := range []string{"--- FAIL: TestB", "wrong answer", "FAIL\texample.org/m"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "quiet") {
		t.Errorf("what a passing test said is in\n%s", got)
	}
}

func TestASkippedTestFailsWhereSkippingIsForbidden(t *testing.T) {
	dir := module(t, `func TestA(t *testing.T) { t.Skip("not today") }`)
	for _, strict := range []bool{false, true} {
		var out bytes.Buffer
		code, err := run(dir, []string{"./..."}, strict, &out)
		if failed := code == 1 && err != nil; failed != strict {
			t.Errorf("strict %v: exit code %d, error %v", strict, code, err)
		}
		if !strings.Contains(out.String(), "SKIPPED example.org/m TestA") {
			t.Errorf("strict %v: the skipped test is not named in\n%s", strict, &out)
		}
	}
}

func TestACodeThatDoesNotCompileIsShown(t *testing.T) {
	dir := module(t, `func TestA(t *testing.T) { nothing() }`)
	var out bytes.Buffer
	code, err := run(dir, []string{"./..."}, true, &out)
	if code == 0 || err != nil {
		t.Fatalf("exit code %d, error %v", code, err)
	}
	if !strings.Contains(out.String(), "undefined: nothing") {
		t.Errorf("the compiler's message is not in\n%s", &out)
	}
}

func TestAPanicIsShown(t *testing.T) {
	dir := module(t, `func TestA(t *testing.T) { panic("at the disco") }`)
	var out bytes.Buffer
	if code, err := run(dir, []string{"./..."}, true, &out); code == 0 || err != nil {
		t.Fatalf("exit code %d, error %v", code, err)
	}
	if !strings.Contains(out.String(), "at the disco") {
		t.Errorf("the panic is not in\n%s", &out)
	}
}
