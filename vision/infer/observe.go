package infer

import "tirewatch/vision/kernel"

// Observe is Run that also calls observe for each trained layer but the last, counted from 0, with
// its activations (H, W, C) of the live region. If a pool follows, they are those after the pool,
// because sums are requantised after it. The slice is valid during the call only. The quantizer
// uses Observe to measure the error of each layer.
//
// Run keeps only the newest rows of an activation, so Observe has its own stages, each with its
// whole output. The first call makes them.
func (r *Runner) Observe(pix []byte, observe func(layer int, values []uint8)) (int32, error) {
	if len(pix) != r.input {
		return 0, r.wrongSize(pix)
	}
	if r.whole == nil {
		r.whole = r.wholeStages()
	}
	trained := 0
	show := func(values []uint8) {
		observe(trained, values)
		trained++
	}
	for _, c := range r.whole {
		c.run(pix, 0, c.height())
		pix = c.stages[0].buf
		switch c.stages[0].op.(type) {
		case *kernel.Conv, *kernel.Depthwise:
			show(pix)
		}
	}
	if r.top != nil {
		return r.top.Sum(pix), nil
	}
	last := len(r.dense) - 1
	for i := range r.dense[:last] {
		pix = r.dense[i].Run(pix)
		show(pix)
	}
	return r.dense[last].Sums(pix)[0], nil
}

// wholeStages copies each stage into a chain of one stage, with memory for its whole output.
func (r *Runner) wholeStages() []*chain {
	var whole []*chain
	for _, c := range []*chain{r.front, r.back} {
		if c == nil {
			continue
		}
		for _, s := range c.stages {
			whole = append(whole, newChain([]*stage{s.clone()}, make([]uint8, s.height*s.row)))
		}
	}
	return whole
}
