package durabletest_test

import (
	"os"
	"path/filepath"
	"testing"

	"tirewatch/internal/durable"
	"tirewatch/internal/durable/durabletest"
)

// careless replaces a file the wrong way: it leaves out one or both fsyncs.
func careless(r *durabletest.Recorder, path string, fsync, syncDir bool) {
	f, err := r.CreateTemp(filepath.Dir(path), ".x*")
	if err != nil {
		panic(err)
	}
	f.Write([]byte("new content"))
	if fsync {
		f.Sync()
	}
	f.Close()
	r.Rename(f.Name(), path)
	if syncDir {
		r.SyncDir(filepath.Dir(path))
	}
}

// The simulation must find the mistakes of careless programs. Otherwise its silence about ours
// proves nothing.
func TestFindsCarelessWriting(t *testing.T) {
	for _, c := range []struct {
		name   string
		write  func(r *durabletest.Recorder, path string)
		broken bool // a cut may leave neither the old nor the new content
		lost   bool // a cut after the last step may leave something other than the new content
	}{
		{"no fsync of the file", func(r *durabletest.Recorder, p string) { careless(r, p, false, true) }, true, true},
		{"no fsync of the folder", func(r *durabletest.Recorder, p string) { careless(r, p, true, false) },
			false, true},
		{"no fsync at all", func(r *durabletest.Recorder, p string) { careless(r, p, false, false) }, true, true},
		{"durable.WriteFileOn", func(r *durabletest.Recorder, p string) {
			if err := durable.WriteFileOn(r, p, []byte("new content"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "slot")
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			r := durabletest.Record(t, dir)
			c.write(r, path)
			images, broken, lost := 0, false, false
			for cut := range r.Steps() + 1 {
				for image := range r.Images(cut) {
					images++
					got := string(image["slot"])
					broken = broken || got != "old" && got != "new content"
					lost = lost || cut == r.Steps() && got != "new content"
				}
			}
			if broken != c.broken || lost != c.lost {
				t.Errorf("broken %v, lost %v in %d images; want %v, %v", broken, lost, images, c.broken, c.lost)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != "new content" {
				t.Errorf("the program itself found %q, %v", got, err)
			}
		})
	}
}
