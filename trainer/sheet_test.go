package trainer_test

import (
	"bytes"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/preprocess"
)

// The sheet shows images as they are and, beside them, other ones; without augmentation a row is one picture eight times.
func TestAugmentationSheet(t *testing.T) {
	// Tiles of 160 px and gaps of 4, as sheet.go draws them; images of that size are neither shrunk nor grown.
	wide := preprocess.Spec{Width: 160, Height: 80, Filter: preprocess.FilterTriangle}
	var train []trainer.Sample
	for i := range 9 {
		s := trainer.Sample{Pix: make([]byte, wide.Size()), Crack: i%3 == 0}
		for k := range s.Pix {
			s.Pix[k] = uint8(k%160 + 10*i)
		}
		train = append(train, s)
	}
	plain := trainer.AugmentationSheet(checkpoint.Config{Seed: 1}, wide, train)
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
	changed := trainer.AugmentationSheet(config(1), wide, train)
	for row, image := range []int{0, 1, 3, 4, 6, 7} { // crack and sound in turn, spread over each class
		for column := range 8 {
			if got := tile(plain.Pix, row, column); !bytes.Equal(got, train[image].Pix) {
				t.Errorf("not augmented, row %d, column %d: not image %d", row, column, image)
			}
			if same := bytes.Equal(tile(changed.Pix, row, column), train[image].Pix); same != (column == 0) {
				t.Errorf("augmented, row %d, column %d: unchanged %t", row, column, same)
			}
		}
	}
}
