//go:build opencv

package camera

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/icza/mjpeg"

	"tirewatch/vision/frame"
)

// writeVideo writes an MJPEG video of 64 x 48 px. The colour of frame i is red 20*i, green 100,
// blue 200.
func writeVideo(t *testing.T, frames int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.avi")
	w, err := mjpeg.New(path, 64, 48, 25)
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		img := image.NewRGBA(image.Rect(0, 0, 64, 48))
		for y := range 48 {
			for x := range 64 {
				img.SetRGBA(x, y, color.RGBA{uint8(20 * i), 100, 200, 255})
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		if err := w.AddFrame(b.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func near(got byte, want int) bool { return int(got) >= want-4 && int(got) <= want+4 }

func TestVideoGivesEveryFrameInOrder(t *testing.T) {
	const frames = 10
	src, err := Open(Options{Source: Location{File, writeVideo(t, frames)}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for i := range frames {
		f, err := src.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.Width != 64 || f.Height != 48 || f.Format != frame.BGR || f.Seq != uint64(i+1) {
			t.Fatalf("frame %d is %d x %d %s, number %d", i, f.Width, f.Height, f.Format, f.Seq)
		}
		if p := f.Pix[24*f.Stride+3*32:]; !near(p[0], 200) || !near(p[1], 100) || !near(p[2], 20*i) {
			t.Errorf("frame %d is blue %d, green %d, red %d; want 200, 100, %d", i, p[0], p[1], p[2], 20*i)
		}
	}
	for range 2 {
		if _, err := src.Next(t.Context()); err != io.EOF {
			t.Fatalf("after the last frame: %v; want io.EOF", err)
		}
	}
}

func TestVideoReusesItsBuffer(t *testing.T) {
	src, err := Open(Options{Source: Location{File, writeVideo(t, 3)}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	a, err := src.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := &a.Pix[0]
	b, err := src.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first != &b.Pix[0] {
		t.Error("the second frame has a buffer of its own")
	}
}

func TestVideoThatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clip.avi")
	if _, err := Open(Options{Source: Location{File, path}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v; want ErrNotExist", err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("no video "), 99), 0o644); err != nil {
		t.Fatal(err)
	}
	src, err := Open(Options{Source: Location{File, path}})
	if err == nil {
		defer src.Close()
		_, err = src.Next(t.Context())
	}
	if err == nil || err == io.EOF {
		t.Errorf("not a video: %v; want an error that is not the end", err)
	}
}

// TestLiveReaderOnRealVideo runs the reader goroutine of cameras on a real OpenCV capture: a video
// that is read like a camera.
func TestLiveReaderOnRealVideo(t *testing.T) {
	loc := Location{File, writeVideo(t, 10)}
	g, fps, err := openCapture(Options{Source: loc})
	if err != nil {
		t.Fatal(err)
	}
	if fps != 25 {
		t.Errorf("%v frames per second; want 25", fps)
	}
	n := newNewest(g, loc, 0)
	var last uint64
	for {
		f, err := n.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.Seq <= last {
			t.Fatalf("frame %d after %d", f.Seq, last)
		}
		last = f.Seq
	}
	if last != 10 {
		t.Errorf("the last frame is %d, want the newest of the video, 10", last)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}
