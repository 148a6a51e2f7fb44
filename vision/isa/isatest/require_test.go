package isatest

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tirewatch/vision/isa"
)

func TestMain(m *testing.M) { MainSets(m) }

func TestCheck(t *testing.T) {
	old := Bodies{Built: []string{"avx512vnni", "avx2", "generic"}, Have: []string{"avx2", "generic"}}
	young := Bodies{Built: old.Built, Have: old.Built}
	for _, c := range []struct {
		name             string
		bodies           Bodies
		require, ran     string
		missing, lacking string
	}{
		{"nothing required", young, "", "", "", ""},
		{"auto, all exercised", young, "auto", "avx512vnni avx2 generic", "", ""},
		{"auto, one not exercised", young, "auto", "avx2 generic", "avx512vnni", ""},
		{"auto, none exercised", young, "auto", "", "avx2 avx512vnni generic", ""},
		{"auto on a CPU that lacks one", old, "auto", "avx2 generic", "", "avx512vnni"},
		{"auto on such a CPU, one not exercised", old, "auto", "generic", "avx2", "avx512vnni"},
		{"a name", young, "avx2", "avx2", "", ""},
		{"a name that was not exercised", young, "avx2", "generic", "avx2", ""},
		{"a name that the CPU lacks", old, "avx2,avx512vnni", "avx2 generic", "avx512vnni", ""},
		{"a misspelt name", old, "avx22", "avx2 generic", "avx22", ""},
		{"auto and a name", old, "auto,avx512vnni", "generic", "avx2 avx512vnni", "avx512vnni"},
		{"auto and a name that it contains", old, "avx2,auto", "generic", "avx2", "avx512vnni"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(RequireEnv, c.require)
			ran := strings.Fields(c.ran)
			missing, lacking := c.bodies.check(required(), func(name string) bool { return slices.Contains(ran, name) })
			if !slices.Equal(missing, strings.Fields(c.missing)) || !slices.Equal(lacking, strings.Fields(c.lacking)) {
				t.Errorf("missing %q, lacking %q; want %q, %q", missing, lacking, c.missing, c.lacking)
			}
		})
	}
}

func TestEachSet(t *testing.T) {
	set := isa.Generic
	EachSet(t, &set, func(t *testing.T) {
		if t.Name() != "TestEachSet/"+set.String() {
			t.Errorf("set is %v", set)
		}
	})
}

func TestSkippedIsNotExercised(t *testing.T) {
	Exercise(t, "mmx", func(t *testing.T) { t.Skip("this machine has no MMX") })
	if _, ok := exercised.Load("mmx"); ok {
		t.Error("a body whose test was skipped counts as exercised")
	}
}

// The whole way, with the binary of this test: a run of all sets passes, a run of none names each.
func TestMainFails(t *testing.T) {
	run := func(require, tests string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run", tests)
		cmd.Env = append(os.Environ(), RequireEnv+"="+require)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	every := "^TestEachSet$"
	if out, err := run(auto, every); err != nil {
		t.Fatalf("all sets exercised: %v\n%s", err, out)
	}
	for require, tests := range map[string]string{auto: "^$", "avx2,neon": every} {
		if out, err := run(require, tests); err == nil || !strings.Contains(out, "was not exercised") {
			t.Errorf("%s=%s with -run %s: error %v\n%s", RequireEnv, require, tests, err, out)
		}
	}
	out, _ := run(auto, "^$")
	for _, s := range isa.Have() {
		if n := strings.Count(out, "kernel "+s.String()+" was not exercised"); n != 1 {
			t.Errorf("%v is named %d times in\n%s", s, n, out)
		}
	}
	if out, err := run("sdot,avx512vnni", "^$"); err != nil {
		t.Errorf("names of kernels are not ignored: %v\n%s", err, out)
	}
}

// A package with assembly that no run checks would be tested on no other CPU than the developer's.
func TestEveryPackageIsChecked(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".s" {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil || checked[dir] {
			return err
		}
		checked[dir] = true
		if !slices.Contains(strings.Fields(string(makefile)), filepath.ToSlash(dir)) {
			t.Errorf("make test-kernels does not test %s", dir)
		}
		tests, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(tests, func(name string) bool {
			text, err := os.ReadFile(name)
			return err == nil && bytes.Contains(text, []byte("isatest.Main"))
		}) {
			t.Errorf("the tests of %s have no TestMain with isatest.Main", dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(checked) < 6 {
		t.Errorf("found assembly only in %v", checked)
	}
}
