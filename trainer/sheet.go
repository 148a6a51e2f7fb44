package trainer

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"

	"tirewatch/trainer/augment"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/preprocess"
)

// Layout of the sheet: sheetRows images, each with its first sheetVersions augmented versions. The
// larger side of each is sheetCell px.
const (
	sheetRows     = 6
	sheetVersions = 7
	sheetCell     = 160
	sheetGap      = 4
)

// AugmentationSheet draws a page of samples. Each row starts with a training image, unchanged;
// beside it is what the network sees of it in the first passes. They are exactly the images of a
// training with cfg. Cracked and sound tires alternate.
func AugmentationSheet(cfg checkpoint.Config, spec preprocess.Spec, train []Sample) (*image.Gray, error) {
	rows := sheetImages(train)
	long := max(spec.Width, spec.Height)
	cell := image.Pt(sheetCell*spec.Width/long, sheetCell*spec.Height/long)
	width, height := (sheetVersions+1)*(cell.X+sheetGap)+2*sheetGap, len(rows)*(cell.Y+sheetGap)+sheetGap
	sheet := image.NewGray(image.Rect(0, 0, width, height))
	draw.Draw(sheet, sheet.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	pixels := make([]float32, spec.Size())
	for row, i := range rows {
		pix, err := train[i].Pix.Load(nil)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", train[i].Name, err)
		}
		for k := range sheetVersions + 1 {
			t := augment.Identity(spec.Width, spec.Height)
			x := sheetGap
			if k > 0 {
				t = cfg.Augment.Draw(rand.New(stream(cfg.Seed, streamImage, k, i)), spec.Width, spec.Height)
				x += k*(cell.X+sheetGap) + sheetGap
			}
			t.Apply(pixels, spec.Width, spec.Height, pix)
			at := image.Pt(x, sheetGap+row*(cell.Y+sheetGap))
			shrink(sheet.SubImage(image.Rectangle{at, at.Add(cell)}).(*image.Gray), pixels, spec.Width, spec.Height)
		}
	}
	return sheet, nil
}

// sheetImages picks images spread over the set, alternating between the classes.
func sheetImages(train []Sample) []int {
	var of [2][]int
	for i, s := range train {
		of[class(s)] = append(of[class(s)], i)
	}
	var picked []int
	for row := range sheetRows {
		if c := of[1-row%2]; row/2 < len(c) {
			picked = append(picked, c[row/2*len(c)/(sheetRows/2)])
		}
	}
	return picked
}

// shrink draws w x h pixels, values 0 to 1, into dst. Each pixel of dst is the mean of the pixels
// that fall on it. A smaller image is enlarged instead.
func shrink(dst *image.Gray, pixels []float32, w, h int) {
	size := dst.Rect.Size()
	for y := range size.Y {
		y0 := y * h / size.Y
		y1 := max((y+1)*h/size.Y, y0+1)
		for x := range size.X {
			x0 := x * w / size.X
			x1 := max((x+1)*w/size.X, x0+1)
			sum := float32(0)
			for sy := y0; sy < y1; sy++ {
				for _, v := range pixels[sy*w+x0 : sy*w+x1] {
					sum += v
				}
			}
			grey := uint8(255*sum/float32((y1-y0)*(x1-x0)) + 0.5)
			dst.SetGray(dst.Rect.Min.X+x, dst.Rect.Min.Y+y, color.Gray{Y: grey})
		}
	}
}
