package trainer_test

import (
	"bytes"
	"image"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/preprocess"
)

// The sheet shows each image unchanged and, beside it, changed versions. Without augmentation a row
// is the same image eight times.
func TestAugmentationSheet(t *testing.T) {
	// Cells of 160 px and gaps of 4, as in sheet.go. Images of that size are neither shrunk nor
	// enlarged.
	wide := preprocess.Spec{Width: 160, Height: 80, Filter: preprocess.FilterTriangle}
	var train []trainer.Sample
	for i := range 9 {
		pix := make([]byte, wide.Size())
		for k := range pix {
			pix[k] = uint8(k%160 + 10*i)
		}
		train = append(train, trainer.Sample{Pix: pixels.Of(pix), Crack: i%3 == 0})
	}
	sheet := func(cfg checkpoint.Config) *image.Gray {
		s, err := trainer.AugmentationSheet(cfg, wide, train)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain := sheet(checkpoint.Config{Seed: 1})
	if size := plain.Rect.Size(); size.X != 8*164+8 || size.Y != 6*84+4 {
		t.Fatalf("a sheet of %v px", size)
	}
	tile := func(pix []byte, row, column int) (out []byte) {
		x := 4 + column*164
		if column > 0 {
			x += 4
		}
		for y := range 80 {
			out = append(out, pix[(4+row*84+y)*plain.Stride+x:][:160]...)
		}
		return out
	}
	changed := sheet(config(1))
	for row, i := range []int{0, 1, 3, 4, 6, 7} { // crack and sound alternating, spread over each class
		for column := range 8 {
			if got := tile(plain.Pix, row, column); !bytes.Equal(got, load(t, train[i])) {
				t.Errorf("not augmented, row %d, column %d: not image %d", row, column, i)
			}
			if same := bytes.Equal(tile(changed.Pix, row, column), load(t, train[i])); same != (column == 0) {
				t.Errorf("augmented, row %d, column %d: unchanged %t", row, column, same)
			}
		}
	}
}
