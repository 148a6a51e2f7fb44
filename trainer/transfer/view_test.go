package transfer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestViews(t *testing.T) {
	pix := []byte{
		10, 20, 30,
		40, 50, 60,
		70, 80, 90,
	}
	same := view{gain: 1}
	with := func(change func(v *view)) view { v := same; change(&v); return v }
	for _, tc := range []struct {
		name string
		view view
		want []byte
	}{
		{"unchanged", same, pix},
		{"mirrored", with(func(v *view) { v.mirror = true }), []byte{30, 20, 10, 60, 50, 40, 90, 80, 70}},
		{"a quarter", with(func(v *view) { v.turns = 1 }), []byte{70, 40, 10, 80, 50, 20, 90, 60, 30}},
		{"a half", with(func(v *view) { v.turns = 2 }), []byte{90, 80, 70, 60, 50, 40, 30, 20, 10}},
		{"three quarters", with(func(v *view) { v.turns = 3 }), []byte{30, 60, 90, 20, 50, 80, 10, 40, 70}},
		{"mirrored and a quarter", with(func(v *view) { v.turns, v.mirror = 1, true }),
			[]byte{90, 60, 30, 80, 50, 20, 70, 40, 10}},
		{"to the right", with(func(v *view) { v.dx = 1 }), []byte{10, 10, 20, 40, 40, 50, 70, 70, 80}},
		{"to the left and down", with(func(v *view) { v.dx, v.dy = -1, 1 }), []byte{20, 30, 30, 20, 30, 30, 50, 60, 60}},
		{"farther than the side", with(func(v *view) { v.dy = -7 }), []byte{70, 80, 90, 70, 80, 90, 70, 80, 90}},
		{"brighter", with(func(v *view) { v.gain, v.offset = 3, -30 }), []byte{0, 30, 60, 90, 120, 150, 180, 210, 240}},
		{"white", with(func(v *view) { v.offset = 200 }), []byte{210, 220, 230, 240, 250, 255, 255, 255, 255}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := make([]byte, len(pix))
			tc.view.apply(got, pix, 3)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// A few hundred draws show every turn and mirror, and shifts up to the limit.
func TestDrawView(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	seen := make(map[string]bool)
	for range 500 {
		v := drawView(rng, 2)
		seen[fmt.Sprint("turns ", v.turns, v.mirror)], seen[fmt.Sprint("shift ", v.dx, v.dy)] = true, true
		if v.gain < 1-gainRange || v.gain > 1+gainRange || v.offset < -offsetRange || v.offset > offsetRange {
			t.Fatalf("brightness out of range: %+v", v)
		}
	}
	if len(seen) != 8+25 {
		t.Errorf("%d kinds of views, want 33: %v", len(seen), seen)
	}
}
