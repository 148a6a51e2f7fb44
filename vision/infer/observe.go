package infer

import "tirewatch/vision/kernel"

// Observe is Run that also shows what is inside: observe gets the activations of each trained layer
// but the last, counted from 0, as (H, W, C) of the live region; where a pool follows, after the
// pool, since sums are requantised behind it. The slice is valid during the call only. The
// quantizer measures the error of each layer by it.
//
// Run keeps only the newest rows of an activation, so Observe runs stages of its own, each with its
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
		if _, pool := c.stages[0].op.(*kernel.Pool); !pool {
			show(pix)
		}
	}
	last := len(r.dense) - 1
	for i := range r.dense[:last] {
		pix = r.dense[i].Run(pix)
		show(pix)
	}
	return r.dense[last].Sums(pix)[0], nil
}

// wholeStages copies the stages into chains of one, each with room for its whole output.
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
