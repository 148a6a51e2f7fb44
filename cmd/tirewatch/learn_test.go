package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tirewatch/agent/inspection"
	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/internal/each"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/camera"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

var (
	learnTires = flag.Int("learn.tires", 0, "how many tires pass the line of TestLearnFromTheLine: make finetune-line; 0: a few, to test only the steps")
	learnLabel = flag.Int("learn.label", 60, "how many of them are labelled")
	learnBase  = flag.String("learn.base", "", "checkpoint of the first network of the line; without it one is trained")
)

// An otherLine is a line whose images look different from all training images.
type otherLine struct {
	seed    uint64
	size    int // px
	cracked []bool
}

// newLine has n tires, three of ten cracked.
func newLine(seed uint64, size, n int) *otherLine {
	l := &otherLine{seed: seed, size: size, cracked: make([]bool, n)}
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range l.cracked {
		l.cracked[i] = rng.Float64() < 0.3
	}
	return l
}

// tire draws an image of tire i: haze on the glass reduces the contrast, the lamp is on one side,
// and water runs down in streaks as thin and dark as cracks.
func (l *otherLine) tire(i int) *image.Gray {
	rng := rand.New(rand.NewPCG(l.seed, uint64(i)+1))
	drawn := synth.Draw(synth.Side, l.size, l.seed, i, l.cracked[i])
	n, side := float64(l.size), l.size
	light := make([]float64, side*side)
	for p := range light {
		c := drawn.Pix[4*p:]
		grey := 0.299*float64(c[0]) + 0.587*float64(c[1]) + 0.114*float64(c[2])
		x, y := float64(p%side)/n, float64(p/side)/n
		light[p] = (0.75*grey + 27) * (0.65 + 0.6*x + 0.1*y)
	}
	for range 5 + rng.IntN(8) {
		x, y := rng.Float64()*n, rng.Float64()*n*0.7
		drift, dark := rng.NormFloat64()*0.15, 0.72+0.2*rng.Float64()
		for end := y + n*(0.08+0.25*rng.Float64()); y < end && y < n; y++ {
			x += drift + rng.NormFloat64()*0.35
			if x >= 0 && x < n-1 {
				p := int(y)*side + int(x)
				light[p] *= dark
				light[p+1] *= (1 + dark) / 2
			}
		}
	}
	img := image.NewGray(drawn.Rect)
	for p, v := range light {
		img.Pix[p] = uint8(math.Round(min(max(v+2.5*rng.NormFloat64(), 0), 255)))
	}
	return img
}

// belt shows the tires of a line to a station, one every half minute.
type belt struct {
	*otherLine
	images []*image.Gray
	next   int
}

var _ camera.Source = (*belt)(nil)

func (b *belt) Next(context.Context) (*frame.Frame, error) {
	if b.next == len(b.images) {
		return nil, io.EOF
	}
	img := b.images[b.next]
	b.next++
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC).Add(time.Duration(b.next) * 30 * time.Second)
	return &frame.Frame{Pix: img.Pix, Width: img.Rect.Dx(), Height: img.Rect.Dy(), Stride: img.Stride, Format: frame.Gray, Seq: uint64(b.next), Time: at}, nil
}

func (b *belt) Close() error { return nil }

const learnStation = "hamburg/line1/station3"

// Ways to choose the crops to label: the least certain with every fourth from the sample, or any.
const (
	leastCertain = "in the order of the list"
	atRandom     = "at random"
)

// pass lets a station judge the images with the model and keep all crops, so that different choices
// of labels can be compared.
func pass(t *testing.T, dir, model, key string, l *otherLine, images []*image.Gray) *journal.Journal {
	t.Helper()
	public, err := bundle.ReadPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	store, err := models.Open(models.Options{Dir: filepath.Join(dir, "models"), Verify: models.Verifier([]ed25519.PublicKey{public}, learnStation, nil), Log: quiet})
	if err == nil {
		_, err = store.Install(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(filepath.Join(dir, "journal.db"), learnStation)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	station := inspection.New(inspection.Options{
		Source: &belt{otherLine: l, images: images}, Locator: locate.NewRegion(image.Rectangle{}, 0), Models: store, Journal: j, Each: true, Frames: 1,
		Keep:     &review.Policy{Station: learnStation, Band: 2, Share: 0.1, Every: true, Camera: true},
		Observer: inspection.Observer{Problem: func(part, text string) { t.Errorf("%s: %s", part, text) }}, Log: quiet,
	})
	if err := station.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return j
}

// photograph draws the tires from to to-1 of a line.
func photograph(t *testing.T, l *otherLine, from, to int) []*image.Gray {
	t.Helper()
	images := make([]*image.Gray, to-from)
	none := func() (struct{}, error) { return struct{}{}, nil }
	if err := each.Run(t.Context(), len(images), none, func(_ struct{}, i int) error { images[i] = l.tire(from + i); return nil }, nil, func(int) {}); err != nil {
		t.Fatal(err)
	}
	return images
}

// A network that was trained on other images is used on a line that looks different. Some of the
// kept crops are labelled, the first of the list or as many at random. The network is trained on
// the export, and tires of the line that were not labelled show the gain.
func TestLearnFromTheLine(t *testing.T) {
	tires, size, labels := *learnTires, 400, *learnLabel
	base := []string{"--epochs", "24", "--batch", "32"}
	tune := []string{"--epochs", "30", "--batch", "16", "--class-weights", "auto"}
	drawn := []string{"--train", "1400", "--test", "300"}
	ways := []string{leastCertain, atRandom}
	if tires == 0 {
		tires, size, labels = 40, 128, 30
		base, tune = []string{"--epochs", "1", "--batch", "16"}, []string{"--epochs", "1", "--batch", "8"}
		drawn = []string{"--train", "32", "--test", "8"}
		ways = ways[:1]
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	key := []string{"--key", in("plant.key")}
	tirewatch(t, "keygen", in("plant.key"))
	tirewatch(t, append([]string{"dataset", "synth", in("drawn"), "--view", "side", "--size", fmt.Sprint(size)}, drawn...)...)
	start := *learnBase
	if start == "" {
		tirewatch(t, append([]string{"train", in("drawn"), "--out", in("base")}, base...)...)
		start = in("base/best.ckpt")
	}
	quantized := func(ckpt, calibration, out string) {
		t.Helper()
		args := append([]string{"quantize", ckpt, "--calibration", calibration, "--limit", "200", "-o", out}, key...)
		if *learnTires == 0 {
			args = append(args, "--force") // after two epochs the int8 network does not agree well enough
		}
		tirewatch(t, args...)
	}
	quantized(start, in("drawn"), in("base.tire"))

	// the tires of the line pass; as many others are only for testing
	l := newLine(2026, size, 2*tires)
	j := pass(t, dir, in("base.tire"), in("plant.key.pub"), l, photograph(t, l, 0, tires))
	for i, img := range photograph(t, l, tires, 2*tires) {
		class := map[bool]string{true: "crack", false: "normal"}[l.cracked[tires+i]]
		if err := errors.Join(os.MkdirAll(in("held/"+class), 0o755), writePNG(in(fmt.Sprintf("held/%s/%05d.png", class, i)), img)); err != nil {
			t.Fatal(err)
		}
	}
	if got := j.Next() - 1; got != uint64(tires) {
		t.Fatalf("%d verdicts on %d tires", got, tires)
	}
	j.Close()

	for _, way := range ways {
		q := review.Open(journal.CropFolder(in("journal.db")), learnStation, "")
		all, err := q.Next(tires)
		if err != nil || len(all) != tires {
			t.Fatalf("%d crops wait, %v", len(all), err)
		}
		if way == atRandom {
			rand.New(rand.NewPCG(1, 1)).Shuffle(tires, func(i, k int) { all[i], all[k] = all[k], all[i] })
		}
		cracks := 0
		for _, p := range all[:labels] {
			said := review.Normal
			if l.cracked[p.Seq-1] {
				said, cracks = review.Crack, cracks+1
			}
			if err := q.Label(p.Seq, said); err != nil {
				t.Fatal(err)
			}
		}
		set, run, tuned := in("labelled "+way), in("tuned "+way), in("tuned "+way+".tire")
		if _, unmarked, err := q.Export(t.Context(), set, false); err != nil || unmarked != nil {
			t.Fatal(err, unmarked)
		}
		inputs, teaching := filepath.Join(set, "inputs"), set
		if *learnTires > 0 {
			teaching = inputs // the figures of docs/numbers.md are of what the network saw
		}
		tirewatch(t, append([]string{"train", teaching, "--out", run, "--finetune", start}, tune...)...)
		quantized(filepath.Join(run, "best.ckpt"), inputs, tuned)
		var c contest
		if err := json.Unmarshal([]byte(tirewatch(t, "compare", in("base.tire"), tuned, in("held"), "--key", in("plant.key.pub"), "--json")), &c); err != nil {
			t.Fatal(err)
		}
		before, after := c.Old.Report, c.New.Report
		t.Logf("%d tires of the line, %d labelled, %s (%d cracks):", tires, labels, way, cracks)
		t.Logf("  held-out tires %d, cracks among them %d", tires, before.Crack.Support)
		t.Logf("  recall    %.3f -> %.3f", before.Crack.Recall, after.Crack.Recall)
		t.Logf("  accuracy  %.3f -> %.3f", before.Accuracy, after.Accuracy)
		t.Logf("  ROC area  %.3f -> %.3f", before.ROCAUC, after.ROCAUC)
		t.Logf("  %s", c.Sentence)
		if n := before.Crack.Support + before.Normal.Support; n != tires {
			t.Errorf("compared on %d tires, want %d", n, tires)
		}
		if *learnTires > 0 && way == leastCertain && (after.Crack.Recall <= before.Crack.Recall || after.Accuracy <= before.Accuracy) {
			t.Error("the network is not better after training on the line")
		}
		for _, p := range all[:labels] { // for the next way
			if err := q.Label(p.Seq, review.None); err != nil {
				t.Fatal(err)
			}
		}
	}
}
