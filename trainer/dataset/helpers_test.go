package dataset

import (
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/trainer/pixels"
	"tirewatch/vision/preprocess"
)

// scene is a large image with structure at every scale, different for each seed.
func scene(seed uint64, w, h int) *image.Gray {
	rng := rand.New(rand.NewPCG(seed, 1))
	img := image.NewGray(image.Rect(0, 0, w, h))
	type blob struct{ x, y, rx, ry, light int }
	var blobs []blob
	for r := w / 2; r >= 3; r = r * 3 / 4 {
		for range 2 + w/r {
			blobs = append(blobs, blob{rng.IntN(w), rng.IntN(h), r/2 + rng.IntN(r), r/2 + rng.IntN(r), 30 + rng.IntN(200)})
		}
	}
	for i := range img.Pix {
		img.Pix[i] = 128
	}
	for _, b := range blobs { // small ones on top of large ones
		for y := max(0, b.y-b.ry); y < min(h, b.y+b.ry); y++ {
			for x := max(0, b.x-b.rx); x < min(w, b.x+b.rx); x++ {
				img.Pix[y*w+x] = uint8(b.light)
			}
		}
	}
	return img
}

// photograph is a scene as a camera takes it, with its own noise.
func photograph(seed uint64) *image.Gray { return scene(seed, 128, 128) }

// edit makes a changed copy: f returns the grey value of each pixel of an image of the same size.
func edit(src *image.Gray, f func(x, y int) int) *image.Gray {
	dst := image.NewGray(image.Rect(0, 0, src.Rect.Dx(), src.Rect.Dy()))
	for y := range dst.Rect.Dy() {
		for x := range dst.Rect.Dx() {
			dst.SetGray(x, y, color.Gray{Y: uint8(min(max(f(x, y), 0), 255))})
		}
	}
	return dst
}

// crop returns the part of w x h px at x0, y0.
func crop(src *image.Gray, x0, y0, w, h int) *image.Gray {
	dst := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		copy(dst.Pix[y*w:][:w], src.Pix[(y0+y)*src.Stride+x0:])
	}
	return dst
}

// save writes an image below dir. The extension of the name sets the format.
func save(t testing.TB, dir, name string, img image.Image) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".png") {
		err = png.Encode(f, img)
	} else {
		err = jpeg.Encode(f, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// put writes a file with any content below dir.
func put(t testing.TB, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rels returns the paths of items below the set.
func rels(s *Set, items []Item) []string {
	var out []string
	for _, it := range items {
		out = append(out, s.Rel(it.Path))
	}
	return out
}

// tree lists every file and folder below dir with its content, to check that nothing changed.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			out[path] = "folder"
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// little is a spec of few pixels, for tests that need only names.
var little = preprocess.Spec{Width: 8, Height: 8, Filter: preprocess.FilterTriangle}

// inMemory keeps every image in memory.
func inMemory() *pixels.Store { return pixels.NewStore("", math.MaxInt64, 0, 0) }

// validation reads a set and splits off its validation images.
func validation(s *Set, seed uint64, share float64) (train, val []Item, err error) {
	r, err := s.Read(context.Background(), little, inMemory(), nil)
	if err != nil {
		return nil, nil, err
	}
	a, b, err := r.Validation(context.Background(), seed, share, nil)
	return itemsOf(a), itemsOf(b), err
}

func itemsOf(images []Image) (items []Item) {
	for _, im := range images {
		items = append(items, im.Item)
	}
	return items
}
