package verdict_test

import (
	"image"
	"image/color"
	"math"
	"reflect"
	"testing"

	"tirewatch/vision/verdict"
)

// sideWall is a ring in four quarters. The one at the right side of the frame has a crack.
func sideWall() *verdict.Tiling {
	p := &verdict.Tiling{View: "sidewall", Frame: 801, Worst: 1, Angle: 90, Ring: &verdict.Ring{
		Outer: verdict.Circle{X: 100, Y: 100, R: 90}, Inner: verdict.Circle{X: 100, Y: 100, R: 50}}}
	for i, logit := range []float64{-4, 3, -1, -4} {
		from := float64(90*i) + 315
		if from >= 360 {
			from -= 360
		}
		p.Tiles = append(p.Tiles, verdict.Tile{Crop: [4]int{10, 10, 190, 190}, From: from, To: from + 90, Logit: logit})
	}
	return p
}

func TestPartsInBothEncodings(t *testing.T) {
	v := example()
	v.Tiling = sideWall()
	for _, e := range []verdict.Encoding{verdict.JSON, verdict.MessagePack} {
		b, err := v.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verdict.Decode(b)
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s: read %+v, %v", e, got, err)
		}
	}
}

// The heat map is red at the crack, and not red outside the tire or on its sound side.
func TestHeatMap(t *testing.T) {
	frame := image.NewUniform(color.Gray{Y: 100})
	photo := image.NewGray(image.Rect(0, 0, 200, 200))
	for i := range photo.Pix {
		photo.Pix[i] = 100
	}
	for name, under := range map[string]image.Image{"on the frame": photo, "alone": nil, "on an infinite image": frame} {
		m := sideWall().HeatMap(under, 0.5)
		if m.Bounds() != image.Rect(10, 10, 190, 190) {
			t.Fatalf("%s: %v", name, m.Bounds())
		}
		redness := func(degrees, r float64) int {
			sin, cos := math.Sincos(degrees * math.Pi / 180)
			c := m.RGBAAt(int(100+r*sin), int(100-r*cos))
			return int(c.R) - int(c.B)
		}
		cracked, doubtful, sound, hole := redness(90, 70), redness(180, 70), redness(0, 70), redness(90, 40)
		if !(cracked > 80 && doubtful > 20 && doubtful < cracked && sound < 10 && hole == 0) {
			t.Errorf("%s: redness %d, %d, %d, %d", name, cracked, doubtful, sound, hole)
		}
		if c := m.RGBAAt(189, 100); c != (color.RGBA{R: 255, G: 255, B: 255, A: 255}) {
			t.Errorf("%s: the deciding tile has no border: %v", name, c)
		}
	}
}

// Square tiles: where two overlap, the one with the higher score counts.
func TestHeatMapOfTiles(t *testing.T) {
	p := &verdict.Tiling{View: "tiles", Worst: 1, Tiles: []verdict.Tile{
		{Crop: [4]int{0, 0, 60, 60}, Logit: -5}, {Crop: [4]int{40, 0, 100, 60}, Logit: 2},
	}}
	m := p.HeatMap(nil, 0.5)
	if cold, both := m.RGBAAt(20, 30), m.RGBAAt(50, 30); cold.R > cold.B+10 || both.R < both.B+80 {
		t.Errorf("cold %v, hot %v", cold, both)
	}
}

// A verdict may be hostile: no numbers in it produce an image that is too large for the memory.
func TestHeatMapOfNonsense(t *testing.T) {
	for _, crop := range [][4]int{{0, 0, 1 << 40, 1 << 40}, {math.MinInt, 0, math.MaxInt, 5}, {}} {
		p := &verdict.Tiling{Worst: -7, Tiles: []verdict.Tile{{Crop: crop, Logit: math.NaN()}}}
		if b := p.HeatMap(nil, 0).Bounds(); !b.Empty() {
			t.Errorf("%v: %v", crop, b)
		}
	}
}
