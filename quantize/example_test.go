package quantize_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"tirewatch/internal/durable"
	"tirewatch/quantize"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/preprocess"
)

// From a checkpoint to a signed bundle, as `tirewatch quantize` does it. The network is untrained
// and the images are noise, so Force accepts whatever the two networks agree on.
func ExampleQuantize() {
	g := bundletest.Graph()
	net := must(nn.New(&g, rand.New(rand.NewPCG(1, 1))))
	c := &checkpoint.Checkpoint{Graph: g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: g.Input.W, Height: g.Input.H, Filter: preprocess.FilterTriangle}}
	b := must(quantize.Quantize(context.Background(), c, quantize.Job{
		Calibration: images(30, 1), Evaluation: images(60, 2),
		Serial: 12, Target: "hamburg/*/*", Created: time.Now(), Force: true,
	}))

	data := must(bundle.Encode(b, bundletest.Key(1)))
	signed := must(bundle.Decode(data, bundletest.Public(1)))
	must(signed.SelfTest()) // runs the golden inputs, as a station does
	dir := must(os.MkdirTemp("", "quantize"))
	defer os.RemoveAll(dir)
	if err := durable.WriteFile(filepath.Join(dir, "model.tire"), data, 0o644); err != nil {
		panic(err)
	}
	fmt.Printf("serial %d for %s: %d trials, compared on %d images, %d golden inputs\n",
		signed.Serial, signed.Target, len(signed.Quantization.Trials), signed.Evaluation.Images(), len(signed.Golden))
	// Output:
	// serial 12 for hamburg/*/*: 3 trials, compared on 60 images, 4 golden inputs
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
