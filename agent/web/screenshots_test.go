package web_test

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestScreenshots makes the screenshots of the documentation: `make screenshots`. SCREENSHOTS is
// the output folder. SCREENSHOTS_DEMO is a folder of `tirewatch demo --dir`; its model judges its
// film of a belt.
func TestScreenshots(t *testing.T) {
	out, demo := os.Getenv("SCREENSHOTS"), os.Getenv("SCREENSHOTS_DEMO")
	if out == "" {
		t.Skip("SCREENSHOTS is not set: run make screenshots")
	}
	dir := t.TempDir()
	fillJournal(t, filepath.Join(dir, "journal.db"), 4200)
	address := freeAddress(t)
	s := startWith(t, dir, address, `
[station]
site = "hamburg"
line = "line1"
name = "station3"
[camera]
source = "file:`+filepath.Join(demo, "belt.avi")+`"
realtime = true
loop = true
[model]
keys = ["`+filepath.Join(demo, "plant.key.pub")+`"]
initial = "`+filepath.Join(demo, "model.tire")+`"
dir = "models"
[journal]
path = "journal.db"
[metrics]
listen = ""
[page]
listen = "`+address+`"
`)
	b := browser(t)
	for _, shot := range []struct {
		name             string
		screen           screen
		language, scheme string
		view, ready      string
	}{
		{"page-live", screen{"desktop", 1200, 780, 1, false}, "en", "light", "live", `
			document.querySelectorAll('#live-stage .outline').length === 1 &&
			document.querySelector('#verdict').classList.contains('crack') &&
			[...document.querySelectorAll('#last li:nth-child(-n+6) img')].filter(i => i.naturalWidth > 0).length >= 6`},
		{"page-phone", screen{"phone", 390, 844, 1, true}, "de", "dark", "live", `
			document.querySelectorAll('#live-stage .outline').length === 1 &&
			document.querySelector('#verdict').classList.contains('normal')`},
		{"page-setup", screen{"desktop", 1200, 780, 1, false}, "id", "light", "setup", `
			document.querySelectorAll('#setup-stage .outline').length === 1`},
	} {
		p := open(t, b, shot.screen, shot.language, shot.scheme, s.url)
		p.visit(shot.view)
		p.until(shot.ready)
		data, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		small := shrinkPNG(t, data)
		t.Logf("%s: %d kB, before shrinking %d kB", shot.name, len(small)/1000, len(data)/1000)
		if len(small) >= 150_000 {
			t.Errorf("%s has %d bytes, want less than 150 kB", shot.name, len(small))
		}
		if err := os.WriteFile(filepath.Join(out, shot.name+".png"), small, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// shrinkPNG reduces a screenshot to 256 colours: 40 greys for the photographs, and the most
// frequent colours of the page.
func shrinkPNG(t *testing.T, data []byte) []byte {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA) }
	frequency := map[color.RGBA]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if c := at(x, y); c.R != c.G || c.G != c.B {
				frequency[c]++
			}
		}
	}
	var palette color.Palette
	for i := range 40 {
		palette = append(palette, color.Gray{uint8(i * 255 / 39)})
	}
	colours := slices.SortedFunc(maps.Keys(frequency), func(a, c color.RGBA) int {
		return cmp.Compare(frequency[c], frequency[a])
	})
	for _, c := range colours[:min(256-len(palette), len(colours))] {
		palette = append(palette, c)
	}
	small, index := image.NewPaletted(b, palette), map[color.RGBA]uint8{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := at(x, y)
			i, ok := index[c]
			if !ok {
				i = uint8(palette.Index(c))
				index[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
