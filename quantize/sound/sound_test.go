package sound

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"tirewatch/trainer/metrics"
	"tirewatch/vision/anomaly"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

const px = 96

// network is the first blocks of a mobile network with random weights: a random projection of small
// windows, which is enough to tell a texture from a dark line.
func network() *infer.Model {
	m := bundletest.Model(*graph.Mobile(px, 4), 5)
	for i := range m.Layers[:len(m.Layers)-1] {
		l := &m.Layers[i]
		per := len(l.W) / len(l.Bias)
		for c := range l.Mult {
			l.Mult[c] = float32(1 / (60 * math.Sqrt(float64(per))))
			l.Bias[c] = 0
		}
	}
	return &m
}

// texture draws a surface of a kind: stripes with noise. Pictures of one kind differ in the phase
// and the noise.
func texture(kind, seed uint64) []byte {
	of, rng := rand.New(rand.NewPCG(kind, 1)), rand.New(rand.NewPCG(seed, 2))
	fx, fy := 0.6*of.NormFloat64(), 0.6*of.NormFloat64()
	light, depth, noise := 90+80*of.Float64(), 10+40*of.Float64(), 2+14*of.Float64()
	phase := 2 * math.Pi * rng.Float64()
	pix := make([]byte, px*px)
	for i := range pix {
		v := light + depth*math.Sin(fx*float64(i%px)+fy*float64(i/px)+phase) + noise*rng.NormFloat64()
		pix[i] = byte(min(max(v, 0), 255))
	}
	return pix
}

// crack draws a dark line.
func crack(pix []byte, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 3))
	x, y, angle := 48.0, 48.0, 2*math.Pi*rng.Float64()
	for range 40 {
		x, y, angle = x+math.Cos(angle), y+math.Sin(angle), angle+0.2*rng.NormFloat64()
		for d := range 2 {
			pix[(int(y)%px+d)*px%(px*px)+int(x)%px] = 10
		}
	}
	return pix
}

// pictures draws n sound and cracked pictures. kinds is the number of kinds of surface.
func pictures(sound, cracks, kinds int) (images []Image) {
	for i := range sound + cracks {
		im := Image{Pix: texture(uint64(i%kinds), uint64(i)), Crack: i >= sound, Group: strconv.Itoa(i)}
		if im.Crack {
			im.Pix = crack(im.Pix, uint64(i))
		}
		images = append(images, im)
	}
	return images
}

// Ten pictures of one kind of surface are enough to notice cracks on others of that kind.
func TestLearnOneKind(t *testing.T) {
	m := network()
	a, err := Learn(context.Background(), m, DefaultLayer, pictures(10, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	if r := a.Result; r.Sound != 10 || r.Groups != 10 || r.Cracks != 0 || r.AUC != 0 || a.Cell != 4 || a.Worst != 2 {
		t.Errorf("%+v, cell %d, worst %d", r, a.Cell, a.Worst)
	}
	others := pictures(60, 30, 1)[20:]
	scores, err := Scores(context.Background(), m, a, others)
	if err != nil {
		t.Fatal(err)
	}
	var values []float64
	var labels []bool
	for i, s := range scores {
		values, labels = append(values, float64(s)), append(labels, others[i].Crack)
	}
	if auc := metrics.ROCAUC(values, labels); auc < 0.95 {
		t.Errorf("AUC %.3f on new pictures of the same kind, want 0.95 or more", auc)
	}
}

// Cracked pictures only test: with them the model is the same, and the result has an AUC.
func TestCracksOnlyTest(t *testing.T) {
	m := network()
	without, err := Learn(context.Background(), m, DefaultLayer, pictures(20, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	with, err := Learn(context.Background(), m, DefaultLayer, pictures(20, 10, 1))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(with.W, without.W) || !slices.Equal(with.Bias, without.Bias) || with.Limit != without.Limit {
		t.Error("the cracks changed the model")
	}
	r := with.Result
	if r.Cracks != 10 || r.AUC < 0.95 || r.AUCLow > r.AUC || r.AUCHigh < r.AUC || r.Found < 5 {
		t.Errorf("%+v", r)
	}
}

// Surfaces of many kinds are refused, with the figures, with cracks and without.
func TestRefusesManyKinds(t *testing.T) {
	for name, cracks := range map[string]int{"sound only": 0, "with cracks": 20} {
		t.Run(name, func(t *testing.T) {
			_, err := Learn(context.Background(), network(), DefaultLayer, pictures(20, cracks, 20))
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v, want a RefusedError", err)
			}
			if r := refused.Result; r.Sound != 20 || r.Cracks != cracks || r.Between <= MaxBetween {
				t.Errorf("%+v", r)
			}
			if refused.Hint() == "" {
				t.Error("no advice")
			}
			t.Log(err)
		})
	}
}

func TestRefusesTooFew(t *testing.T) {
	one := pictures(12, 0, 1)
	for i := range one {
		one[i].Group = strconv.Itoa(i % 4)
	}
	for name, c := range map[string]struct {
		images []Image
		layer  string
		want   error
	}{
		"nine pictures": {pictures(9, 20, 1), DefaultLayer, ErrTooFew},
		"four groups":   {one, DefaultLayer, ErrTooFew},
		"no such layer": {pictures(10, 0, 1), "conv1", ErrNoLayer},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Learn(context.Background(), network(), c.layer, c.images); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	black := pictures(10, 0, 1)
	for i := range black {
		clear(black[i].Pix)
	}
	if _, err := Learn(context.Background(), network(), DefaultLayer, black); !errors.Is(err, errFlat) {
		t.Errorf("black pictures: %v, want errFlat", err)
	}
}

// A group is never on both sides: a picture and its copies in one group are held out together.
func TestGroupsAreHeldOutTogether(t *testing.T) {
	images := pictures(12, 4, 1)
	for i := range images {
		images[i].Group = strconv.Itoa(i / 2)
	}
	x := &test{images: images}
	if err := x.check(); err != nil {
		t.Fatal(err)
	}
	fold := map[string]int{}
	for i, im := range images {
		if k, ok := fold[im.Group]; ok && k != x.fold[i] {
			t.Errorf("group %s is in the folds %d and %d", im.Group, k, x.fold[i])
		}
		fold[im.Group] = x.fold[i]
	}
	if x.groups != 6 {
		t.Errorf("%d groups of sound pictures, want 6", x.groups)
	}
}

// The matrix makes the cells that it was fitted to independent, of variance 1.
func TestFitWhitens(t *testing.T) {
	const c, n = 5, 4000
	rng := rand.New(rand.NewPCG(1, 1))
	cells := make([]uint8, n*c)
	for at := 0; at < len(cells); at += c {
		common := rng.NormFloat64()
		for i := range c {
			cells[at+i] = uint8(min(max(128+20*common+float64(4+3*i)*rng.NormFloat64(), 0), 255))
		}
	}
	m := measure(cells, c)
	var a anomaly.Model
	if err := m.fit(&a); err != nil {
		t.Fatal(err)
	}
	products := make([]float64, c*c)
	for at := 0; at < len(cells); at += c {
		var z [c]float64
		for i := range c {
			sum := int64(a.Bias[i])
			for j := range c {
				sum += int64(int8(a.W[i*c+j])) * int64(cells[at+j])
			}
			z[i] = float64(sum) * float64(a.Mult[i]) / anomaly.Unit
		}
		for i := range c {
			for j := range c {
				products[i*c+j] += z[i] * z[j] / n
			}
		}
	}
	for i := range c {
		for j := range c {
			want := 0.0
			if i == j {
				want = 1
			}
			if got := products[i*c+j]; math.Abs(got-want) > 0.1 {
				t.Errorf("covariance (%d, %d) is %.3f, want %g", i, j, got, want)
			}
		}
	}
}
