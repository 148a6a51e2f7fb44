package synth

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"sort"
	"testing"
)

// luma returns the grey value of a pixel, as in the trainer's preprocessing.
func luma(img *image.RGBA, x, y int) float64 {
	p := img.Pix[img.PixOffset(x, y):]
	return 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])
}

func meanLuma(img *image.RGBA) float64 {
	sum := 0.0
	b := img.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			sum += luma(img, x, y)
		}
	}
	return sum / float64(b.Dx()*b.Dy())
}

func TestDrawIsAFunctionOfItsArguments(t *testing.T) {
	type args struct {
		view    View
		size    int
		seed    uint64
		i       int
		cracked bool
	}
	base := args{CloseUp, 160, 1, 2, false}
	draw := func(a args) []byte { return Draw(a.view, a.size, a.seed, a.i, a.cracked).Pix }
	first := draw(base)
	for name, a := range map[string]args{
		"another view":  {Side, 160, 1, 2, false},
		"another seed":  {CloseUp, 160, 2, 2, false},
		"another index": {CloseUp, 160, 1, 3, false},
		"cracked":       {CloseUp, 160, 1, 2, true},
		"another size":  {CloseUp, 161, 1, 2, false},
	} {
		if bytes.Equal(draw(a), first) {
			t.Errorf("%s: the same picture", name)
		}
		// The canvas from the pool was used by another picture. Nothing of that may be visible.
		if !bytes.Equal(draw(base), first) {
			t.Fatalf("after %s: the first picture changed", name)
		}
	}
}

func TestDrawKeepsToSizeLimits(t *testing.T) {
	for _, c := range []struct{ ask, want int }{{-1, 96}, {0, 96}, {96, 96}, {250, 250}} {
		if got := Draw(Side, c.ask, 1, 1, true).Bounds(); got != image.Rect(0, 0, c.want, c.want) {
			t.Errorf("size %d: got %v, want %d square", c.ask, got, c.want)
		}
	}
}

// The network sees 379 x 379 grey pixels, so a crack must change enough of them to be learned. Out
// of focus, a dense field also darkens the area between its cracks, but a picture that is mostly
// crack teaches nothing about cracks.
func TestCracksAreVisible(t *testing.T) {
	const want = 100 // changed pixels
	for _, view := range []View{CloseUp, Side} {
		for i := range 24 {
			sound, cracked := Draw(view, unitSide, 11, i, false), Draw(view, unitSide, 11, i, true)
			changed := 0
			for y := range unitSide {
				for x := range unitSide {
					if luma(sound, x, y)-luma(cracked, x, y) > 10 {
						changed++
					}
				}
			}
			if changed < want {
				t.Errorf("%v %d: cracks darken only %d pixels, want %d or more", view, i, changed, want)
			}
			if share := float64(changed) / (unitSide * unitSide); share > 0.5 {
				t.Errorf("%v %d: cracks cover %.0f %% of the picture", view, i, 100*share)
			}
		}
	}
}

// A model must not be able to predict the class from brightness alone.
func TestBrightnessDoesNotPredictTheClass(t *testing.T) {
	const n = 120
	for _, view := range []View{CloseUp, Side} {
		type sample struct {
			mean    float64
			cracked bool
		}
		var all []sample
		for i := range 2 * n {
			cracked := i%2 == 0
			all = append(all, sample{meanLuma(Draw(view, 96, 5, i, cracked)), cracked})
		}
		sort.Slice(all, func(i, j int) bool { return all[i].mean < all[j].mean })
		ranks := 0
		for r, s := range all {
			if s.cracked {
				ranks += r + 1
			}
		}
		// Area under the ROC curve of "bright means cracked", by the rank sum. Its deviation for
		// two classes of n images is 0.037.
		auc := (float64(ranks) - n*(n+1)/2) / (n * n)
		if math.Abs(auc-0.5) > 0.12 {
			t.Errorf("%v: brightness alone predicts the class: AUC %.3f", view, auc)
		}
	}
}

func TestPicturesDiffer(t *testing.T) {
	for _, view := range []View{CloseUp, Side} {
		seen := map[string]int{}
		for i := range 30 {
			key := fmt.Sprint(Draw(view, 96, 9, i, false).Pix[:400])
			if j, ok := seen[key]; ok {
				t.Errorf("%v: pictures %d and %d start with the same pixels", view, j, i)
			}
			seen[key] = i
		}
	}
}

func TestParseView(t *testing.T) {
	for _, v := range []View{CloseUp, Side} {
		if got, err := ParseView(v.String()); err != nil || got != v {
			t.Errorf("ParseView(%q) = %v, %v", v, got, err)
		}
	}
	if _, err := ParseView("top"); err == nil {
		t.Error(`ParseView("top"): no error`)
	}
}
