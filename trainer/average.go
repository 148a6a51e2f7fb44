package trainer

import (
	"fmt"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
)

// average holds the exponential moving average of the weights (checkpoint.Config.EMADecay). Each
// step moves the weights to suit the images of its batch, so neighbouring epochs differ by chance.
// Their average does not. It is validated and becomes the best checkpoint; the optimizer continues
// from the weights themselves.
type average struct {
	decay float64
	net   *nn.Net
}

// newAverage starts an average at the weights of net, or continues the one that state was saved
// with.
func newAverage(state *checkpoint.Checkpoint, net *nn.Net) (a *average, err error) {
	a = &average{decay: state.Config.EMADecay}
	params := net.Params()
	if state.Average != nil {
		params = state.Averaged()
	}
	if a.net, err = nn.FromParams(&state.Graph, params); err != nil {
		return nil, fmt.Errorf("averaged weights: %w", err)
	}
	return a, nil
}

// add adds the weights after a step, counted from 1. At the start the decay is smaller, so that the
// random first weights are soon forgotten: it is the average of all weights until then.
//
// The products are rounded before they are added. Otherwise a CPU with fused multiply-add would
// make other weights.
func (a *average) add(weights []nn.Param, step int) {
	share := float32(1 - min(a.decay, float64(step)/float64(step+9)))
	for i, p := range a.net.Params() {
		for k, v := range weights[i].Data {
			p.Data[k] += float32(share * (v - p.Data[k]))
		}
	}
}

// data copies the averaged weights for a checkpoint.
func (a *average) data() [][]float32 {
	var out [][]float32
	for _, p := range a.net.Params() {
		out = append(out, append([]float32(nil), p.Data...))
	}
	return out
}
