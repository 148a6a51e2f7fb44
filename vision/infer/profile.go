package infer

import "time"

// LayerTime is what one layer of a run took, a convolution with the pool behind it.
type LayerTime struct {
	Name  string        // "conv1+pool1"
	MACs  int           // multiply-accumulates that were carried out, over the live region only
	Spent time.Duration // over all goroutines, where several share the layer
}

// Profile is Run with a clock beside every row of every layer. The clock takes a few per cent of
// the time itself, most in layers of many short rows; only Run tells what the whole network takes.
func (r *Runner) Profile(pix []byte) ([]LayerTime, error) {
	chains := r.chains()
	r.profile(chains, true)
	_, err := r.Run(pix)
	r.profile(chains, false)
	if err != nil {
		return nil, err
	}
	var times []LayerTime
	for _, c := range chains {
		if c == r.back || c == r.front {
			for _, s := range c.stages {
				times = append(times, LayerTime{s.name, s.macs, s.spent})
			}
			continue
		}
		for i, s := range c.stages { // a helper's stages are those of front, which comes first
			times[i].Spent += s.spent
		}
	}
	for i := range r.dense {
		d := &r.dense[i]
		times = append(times, LayerTime{d.name, d.macs, d.spent})
	}
	return times, nil
}

// chains are those of the Runner: front, the helpers', back.
func (r *Runner) chains() []*chain {
	var all []*chain
	if r.front != nil {
		all = append(all, r.front)
	}
	for _, h := range r.helpers {
		all = append(all, h.chain)
	}
	if r.back != nil {
		all = append(all, r.back)
	}
	return all
}

// profile sets the clocks to zero and starts them, or stops them.
func (r *Runner) profile(chains []*chain, on bool) {
	r.timed = on
	for _, c := range chains {
		c.timed = on
		for _, s := range c.stages {
			if on {
				s.spent = 0
			}
		}
	}
	for i := range r.dense {
		if on {
			r.dense[i].spent = 0
		}
	}
}

// clock is the time when it is wanted.
func clock(timed bool) time.Time {
	if timed {
		return time.Now()
	}
	return time.Time{}
}

// since is the time that has passed since clock gave began, 0 when it was not wanted.
func since(began time.Time) time.Duration {
	if began.IsZero() {
		return 0
	}
	return time.Since(began)
}
