package locate

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"
)

// TestRings draws tires with random positions, sizes and light. The error of both circles must stay
// below one per cent of the diameter. trainer/synth has a test with more realistic tires.
func TestRings(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		between := func(a, b float64) float64 { return a + rng.Float64()*(b-a) }
		s := scene{w: 960, h: 540, belt: between(90, 200), weave: between(0, 8),
			light: between(-0.4, 0.4), noise: between(0, 12), seed: seed}
		r := between(0.2, 0.49) * float64(s.h)
		x, y := between(r, float64(s.w)-r), between(r, float64(s.h)-r)
		s.discs = tire(x, y, r, s.belt)
		f := s.draw()
		found := NewRound(RoundOptions{}).Find(f)
		if len(found) != 1 {
			t.Fatalf("seed %d: found %+v", seed, found)
		}
		ring, ok := NewRings().Find(f, found[0])
		if !ok {
			t.Errorf("seed %d: no ring", seed)
			continue
		}
		for name, c := range map[string]struct {
			got    Circle
			radius float64
		}{"outline": {ring.Outer, r}, "rim": {ring.Inner, 0.55 * r}} {
			if off := c.got.Centre.Sub(Point{x, y}).Len(); off > 0.02*r || math.Abs(c.got.Radius-c.radius) > 0.02*r {
				t.Errorf("seed %d: the error of the %s's centre is %.2f px, of its radius %+.2f px of %.1f",
					seed, name, off, c.got.Radius-c.radius, c.radius)
			}
		}
	}
}

// An object without a bright hole has no ring. A guess would unwrap the wrong area.
func TestRingsRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		discs []disc
		tire  Tire
	}{
		"a black disc": {[]disc{{480, 270, 200, 40, 1}}, Tire{Centre: Point{480, 270}, Radius: 200}},
		"a black wheel": {[]disc{{480, 270, 200, 40, 1}, {480, 270, 120, 25, 1}},
			Tire{Centre: Point{480, 270}, Radius: 200}},
		"an eccentric hole": {[]disc{{480, 270, 200, 40, 1}, {520, 270, 100, 140, 1}},
			Tire{Centre: Point{480, 270}, Radius: 200}},
		"a small hub": {[]disc{{480, 270, 200, 40, 1}, {480, 270, 40, 140, 1}},
			Tire{Centre: Point{480, 270}, Radius: 200}},
		"a fixed region": {tire(480, 270, 200, 140),
			Tire{Centre: Point{480, 270}, Radius: 200, Region: image.Rect(280, 70, 680, 470)}},
		"a tire of a few px": {tire(480, 270, 10, 140), Tire{Centre: Point{480, 270}, Radius: 10}},
	} {
		f := scene{w: 960, h: 540, belt: 140, noise: 3, discs: c.discs}.draw()
		if ring, ok := NewRings().Find(f, c.tire); ok {
			t.Errorf("%s: found %+v", name, ring)
		}
	}
}

func BenchmarkRings(b *testing.B) {
	f := scene{w: 1920, h: 1080, belt: 140, weave: 6, noise: 8, discs: tire(1000, 540, 500, 140)}.draw()
	t := Tire{Centre: Point{1000, 540}, Radius: 500}
	l := NewRings()
	for b.Loop() {
		if _, ok := l.Find(f, t); !ok {
			b.Fatal("no ring")
		}
	}
}
