//go:build opencv

package inspection

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"path/filepath"
	"testing"

	"github.com/icza/mjpeg"

	"tirewatch/agent/review"
	"tirewatch/vision/camera"
	"tirewatch/vision/locate"
)

// A colour video reaches the kept picture in colour, through the same decoding as at the station.
func TestColourOfAVideo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clip.avi")
	w, err := mjpeg.New(path, 320, 240, 25)
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{200, 90, 20, 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := w.AddFrame(b.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	src, err := camera.Open(camera.Options{Source: camera.Location{Kind: camera.File, Target: path}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	s := newBench(t, nil, 1)
	s.o.Source, s.o.Each = src, true
	s.o.Locator = locate.NewRegion(image.Rect(40, 20, 240, 220), 0)
	s.o.Keep = &review.Policy{Every: true, Camera: true}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.verdicts) != 3 || len(s.cameras) != 3 {
		t.Fatalf("%d verdicts, %d pictures", len(s.verdicts), len(s.cameras))
	}
	got, err := jpeg.Decode(bytes.NewReader(s.cameras[3]))
	if err != nil {
		t.Fatal(err)
	}
	if got.Bounds() != image.Rect(0, 0, 200, 200) {
		t.Errorf("%v", got.Bounds())
	}
	c := color.RGBAModel.Convert(got.At(100, 100)).(color.RGBA)
	for i, pair := range [3][2]uint8{{c.R, 200}, {c.G, 90}, {c.B, 20}} {
		if d := int(pair[0]) - int(pair[1]); d < -6 || d > 6 {
			t.Errorf("channel %d of %v is %d, want %d", i, c, pair[0], pair[1])
		}
	}
	if note := noteOf(t, 3, s.pictures[2]); !note.Colour || note.Region != [4]int{40, 20, 240, 220} {
		t.Errorf("%+v", note)
	}
}
