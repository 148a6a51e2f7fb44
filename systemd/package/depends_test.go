package packages_test

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// library splits the name of a library in an ELF header, libNAME.so.VERSION, into the two fields of
// a shlibs file.
func library(t *testing.T, soname string) (name, version string) {
	t.Helper()
	name, version, ok := strings.Cut(soname, ".so.")
	if !ok {
		t.Fatalf("library %s has no version", soname)
	}
	return name, version
}

// needed returns the libraries in the ELF header of a program, without readelf.
func needed(t *testing.T, program string) []string {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A package depends on exactly the libraries in the program's header. A library without a package
// is an error.
func TestDepends(t *testing.T) {
	if _, err := exec.LookPath("readelf"); err != nil {
		t.Skip("readelf is not installed: apt install binutils")
	}
	const program = "/bin/ls"
	libraries := needed(t, program)
	if len(libraries) < 2 {
		t.Fatalf("%s needs %v; want a program with several libraries", program, libraries)
	}
	depends := func(lines []string) (string, error) {
		shlibs := filepath.Join(t.TempDir(), "shlibs")
		if err := os.WriteFile(shlibs, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("./depends", program, shlibs).CombinedOutput()
		return strings.TrimSuffix(string(out), "\n"), err
	}

	lines := []string{"libother 1 other (>= 9)"} // not needed by the program
	var want []string
	for i, l := range libraries {
		name, version := library(t, l)
		dependency := fmt.Sprintf("package%d (>= 1.%d)", i, i)
		lines = append(lines, name+" 0"+version+" wrong-version", name+"x "+version+" wrong-name",
			name+" "+version+" "+dependency)
		want = append(want, dependency)
	}
	slices.Sort(want)
	if got, err := depends(lines); err != nil || got != strings.Join(want, ", ") {
		t.Errorf("got %q, %v\nwant %q", got, err, strings.Join(want, ", "))
	}

	// Two libraries of one package are one dependency.
	var same []string
	for _, l := range libraries {
		name, version := library(t, l)
		same = append(same, name+" "+version+" all-of-them (>= 3)")
	}
	if got, err := depends(same); err != nil || got != "all-of-them (>= 3)" {
		t.Errorf("one package: got %q, %v", got, err)
	}

	name, version := library(t, libraries[0])
	if got, err := depends(same[1:]); err == nil || !strings.Contains(got, "no package contains "+name+".so."+version) {
		t.Errorf("a library without a package: got %q, %v", got, err)
	}
}
