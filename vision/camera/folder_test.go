package camera

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tirewatch/vision/frame"
)

var osPermission = fs.PathError{Op: "open", Path: device.Target, Err: fs.ErrPermission}

// writePNG writes an image of w x w px with one grey value.
func writePNG(t *testing.T, path string, w int, grey uint8) {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, w))
	for i := range img.Pix {
		img.Pix[i] = color.Gray{Y: grey}.Y
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

// drain reads a finite source to its end and returns the names of its frames.
func drain(t *testing.T, src Source) (names []string, end error) {
	t.Helper()
	for {
		f, err := src.Next(t.Context())
		if err != nil {
			return names, err
		}
		if f.Seq != uint64(len(names)+1) || f.Time.IsZero() {
			t.Errorf("frame %d has number %d, time %v", len(names)+1, f.Seq, f.Time)
		}
		names = append(names, f.Name)
	}
}

func TestFolderPlaysByNameAndSkipsTheUnreadable(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"b.png", "a.png", "d.png"} {
		writePNG(t, filepath.Join(dir, name), 4+i, uint8(i))
	}
	os.WriteFile(filepath.Join(dir, "c.png"), []byte("not an image"), 0o644)
	os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("not an image name"), 0o644)
	os.Mkdir(filepath.Join(dir, "e.png"), 0o755)

	var skipped []string
	src, err := Open(Options{Source: Location{Folder, dir}, Skipped: func(path string, err error) {
		if err == nil {
			t.Error("skipped without a reason")
		}
		skipped = append(skipped, filepath.Base(path))
	}})
	if err != nil {
		t.Fatal(err)
	}
	names, end := drain(t, src)
	if want := []string{"a.png", "b.png", "d.png"}; !slices.Equal(names, want) || end != io.EOF {
		t.Errorf("played %q to %v; want %q", names, end, want)
	}
	if !slices.Equal(skipped, []string{"c.png"}) {
		t.Errorf("skipped %q; want c.png", skipped)
	}
}

func TestFolderWithoutImages(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(Options{Source: Location{Folder, dir}}); !errors.Is(err, ErrNoImages) {
		t.Errorf("empty folder: %v; want ErrNoImages", err)
	}
	if _, err := Open(Options{Source: Location{Folder, filepath.Join(dir, "gone")}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v; want ErrNotExist", err)
	}
	os.WriteFile(filepath.Join(dir, "a.png"), nil, 0o644)
	src, err := Open(Options{Source: Location{Folder, dir}})
	if err != nil {
		t.Fatal(err)
	}
	if _, end := drain(t, src); !errors.Is(end, ErrNoImages) {
		t.Errorf("only damaged images: %v; want ErrNoImages", end)
	}
}

func TestRealTimePace(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1.png", "2.png", "3.png"} {
		writePNG(t, filepath.Join(dir, name), 4, 0)
	}
	synctest.Test(t, func(t *testing.T) {
		src, err := Open(Options{Source: Location{Folder, dir}, FPS: 2, RealTime: true})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		drain(t, src)
		// Frames at 0, 0.5 and 1 s; the end at 1.5 s.
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("3 frames at 2 per second took %v", took)
		}
	})
}

// A folder keeps its colours on request. Both ways give the same grey values, so that a verdict
// does not depend on what is kept.
func TestFolderInColour(t *testing.T) {
	dir := t.TempDir()
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		img.SetRGBA(i%8, i/8, color.RGBA{uint8(3 * i), uint8(200 - i), uint8(2 * i), 255})
	}
	file, err := os.Create(filepath.Join(dir, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, img); err != nil {
		t.Fatal(err)
	}
	var grey [2][]byte
	for i, colour := range []bool{false, true} {
		src, err := Open(Options{Source: Location{Folder, dir}, Colour: colour})
		if err != nil {
			t.Fatal(err)
		}
		f, err := src.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if (f.Format != frame.Gray) != colour {
			t.Errorf("colour %v: %s", colour, f.Format)
		}
		grey[i] = f.Gray(nil, f.Bounds())
	}
	if !slices.Equal(grey[0], grey[1]) {
		t.Errorf("grey values %v, from colour %v", grey[0], grey[1])
	}
}
