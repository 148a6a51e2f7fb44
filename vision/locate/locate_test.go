package locate

import (
	"image"
	"testing"
)

func TestCrop(t *testing.T) {
	frame := image.Rect(0, 0, 960, 540)
	for _, c := range []struct {
		name   string
		tire   Tire
		margin float64
		want   image.Rectangle
	}{
		{"around the tire", Tire{Centre: Point{480, 270}, Radius: 200}, 0, image.Rect(280, 70, 680, 470)},
		{"with a margin of a twentieth of the diameter", Tire{Centre: Point{480, 270}, Radius: 200}, 0.05,
			image.Rect(260, 50, 700, 490)},
		{"moved inside at the left", Tire{Centre: Point{201, 270}, Radius: 200}, 0.05, image.Rect(0, 50, 440, 490)},
		{"moved inside at the lower right", Tire{Centre: Point{800, 400}, Radius: 150}, 0.1,
			image.Rect(600, 180, 960, 540)},
		{"no larger than the frame", Tire{Centre: Point{480, 270}, Radius: 265}, 0.1, image.Rect(210, 0, 750, 540)},
		{"a fixed region stays as it is",
			Tire{Centre: Point{50, 50}, Radius: 20, Region: image.Rect(10, 20, 90, 60)}, 0.1,
			image.Rect(10, 20, 90, 60)},
		{"a fixed region ends at the frame", Tire{Region: image.Rect(900, 500, 1000, 600)}, 0,
			image.Rect(900, 500, 960, 540)},
	} {
		got := c.tire.Crop(frame, c.margin)
		if got != c.want {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}

func TestRegion(t *testing.T) {
	rect := image.Rect(100, 50, 300, 250)
	empty := scene{w: 400, h: 300, belt: 120, weave: 10, noise: 6}
	full := empty
	full.discs = tire(200, 150, 95, 120)

	always := NewRegion(rect, 0)
	for _, s := range []scene{empty, full} {
		found := always.Find(s.draw())
		if len(found) != 1 || found[0].Region != rect || found[0].Centre != (Point{200, 150}) {
			t.Errorf("always present: %+v", found)
		}
	}
	found := NewRegion(image.Rectangle{}, 0).Find(empty.draw())
	if len(found) != 1 || found[0].Region != image.Rect(0, 0, 400, 300) {
		t.Errorf("the whole frame: %+v", found)
	}
	if found := NewRegion(image.Rect(500, 0, 600, 100), 0).Find(empty.draw()); len(found) != 0 {
		t.Errorf("a region outside the frame: %+v", found)
	}

	l := NewRegion(rect, 5)
	for i := range uint64(5) {
		empty.seed = i
		if found := l.Find(empty.draw()); len(found) != 0 {
			t.Fatalf("while it learns: %+v", found)
		}
	}
	for i, s := range []scene{empty, full, full, empty, full} {
		s.seed = uint64(10 + i)
		if found := l.Find(s.draw()); (len(found) == 1) != (len(s.discs) > 0) {
			t.Errorf("frame %d with %d discs: found %+v", i, len(s.discs), found)
		}
	}
	// The light falls by one grey level in ten frames, as in the evening.
	l = NewRegion(image.Rectangle{}, 5)
	for i := range 600 {
		s := scene{w: 100, h: 60, belt: 120 - float64(i)/10, noise: 6, seed: uint64(i)}
		if found := l.Find(s.draw()); len(found) != 0 {
			t.Fatalf("frame %d of a slow change of light: %+v", i, found)
		}
	}
}
