package review_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tirewatch/agent/review"
	"tirewatch/trainer/dataset"
	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
)

// tone is a frame of one colour.
func tone(w, h int, format frame.Format, pixel ...byte) *frame.Frame {
	return &frame.Frame{Pix: bytes.Repeat(pixel, w*h), Width: w, Height: h, Stride: w * len(pixel), Format: format}
}

func decodeCamera(t *testing.T, f *frame.Frame) image.Image {
	t.Helper()
	data, err := review.EncodeCamera(f)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// Pictures of the camera have a long side of at most 1,280 px and the colours of the frame.
func TestEncodeCamera(t *testing.T) {
	for name, c := range map[string]struct {
		region *frame.Frame
		size   image.Point
		grey   bool
	}{
		"small, BGR":  {tone(300, 200, frame.BGR, 20, 90, 200), image.Pt(300, 200), false},
		"small, RGBA": {tone(300, 200, frame.RGBA, 200, 90, 20, 0), image.Pt(300, 200), false},
		"at the side": {tone(1280, 64, frame.BGR, 20, 90, 200), image.Pt(1280, 64), false},
		"wide":        {tone(2560, 200, frame.BGR, 20, 90, 200), image.Pt(1280, 100), false},
		"high":        {tone(3, 4000, frame.RGBA, 200, 90, 20, 255), image.Pt(1, 1280), false},
		"grey":        {tone(300, 200, frame.Gray, 77), image.Pt(300, 200), true},
		"large, grey": {tone(1281, 1281, frame.Gray, 77), image.Pt(1280, 1280), true},
	} {
		img := decodeCamera(t, c.region)
		if img.Bounds().Size() != c.size {
			t.Errorf("%s: %v, want %v", name, img.Bounds().Size(), c.size)
		}
		want := [3]uint32{200, 90, 20}
		if c.grey {
			want = [3]uint32{77, 77, 77}
		}
		r, g, b, _ := img.At(c.size.X/2, c.size.Y/2).RGBA()
		for i, v := range [3]uint32{r >> 8, g >> 8, b >> 8} {
			if d := int(v) - int(want[i]); d < -3 || d > 3 {
				t.Errorf("%s: colour %d, %d, %d, want %v", name, r>>8, g>>8, b>>8, want)
				break
			}
		}
		if _, grey := img.(*image.Gray); grey != c.grey {
			t.Errorf("%s: %T", name, img)
		}
	}
	if _, err := review.EncodeCamera(&frame.Frame{Width: 4, Height: 4, Format: frame.BGR}); !errors.Is(err, frame.ErrInvalid) {
		t.Errorf("a frame without pixels: %v", err)
	}
}

// A line of one pixel stays visible wherever it lies, when three pixels become one.
func TestThinCrackStays(t *testing.T) {
	for x := 1900; x < 1903; x++ {
		f := tone(3840, 30, frame.BGR, 120, 120, 120)
		for y := range f.Height {
			copy(f.Pix[y*f.Stride+3*x:], []byte{0, 0, 0})
		}
		img := decodeCamera(t, f)
		darkest := uint32(255)
		for i := 628; i < 640; i++ {
			r, _, _, _ := img.At(i, 5).RGBA()
			darkest = min(darkest, r>>8)
		}
		if darkest > 100 {
			t.Errorf("line at %d: the darkest pixel is %d of 120", x, darkest)
		}
	}
}

// keepCamera stores a picture of the camera for a crop and returns it.
func keepCamera(t *testing.T, dir string, seq uint64) []byte {
	t.Helper()
	data, err := review.EncodeCamera(tone(90, 80, frame.BGR, byte(20*seq), 90, 200))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, review.CameraFolder, review.CameraName(seq)), data, 0o640); err != nil {
		t.Fatal(err)
	}
	return data
}

// items lists the files of a data set.
func items(t *testing.T, dir string) (paths []string) {
	t.Helper()
	set, err := dataset.Open(dir)
	if err != nil && !errors.Is(err, dataset.ErrEmptyClass) {
		t.Fatal(err)
	}
	for _, it := range set.Train {
		paths = append(paths, set.Rel(it.Path))
	}
	return paths
}

const exported = "hamburg+line1+station3_20260302T060"

// The data set of an export has each tire once, as the camera sent it; its folder inputs has each
// once, as the network saw it. A crop without a picture of the camera is in both.
func TestExportWithCameraPictures(t *testing.T) {
	dir := t.TempDir()
	crops := filepath.Join(dir, "crops")
	q := keep(t, crops, aPicture(1, 0.9), aPicture(2, 0.1), aPicture(3, 0.2))
	first := keepCamera(t, crops, 1)
	keepCamera(t, crops, 2)
	label(t, q, review.Crack, 1)
	label(t, q, review.Normal, 2, 3)
	if c, err := q.Count(); err != nil || c != (review.Counts{Crack: 1, Normal: 2}) {
		t.Errorf("%+v, %v; a crop and its picture are one", c, err)
	}
	out := filepath.Join(dir, "line1")
	m, unmarked, err := q.Export(t.Context(), out, false)
	if err != nil || unmarked != nil {
		t.Fatal(err, unmarked)
	}
	want := []string{
		"crack/" + exported + "100Z_000000000001.jpg",
		"normal/" + exported + "200Z_000000000002.jpg",
		"normal/" + exported + "300Z_000000000003.png",
	}
	if got := items(t, out); !slices.Equal(got, want) {
		t.Errorf("data set %q", got)
	}
	want[0], want[1] = want[0][:len(want[0])-3]+"png", want[1][:len(want[1])-3]+"png"
	if got := items(t, filepath.Join(out, "inputs")); !slices.Equal(got, want) {
		t.Errorf("inputs %q", got)
	}
	p, sum := m.Pictures[0], sha256.Sum256(first)
	if p.File != p.Camera.File || p.SHA256 != hex.EncodeToString(sum[:]) || p.Camera.Width != 90 || p.Camera.Height != 80 ||
		p.Network.File != "inputs/"+want[0] || p.Network.Width != spec.Width || p.Input != inputOf(1) {
		t.Errorf("%+v", p)
	}
	if p := m.Pictures[2]; p.Camera != nil || p.File != want[2] || p.Network.File != "inputs/"+want[2] {
		t.Errorf("without a picture of the camera: %+v", p)
	}
	for _, f := range []review.ManifestFile{m.Pictures[1].Network, *m.Pictures[1].Camera, m.Pictures[2].Network} {
		data, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(f.File)))
		if sum := sha256.Sum256(data); err != nil || f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %v, or not the file of the manifest", f.File, err)
		}
	}
	// tires of two minutes are one run, whatever their kind of file
	set, err := dataset.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := dataset.Check(t.Context(), set, nil); err != nil || a.Runs != 1 {
		t.Errorf("%d runs, %v", a.Runs, err)
	}
}

// A label of a station with tiles belongs to the tile that a person saw, so the tiles are the data
// set and the whole tires are beside it.
func TestExportOfTilesWithCameraPictures(t *testing.T) {
	dir := t.TempDir()
	crops := filepath.Join(dir, "crops")
	p := aPicture(1, 0.9)
	p.Shows = cut.SideWall
	keep(t, crops, p)
	keepCamera(t, crops, 1)
	q := review.Open(crops, station, cut.SideWall)
	label(t, q, review.Crack, 1)
	out := filepath.Join(dir, "line1")
	m, _, err := q.Export(t.Context(), out, false)
	if err != nil {
		t.Fatal(err)
	}
	tile := "crack/" + exported + "100Z_000000000001.png"
	if got := items(t, out); !slices.Equal(got, []string{tile}) {
		t.Errorf("data set %q", got)
	}
	if e := m.Pictures[0]; e.File != tile || e.Network.File != tile || e.Camera.File != "camera/"+exported+"100Z_000000000001.jpg" {
		t.Errorf("%+v", e)
	}
	if _, err := os.Stat(filepath.Join(out, filepath.FromSlash(m.Pictures[0].Camera.File))); err != nil {
		t.Error(err)
	}
}

// A picture of the camera is found whatever the label of its crop is.
func TestCameraOfACrop(t *testing.T) {
	dir := t.TempDir()
	q := keep(t, dir, aPicture(1, 0.9), aPicture(2, 0.9))
	keepCamera(t, dir, 1)
	label(t, q, review.Unsure, 1)
	if path, err := q.Camera(1); err != nil || path != filepath.Join(dir, "camera", "000000000001.jpg") {
		t.Errorf("%q, %v", path, err)
	}
	if _, err := q.Camera(2); !errors.Is(err, review.ErrGone) {
		t.Errorf("without a picture: %v", err)
	}
	for name, want := range map[string]bool{"000000000012.jpg": true, "12.jpg": false, "000000000012.png": false, ".000000000012.jpg.unfinished-1": false} {
		if seq, ok := review.ParseCameraName(name); ok != want || ok && seq != 12 {
			t.Errorf("%s: %d, %v", name, seq, ok)
		}
	}
}

// A region of 1,080 px needs no scaling; one of 1,944 px, of a camera with five megapixels, does.
func BenchmarkEncodeCamera(b *testing.B) {
	for _, side := range []int{1080, 1944} {
		f := tone(side, side, frame.BGR, 20, 90, 200)
		for i := range f.Pix {
			f.Pix[i] += byte(i * i >> 7 & 31)
		}
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := review.EncodeCamera(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
