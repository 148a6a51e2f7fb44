package synth

import (
	"flag"
	"image"
	"image/draw"
	"image/png"
	"os"
	"testing"
)

var sheet = flag.String("sheet", "", "write a contact sheet of both views to this PNG `file`")

// TestContactSheet puts pictures side by side for people: go test -run TestContactSheet -sheet
// sheet.png
func TestContactSheet(t *testing.T) {
	if *sheet == "" {
		t.Skip("no -sheet file given")
	}
	const side, columns, rows = 379, 6, 2
	page := image.NewRGBA(image.Rect(0, 0, columns*side, 4*rows*side))
	for block := range 4 {
		view, cracked := View(block/2), block%2 == 0
		for i := range columns * rows {
			at := image.Pt(i%columns*side, (block*rows+i/columns)*side)
			img := Draw(view, side, 1, i+1000*(block%2), cracked)
			draw.Draw(page, img.Bounds().Add(at), img, image.Point{}, draw.Src)
		}
	}
	f, err := os.Create(*sheet)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, page); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, view := range []View{CloseUp, Side} {
		b.Run(view.String(), func(b *testing.B) {
			for i := range b.N {
				Draw(view, 512, 7, i, i%2 == 0)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
