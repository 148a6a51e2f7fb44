package web

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"tirewatch/trainer/synth"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

// blurred returns a frame out of focus: each pixel is the mean over a square of side 2n+1.
func blurred(f *frame.Frame, n int) *frame.Frame {
	out := frame.NewGray(f.Width, f.Height)
	for y := range f.Height {
		for x := range f.Width {
			sum, k := 0, 0
			for dy := -n; dy <= n; dy++ {
				for dx := -n; dx <= n; dx++ {
					if u, v := x+dx, y+dy; u >= 0 && v >= 0 && u < f.Width && v < f.Height {
						sum, k = sum+int(f.Pix[v*f.Stride+u]), k+1
					}
				}
			}
			out.Pix[y*out.Stride+x] = byte(sum / k)
		}
	}
	return out
}

// lit returns a frame with other light.
func lit(f *frame.Frame, gain float64) *frame.Frame {
	out := frame.NewGray(f.Width, f.Height)
	for i, p := range f.Pix {
		out.Pix[i] = byte(min(255, gain*float64(p)))
	}
	return out
}

// drawnTire returns a synthetic tire in grey.
func drawnTire() *frame.Frame {
	f := frame.FromImage(synth.Draw(synth.Side, 400, 7, 1, true))
	return &frame.Frame{Pix: f.Gray(nil, f.Bounds()), Width: f.Width, Height: f.Height, Stride: f.Width,
		Format: frame.Gray}
}

// Focus falls with each step of blur and hardly changes with light. Light reports the pixels that
// are lost at both ends of the scale.
func TestFocusAndLight(t *testing.T) {
	sharp := drawnTire()
	last, _ := measure(sharp, sharp.Bounds())
	best := last
	for n := 1; n <= 4; n++ {
		focus, _ := measure(blurred(sharp, n), sharp.Bounds())
		if focus > 0.9*last {
			t.Errorf("focus with a blur of %d px: %.3g, with less blur %.3g", n, focus, last)
		}
		last = focus
	}
	if dim, _ := measure(lit(sharp, 0.6), sharp.Bounds()); dim < 0.8*best || dim > 1.2*best {
		t.Errorf("focus in less light: %.3g, before %.3g", dim, best)
	}
	_, good := measure(sharp, sharp.Bounds())
	_, bright := measure(lit(sharp, 4), sharp.Bounds())
	_, dark := measure(lit(sharp, 0.1), sharp.Bounds())
	sum := int32(0)
	for _, n := range good.Histogram {
		sum += n
	}
	if int(sum) != len(sharp.Pix) || good.Bright > 0.01 || bright.Bright < 0.2 ||
		dark.Upper > 30 || dark.Mean > 0.2*good.Mean {
		t.Errorf("good %+v\nbright %+v\ndark %+v", good, bright, dark)
	}
	if focus, l := measure(sharp, image.Rect(0, 0, 2, 2)); focus != 0 || l.Mean != 0 {
		t.Errorf("focus of four pixels: %g, want 0", focus)
	}
}

// A frame is shrunk by taking means.
func TestShrink(t *testing.T) {
	f := &frame.Frame{Width: 1922, Height: 4, Stride: 1922 + 5, Format: frame.Gray}
	f.Pix = make([]byte, f.Stride*f.Height)
	for i := range f.Pix {
		f.Pix[i] = 99 + byte(i%f.Stride%3) // the mean over three columns is 100
	}
	var img image.Gray
	shrink(&img, f)
	if img.Rect != image.Rect(0, 0, 640, 1) || img.GrayAt(3, 0).Y != 100 || img.GrayAt(639, 0).Y != 100 {
		t.Errorf("%v with %v, want 100", img.Rect, img.GrayAt(3, 0))
	}
}

// Without a viewer, the loop copies nothing. A viewer receives one image after the other, each
// newer than the last, with the tires of the same frame. The loop waits for none of it.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.run(ctx, 0.05)
		f := drawnTire()
		tire := locate.Tire{Centre: locate.Point{X: 200, Y: 200}, Radius: 150}
		nextFrame := func() { f.Seq++; l.show(f, []locate.Tire{tire}) }
		for range 100 {
			nextFrame()
		}
		synctest.Wait()
		if l.held.frame.Pix != nil {
			t.Error("a frame was copied without a viewer")
		}
		after := uint64(0)
		for range 5 {
			got := make(chan *picture)
			go func() { got <- l.next(ctx, after) }()
			time.Sleep(10 * time.Second) // longer than any pause
			nextFrame()
			pic := <-got
			v := pic.view
			if v.Picture <= after || v.Frame != f.Seq || len(v.Tires) != 1 || v.Tires[0].Crop != [4]int{35, 35, 365, 365} {
				t.Fatalf("after image %d, frame %d: view %+v", after, f.Seq, v)
			}
			img, err := jpeg.Decode(bytes.NewReader(pic.jpeg))
			if err != nil || img.Bounds().Dx() != 400 {
				t.Fatalf("image %v, %v", img, err)
			}
			after = pic.view.Picture
		}
		time.Sleep(maxAge)
		limited, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if pic := l.next(limited, 0); pic != nil {
			t.Errorf("image %d without a new frame", pic.view.Picture)
		}
	})
}

// While the camera sends no frames, a request ends with 204 after longPoll.
func TestLiveWithoutCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPage(t, passwords(t, t.TempDir()))
		v := visit(t, p)
		v.logIn(viewerPassword)
		start := time.Now()
		if got := v.status("GET", "/api/live", ""); got != http.StatusNoContent || time.Since(start) != longPoll {
			t.Errorf("after %v: %d", time.Since(start), got)
		}
	})
}

// TestShowCostsNothing measures what the loop pays for a page without a viewer.
func TestShowCostsNothing(t *testing.T) {
	p, _ := newPage(t, passwords(t, t.TempDir()))
	f := drawnTire()
	if n := testing.AllocsPerRun(100, func() { p.Show(f, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var none *Page
	none.Show(f, nil)
	none.Judged(nil, nil, 0)
	none.TriggerError(time.Now())
}

// BenchmarkPicture measures the cost of one image outside the loop.
func BenchmarkPicture(b *testing.B) {
	l := newLive()
	f := frame.FromImage(synth.Draw(synth.Side, 1280, 7, 1, true))
	l.held.frame = frame.Frame{Width: 1280, Height: 720, Stride: 1280, Format: frame.Gray,
		Pix: f.Gray(nil, image.Rect(0, 0, 1280, 720))}
	var small image.Gray
	for b.Loop() {
		l.make(&small, 0.02)
	}
}
