package report_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A browser shows the page: the stripe of the verdict, the colours of the plots, the heat maps.
// KEEP_SCREENSHOTS=DIR keeps the screenshots for a person to check.
func TestPageInChromium(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("REQUIRE_CHROMIUM") == "1" {
			t.Fatal("REQUIRE_CHROMIUM is set, but chromium is not installed (Debian package chromium)")
		}
		t.Skip("chromium is not installed (Debian package chromium): the page is not opened in a browser")
	}
	page := filepath.Join(write(t, drawn(120)), "report.html")
	for _, c := range []struct {
		name string
		size string // window size, px
		want image.Point
	}{
		{"desk", "1200,4000", image.Pt(1200, 4000)},
		{"phone", "500,7000", image.Pt(500, 7000)}, // headless windows cannot be narrower
	} {
		t.Run(c.name, func(t *testing.T) {
			shot := screenshot(t, chromium, page, c.size)
			if dir := os.Getenv("KEEP_SCREENSHOTS"); dir != "" {
				if err := os.WriteFile(filepath.Join(dir, c.name+".png"), shot, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			img, err := png.Decode(bytes.NewReader(shot))
			if err != nil {
				t.Fatal(err)
			}
			if img.Bounds().Size() != c.want {
				t.Fatalf("screenshot of %v, want %v", img.Bounds().Size(), c.want)
			}
			for name, want := range map[string]color.RGBA{
				"the stripe of a fair verdict": {0xe6, 0x9f, 0x00, 0xff},
				"blue of a plot":               {0x00, 0x72, 0xb2, 0xff},
				"vermilion of a plot":          {0xd5, 0x5e, 0x00, 0xff},
			} {
				if n := count(img, want, 8); n < 200 {
					t.Errorf("%s: %d points", name, n)
				}
			}
			if n := hot(img); n < 500 {
				t.Errorf("heat: %d points", n)
			}
		})
	}
}

// screenshot opens the page in a window of the given size.
func screenshot(t *testing.T, chromium, page, size string) []byte {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "shot.png")
	cmd := exec.CommandContext(t.Context(), chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--screenshot="+out, "--window-size="+size, "file://"+page)
	said, err := cmd.CombinedOutput()
	data, readErr := os.ReadFile(out)
	if err != nil || readErr != nil {
		t.Fatalf("chromium: %v, %v\n%s", err, readErr, said)
	}
	return data
}

// count returns the number of pixels of a colour.
func count(img image.Image, want color.RGBA, tolerance int) int {
	near := func(a uint32, b uint8) bool { d := int(a>>8) - int(b); return d <= tolerance && -d <= tolerance }
	return countIf(img, func(r, g, b uint32) bool { return near(r, want.R) && near(g, want.G) && near(b, want.B) })
}

// hot counts the yellow pixels of the hottest places.
func hot(img image.Image) int {
	return countIf(img, func(r, g, b uint32) bool { return r>>8 > 190 && g>>8 > 130 && b>>8 < 110 && r>>8 < 229 })
}

func countIf(img image.Image, is func(r, g, b uint32) bool) int {
	n := 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); is(r, g, b) {
				n++
			}
		}
	}
	return n
}
