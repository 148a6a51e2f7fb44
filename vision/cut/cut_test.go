package cut_test

import (
	"errors"
	"image"
	"math"
	"testing"
	"time"

	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/preprocess"
)

// drawn returns a frame of 640 x 480 px with a dark ring on a bright belt, and the ring's position.
func drawn(outer, inner float64) (*frame.Frame, locate.Tire) {
	f := frame.NewGray(640, 480)
	for i := range f.Pix {
		r := math.Hypot(float64(i%640)+0.5-320, float64(i/640)+0.5-240)
		f.Pix[i] = 150
		if r < outer && r >= inner {
			f.Pix[i] = 40
		}
	}
	return f, locate.Tire{Centre: locate.Point{X: 320, Y: 240}, Radius: outer}
}

// Every part of the tire that is not larger than the overlap is completely inside one tile.
func TestTilesOverlap(t *testing.T) {
	f, tire := drawn(200, 110)
	for _, o := range []cut.Options{
		{View: cut.Tiles, Margin: 0.02, Tile: 0.4, Overlap: 0.25}, {View: cut.Tiles, Tile: 1, Overlap: 0.25},
		{View: cut.Tiles, Tile: 0.37, Overlap: 0},
		{View: cut.Tiles, Tile: 0.2, Overlap: 0.5},
	} {
		c, err := cut.New(o).Cut(f, tire)
		if err != nil {
			t.Fatal(err)
		}
		side := c.Pieces[0].Crop.Dx()
		length := max(1, int(o.Overlap*float64(side))-1)
		for x := c.Crop.Min.X; x+length <= c.Crop.Max.X; x++ {
			part := image.Rect(x, c.Crop.Min.Y+x%7, x+length, c.Crop.Min.Y+x%7+1)
			if !within(c.Pieces, part) {
				t.Errorf("%+v: %v is cut by every tile", o, part)
			}
		}
		for _, p := range c.Pieces {
			if !p.Crop.In(c.Crop) || p.Crop != p.Region || p.Frame != f || p.Crop.Dx() != side || p.Crop.Dy() != side {
				t.Errorf("%+v: piece %+v of %v", o, p, c.Crop)
			}
		}
	}
}

func within(pieces []cut.Piece, r image.Rectangle) bool {
	for _, p := range pieces {
		if r.In(p.Crop) {
			return true
		}
	}
	return false
}

// A side wall with radii of 200 and 110 px is 90 px high and 974 px long in its middle: 10.8 square
// tiles, or 14.4 that overlap by a quarter.
func TestSideWall(t *testing.T) {
	f, tire := drawn(200, 110)
	c, err := cut.New(cut.Options{View: cut.SideWall, Tile: 1, Overlap: 0.25}).Cut(f, tire)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Pieces) != 15 || math.Abs(c.Ring.Inner.Radius-110) > 2 || math.Abs(c.Ring.Outer.Radius-200) > 2 {
		t.Fatalf("%d pieces of %+v; want 15", len(c.Pieces), c.Ring)
	}
	for i, p := range c.Pieces {
		next := c.Pieces[(i+1)%15]
		step := math.Mod(next.From-p.From+360, 360)
		if math.Abs(step-24) > 0.2 || p.To-p.From < step/0.75-0.5 || p.To-p.From > 34 {
			t.Errorf("piece %d: %g to %g degrees, the next from %g", i, p.From, p.To, next.From)
		}
		// The box contains the middle of the piece, in the direction of its angle.
		sin, cos := math.Sincos(c.Angle(i) * math.Pi / 180)
		at := image.Pt(int(320+155*sin), int(240-155*cos))
		if !at.In(p.Crop) || p.Crop.Dx() > 160 || p.Crop.Dy() > 160 {
			t.Errorf("piece %d at %.0f degrees is in %v", i, c.Angle(i), p.Crop)
		}
		if !p.Region.In(p.Frame.Bounds()) || p.Region.Dy() != p.Frame.Height {
			t.Errorf("piece %d: region %v", i, p.Region)
		}
	}
}

func TestAngleOfTiles(t *testing.T) {
	f, tire := drawn(200, 110)
	c, err := cut.New(cut.Options{View: cut.Tiles, Tile: 0.5, Overlap: 0}).Cut(f, tire)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{315, 45, 225, 135} {
		if got := c.Angle(i); math.Abs(got-want) > 0.5 {
			t.Errorf("tile %d: %g degrees, want %g", i, got, want)
		}
	}
}

func TestWholeTireIsItsCrop(t *testing.T) {
	f, tire := drawn(200, 110)
	c, err := cut.New(cut.Options{View: cut.Tire, Margin: 0.02}).Cut(f, tire)
	want := tire.Crop(f.Bounds(), 0.02)
	if err != nil || len(c.Pieces) != 1 || c.Pieces[0].Region != want || c.Crop != want {
		t.Errorf("%+v, %v; want %v", c, err, want)
	}
}

// A tire that cannot be cut still has a Crop, and an error that says why.
func TestCutRefuses(t *testing.T) {
	disc, tire := drawn(200, 0)
	ring, _ := drawn(200, 110)
	for name, c := range map[string]struct {
		o    cut.Options
		f    *frame.Frame
		want error
	}{
		"no rim":                     {cut.Options{View: cut.SideWall, Tile: 1, Overlap: 0.25}, disc, cut.ErrNoRing},
		"too many tiles":             {cut.Options{View: cut.Tiles, Tile: 0.05, Overlap: 0.5}, ring, cut.ErrTooMany},
		"too many along a side wall": {cut.Options{View: cut.SideWall, Tile: 0.05, Overlap: 0.5}, ring, cut.ErrTooMany},
	} {
		got, err := cut.New(c.o).Cut(c.f, tire)
		if !errors.Is(err, c.want) || len(got.Pieces) != 0 || got.Crop.Empty() {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestCutAllocatesNothing(t *testing.T) {
	f, tire := drawn(200, 110)
	for _, v := range cut.Views {
		c := cut.New(cut.Options{View: v, Tile: 1, Overlap: 0.25})
		if n := testing.AllocsPerRun(3, func() {
			if _, err := c.Cut(f, tire); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %g allocations a frame", v, n)
		}
	}
}

// The time from a full HD frame of a tire to the network's bytes of all its pieces, without the
// forward passes. The fastest call is reported, because other work on the machine does not affect
// it.
func BenchmarkFullHD(b *testing.B) {
	f := frame.NewGray(1920, 1080)
	for i := range f.Pix {
		r := math.Hypot(float64(i%1920)-960, float64(i/1920)-540)
		f.Pix[i] = byte(150 + i%7)
		if r < 515 && r >= 290 {
			f.Pix[i] = byte(40 + i%7)
		}
	}
	tire := locate.Tire{Centre: locate.Point{X: 960, Y: 540}, Radius: 515}
	spec := preprocess.Thesis()
	pix := make([]byte, spec.Size())
	for _, v := range cut.Views {
		b.Run(string(v), func(b *testing.B) {
			c := cut.New(cut.Options{View: v, Margin: 0.02, Tile: cut.DefaultTile(v), Overlap: 0.25})
			fastest, pieces := time.Hour, 0
			for b.Loop() {
				start := time.Now()
				got, err := c.Cut(f, tire)
				if err != nil {
					b.Fatal(err)
				}
				for _, p := range got.Pieces {
					if err := spec.Apply(pix, p.Frame, p.Region); err != nil {
						b.Fatal(err)
					}
				}
				fastest, pieces = min(fastest, time.Since(start)), len(got.Pieces)
			}
			b.ReportMetric(float64(fastest.Nanoseconds())/1e6, "min-ms/op")
			b.ReportMetric(float64(pieces), "pieces")
		})
	}
}
