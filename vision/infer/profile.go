package infer

import "time"

// LayerTime is the time of one layer in a run. A convolution and the pool after it are one layer.
type LayerTime struct {
	Name  string        // "conv1+pool1"
	MACs  int           // multiply-accumulates that were computed, for the live region only
	Spent time.Duration // sum over all goroutines, if several share the layer
}

// Profile is Run with a time measurement for every row of every layer. The measurement itself takes
// a few per cent of the time, most in layers with many short rows. To measure the whole network,
// use Run.
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
		for i, s := range c.stages { // a helper has the stages of front, which is first in chains
			times[i].Spent += s.spent
		}
	}
	for i := range r.dense {
		d := &r.dense[i]
		times = append(times, LayerTime{d.name, d.macs, d.spent})
	}
	if r.top != nil {
		times = append(times, LayerTime{Name: r.top.name, Spent: r.top.spent})
	}
	return times, nil
}

// chains returns the chains of the Runner: front, those of the helpers, back.
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

// profile sets the measured times to zero and starts the measurement, or stops it.
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
	if on && r.top != nil {
		r.top.spent = 0
	}
}

// clock returns the time if timed is set, otherwise the zero time.
func clock(timed bool) time.Time {
	if timed {
		return time.Now()
	}
	return time.Time{}
}

// since returns the time since began, or 0 if began is zero.
func since(began time.Time) time.Duration {
	if began.IsZero() {
		return 0
	}
	return time.Since(began)
}
