package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// fixtures are the folders with files of other tools, absolute because scripts run elsewhere.
var fixtures = func() []string {
	var all []string
	for _, dir := range []string{"../../quantize/onnx/testdata", "../../quantize/npz/testdata"} {
		dir, err := filepath.Abs(dir)
		if err != nil {
			panic(err)
		}
		all = append(all, dir)
	}
	return all
}()

// foreign copies files of other tools into the script's folder: foreign NAME...
func foreign(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		var data []byte
		err := os.ErrNotExist
		for _, dir := range fixtures {
			if b, e := os.ReadFile(filepath.Join(dir, name)); e == nil {
				data, err = b, nil
			}
		}
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o644))
	}
}

// npzEdit spoils an archive: npzedit FROM TO drop ARRAY, npzedit FROM TO rename ARRAY NAME, or
// npzedit FROM TO ARRAY OLD NEW for a text in the header.
func npzEdit(ts *testscript.TestScript, _ bool, args []string) {
	from, to, how := args[0], args[1], args[2:]
	r, err := zip.OpenReader(ts.MkAbs(from))
	ts.Check(err)
	defer r.Close()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	ts.Check(w.SetComment(r.Comment))
	changed := false
	for _, f := range r.File {
		m, err := f.Open()
		ts.Check(err)
		data, err := io.ReadAll(m)
		ts.Check(err)
		array := strings.TrimSuffix(f.Name, ".npy")
		switch {
		case how[0] == "drop" && array == how[1]:
			changed = true
			continue
		case how[0] == "rename" && array == how[1]:
			array, changed = how[2], true
		case array == how[0]:
			changed = bytes.Contains(data, []byte(how[1]))
			data = bytes.Replace(data, []byte(how[1]), []byte(how[2]), 1)
		}
		member, err := w.Create(array + ".npy")
		ts.Check(err)
		_, err = member.Write(data)
		ts.Check(err)
	}
	ts.Check(w.Close())
	if !changed {
		ts.Fatalf("npzedit: %v changed nothing", how)
	}
	ts.Check(os.WriteFile(ts.MkAbs(to), out.Bytes(), 0o644))
}
