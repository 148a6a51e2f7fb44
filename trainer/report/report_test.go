package report_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/pixels"
	"tirewatch/trainer/report"
)

const side = 96

// drawn makes a report over n images, every second one a crack, from a model that is sometimes
// wrong.
func drawn(n int) *report.Report {
	rng := rand.New(rand.NewPCG(1, 2))
	r := &report.Report{
		Title: "Training runs/monday", Part: report.Validation, Threshold: 0.5, Width: side, Height: side,
		Facts: []report.Fact{{"Network", "108657 parameters"}, {"Seed", "1"}},
		Tables: []report.Table{{Title: "Quantization by layer", Note: "Range is <the activation> that becomes 255.",
			Header: []string{"layer", "range", "signal to noise"}, Rows: [][]string{{"conv1", "3.25", "38.3 dB"}, {"conv2", "7.1", "35.0 dB"}}}},
	}
	for i := range n {
		crack := i%2 == 0
		pix := make([]byte, side*side)
		for k := range pix {
			x, y := float64(k%side)-side/2, float64(k/side)-side/2
			pix[k] = uint8(110 + 50*math.Cos(math.Hypot(x, y)/4) + 20*rng.Float64())
		}
		logit := 2.6*rng.NormFloat64() - 4
		name := "training/normal/photo_" + string(rune('a'+i%26)) + "_of_a_sound_tire_with_a_long_name.jpg"
		if crack {
			logit += 8
			name = "training/crack/crack <" + string(rune('a'+i%26)) + "> & \"more\".jpg"
			for d := range 40 {
				pix[(30+d/2)*side+20+d] = 0
				pix[(31+d/2)*side+20+d] = 0
			}
		}
		r.Images = append(r.Images, report.Image{Name: name, Pix: pixels.Of(pix), Crack: crack, Score: 1 / (1 + math.Exp(-logit))})
	}
	for e := range 30 {
		x := float64(e) / 8
		r.History = append(r.History, checkpoint.Epoch{Epoch: e + 1, Rate: 0.001,
			TrainLoss: 0.1 + 0.6*math.Exp(-x), TrainAccuracy: 0.97 - 0.4*math.Exp(-x),
			ValLoss: 0.15 + 0.5*math.Exp(-x) + 0.04*rng.Float64(), ValAccuracy: 0.96 - 0.38*math.Exp(-x) - 0.03*rng.Float64()})
	}
	r.Best = 28
	r.Explain = func([]byte) (nn.Heat, error) {
		h := nn.Heat{Layer: "conv2", W: 6, H: 6, FirstX: 7, FirstY: 7, Step: 16, Values: make([]float32, 36)}
		h.Values[2*6+2], h.Values[2*6+3] = 1, 0.6
		return h, nil
	}
	return r
}

func write(t *testing.T, r *report.Report) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Every picture exists, has its size, and is more than an empty frame.
func TestPictures(t *testing.T) {
	dir := write(t, drawn(120))
	for name, want := range map[string]image.Point{
		"curves.png": {936, 1053}, "confusion.png": {936, 702}, "roc.png": {936, 702}, "pr.png": {936, 702},
		"calibration.png": {936, 702}, "scores.png": {936, 878}, "mistakes.png": {}, "gradcam.png": {},
	} {
		img, err := png.Decode(bytes.NewReader(read(t, dir, name)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if size := img.Bounds().Size(); want != (image.Point{}) && size != want {
			t.Errorf("%s is %v, want %v", name, size, want)
		}
		painted, all := 0, 0
		for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 3 {
			for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 3 {
				if r, g, b, _ := img.At(x, y).RGBA(); min(r, g, b) < 0x8000 {
					painted++
				}
				all++
			}
		}
		if painted*200 < all {
			t.Errorf("%s: only %d of %d pixels are painted", name, painted, all)
		}
	}
}

// Unknown parts are left out: a bundle has neither a history nor gradients.
func TestBundleHasNoCurves(t *testing.T) {
	r := drawn(40)
	r.History, r.Explain, r.Part = nil, nil, report.Test
	dir := write(t, r)
	for _, name := range []string{"curves.png", "gradcam.png"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if page := string(read(t, dir, "report.html")); strings.Contains(page, "Training curves") || strings.Contains(page, "Where it sees") {
		t.Error("the page has curves or heat maps")
	}
}

// The same input gives the same bytes.
func TestDeterministic(t *testing.T) {
	a, b := write(t, drawn(60)), write(t, drawn(60))
	files, err := os.ReadDir(a)
	if err != nil || len(files) != 9 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if !bytes.Equal(read(t, a, f.Name()), read(t, b, f.Name())) {
			t.Errorf("%s differs", f.Name())
		}
	}
}

// The page is well-formed, loads nothing, runs nothing, and shows names unchanged.
func TestPageStandsAlone(t *testing.T) {
	page := read(t, write(t, drawn(120)), "report.html")
	z := html.NewTokenizer(bytes.NewReader(page))
	void := map[string]bool{"meta": true, "img": true, "br": true}
	var open []string
	var text strings.Builder
	images := 0
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		token := z.Token()
		switch kind {
		case html.TextToken:
			text.WriteString(token.Data)
		case html.StartTagToken:
			if !void[token.Data] {
				open = append(open, token.Data)
			}
			if token.Data == "script" || token.Data == "link" || token.Data == "iframe" {
				t.Errorf("<%s> in the page", token.Data)
			}
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "href" || a.Key == "srcset" || a.Key == "style" {
					t.Errorf("<%s %s=%.40q>", token.Data, a.Key, a.Val)
				}
				if a.Key == "src" {
					images++
					checkData(t, a.Val)
				}
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes %v", token.Data, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("never closed: %v", open)
	}
	if strings.Contains(text.String(), "http:") || strings.Contains(text.String(), "https:") || strings.Contains(text.String(), "url(") || strings.Contains(text.String(), "@import") {
		t.Error("the page refers to something outside")
	}
	if !strings.Contains(text.String(), `training/crack/crack <`) {
		t.Error("no crack file name is shown unchanged")
	}
	if strings.Contains(text.String(), "ZgotmplZ") || images < 6+12 {
		t.Errorf("%d images", images)
	}
}

// checkData requires an image inside the page.
func checkData(t *testing.T, src string) {
	_, encoded, ok := strings.Cut(src, ";base64,")
	if !ok || !strings.HasPrefix(src, "data:image/") {
		t.Errorf("image from %.60q", src)
		return
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil {
		_, _, err = image.Decode(bytes.NewReader(data))
	}
	if err != nil {
		t.Errorf("image in the page: %v", err)
	}
}

// Unusual reports do not fail: one epoch, one class, all right, a model that always gives the same
// answer.
func TestOddInput(t *testing.T) {
	for name, change := range map[string]func(r *report.Report){
		"one epoch":      func(r *report.Report) { r.History, r.Best = r.History[:1], 1 },
		"a wild epoch":   func(r *report.Report) { r.History[3].ValLoss, r.History[4].TrainLoss = math.Inf(1), math.NaN() },
		"no best":        func(r *report.Report) { r.Best = 0 },
		"no mistakes":    func(r *report.Report) { each(r, func(im *report.Image) { im.Score = truth(im.Crack) }) },
		"all wrong":      func(r *report.Report) { each(r, func(im *report.Image) { im.Score = truth(!im.Crack) }) },
		"equal scores":   func(r *report.Report) { each(r, func(im *report.Image) { im.Score = 0.3 }) },
		"only cracks":    func(r *report.Report) { each(r, func(im *report.Image) { im.Crack = true }) },
		"only sound":     func(r *report.Report) { each(r, func(im *report.Image) { im.Crack = false }) },
		"one image":      func(r *report.Report) { r.Images = r.Images[:1] },
		"threshold 0":    func(r *report.Report) { r.Threshold = 0 },
		"threshold 1":    func(r *report.Report) { r.Threshold = 1 },
		"other letters":  func(r *report.Report) { each(r, func(im *report.Image) { im.Name = "写真/Reifen-ölig/" + im.Name }) },
		"a cold network": func(r *report.Report) { cold(r) },
		"a wide image": func(r *report.Report) {
			each(r, func(im *report.Image) { im.Pix = pixels.Of(make([]byte, side*side/4)) })
			r.Height /= 4
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := drawn(20)
			change(r)
			write(t, r)
		})
	}
}

func each(r *report.Report, change func(im *report.Image)) {
	for i := range r.Images {
		change(&r.Images[i])
	}
}

func truth(crack bool) float64 {
	if crack {
		return 1
	}
	return 0
}

// cold makes a heat map without any place that looks like a crack.
func cold(r *report.Report) {
	r.Explain = func([]byte) (nn.Heat, error) {
		return nn.Heat{Layer: "c", W: 1, H: 1, Step: 8, Values: make([]float32, 1)}, nil
	}
}

func TestRefuses(t *testing.T) {
	r := drawn(4)
	r.Images[2].Score = math.NaN()
	if err := r.Write(t.TempDir()); !errors.Is(err, metrics.ErrInput) {
		t.Errorf("error %v, want ErrInput", err)
	}
	r = drawn(4)
	each(r, func(im *report.Image) { im.Score, im.Pix = truth(!im.Crack), pixels.Image{} })
	if err := r.Write(t.TempDir()); err == nil || !strings.Contains(err.Error(), "image of 0 bytes") {
		t.Errorf("error %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := drawn(4).Write(file); err == nil {
		t.Error("a report was written into a file")
	}
}

// The area under the ROC curve has an interval when it is known which images belong together.
func TestIntervalOverGroups(t *testing.T) {
	r := drawn(40)
	row := func() string {
		t.Helper()
		dir := t.TempDir()
		if err := r.Write(dir); err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(filepath.Join(dir, "report.html"))
		if err != nil {
			t.Fatal(err)
		}
		_, row, _ := strings.Cut(string(page), "Area under the ROC curve")
		row, _, _ = strings.Cut(row, "</tr>")
		return row
	}
	if got := row(); !strings.Contains(got, `<td class="range"></td>`) {
		t.Errorf("without groups: %s", got)
	}
	for i := range r.Images {
		r.Images[i].Group = fmt.Sprint(i / 4)
	}
	if got := row(); !strings.Contains(got, "10 groups of images") || !regexp.MustCompile(`range">0\.\d{4} to [01]\.\d{4}<`).MatchString(got) {
		t.Errorf("with groups: %s", got)
	}
}

// With two thresholds the page says how many tires are unsure, and no unsure tire is a mistake. The
// price of unsure answers is on every page with both classes, before the other tables.
func TestThreeAnswers(t *testing.T) {
	two, three := drawn(120), drawn(120)
	three.SoundBelow, three.Threshold = 0.2, 0.8
	page := string(read(t, write(t, three), "report.html"))
	for _, want := range []string{"It is unsure of ", "Unsure tires", "Sound below", "Crack from", "The price of unsure answers"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	old := string(read(t, write(t, two), "report.html"))
	if strings.Contains(old, "Unsure tires") || strings.Index(old, "The price of unsure") > strings.Index(old, "Quantization by layer") {
		t.Error("with one threshold there is an unsure tire, or the price is not the first table")
	}
	if bytes.Equal(read(t, write(t, two), "scores.png"), read(t, write(t, three), "scores.png")) {
		t.Error("the histogram does not show the unsure tires")
	}
}
