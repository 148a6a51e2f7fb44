package quantize_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"tirewatch/quantize"
	"tirewatch/quantize/sound"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// stripes draws pictures of px x px with stripes, all of one kind, every third one with a black
// bar.
func stripes(n, px int) (im quantize.Images) {
	for i := range n {
		rng := rand.New(rand.NewPCG(uint64(i), 9))
		phase, pix := 6*rng.Float64(), make([]byte, px*px)
		for k := range pix {
			pix[k] = byte(128 + 40*math.Sin(0.5*float64(k%px)+phase) + 8*rng.NormFloat64())
			if i%3 == 2 && k/px > px/3 && k/px < px/3+3 {
				pix[k] = 0
			}
		}
		im.Pix, im.Crack = append(im.Pix, pix), append(im.Crack, i%3 == 2)
	}
	return im
}

// A job with pictures of sound tires makes a bundle with a second opinion, which tests itself and
// stays far below the message limit of brokers. Without them the bundle has none.
func TestSecondOpinion(t *testing.T) {
	const px = 64
	g := graph.Mobile(px, 4)
	net, err := nn.New(g, rand.New(rand.NewPCG(3, 3)))
	if err != nil {
		t.Fatal(err)
	}
	params := net.Params()
	for _, p := range params[:len(params)-2] { // a new network answers too little for bytes
		for i := range p.Data {
			p.Data[i] *= 2
		}
	}
	c := &checkpoint.Checkpoint{Graph: *g, Params: params, Threshold: 0.5,
		Spec: preprocess.Spec{Width: px, Height: px, Filter: preprocess.FilterTriangle}}
	j := job()
	j.Calibration, j.Evaluation = stripes(18, px), quantize.Images{}
	for i, pix := range j.Calibration.Pix {
		j.Sound = append(j.Sound, sound.Image{Pix: pix, Crack: j.Calibration.Crack[i], Group: strconv.Itoa(i)})
	}
	b, err := quantize.Quantize(t.Context(), c, j)
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.Encode(b, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	got, err := bundle.Decode(data, bundletest.Public(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.SelfTest(); err != nil {
		t.Error(err)
	}
	a := got.Anomaly
	if a == nil {
		t.Fatal("no second opinion")
	}
	if a.Layer != sound.DefaultLayer || a.Result.Sound != 12 || a.Result.Cracks != 6 || a.Result.AUC < 0.9 {
		t.Fatalf("second opinion with the result %+v", a.Result)
	}
	j.Sound = nil
	without, err := quantize.Quantize(t.Context(), c, j)
	if err != nil || without.Anomaly != nil {
		t.Fatalf("%v, %v", without.Anomaly, err)
	}
	plain, err := bundle.Encode(without, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(data) - len(plain); n < 0 || n > 16<<10 {
		t.Errorf("the second opinion takes %d bytes, want at most 16 KiB", n)
	}
	j.Sound = []sound.Image{{Pix: j.Calibration.Pix[0], Group: "a"}}
	if _, err := quantize.Quantize(t.Context(), c, j); !errors.Is(err, sound.ErrTooFew) {
		t.Errorf("one picture: %v, want ErrTooFew", err)
	}
}
