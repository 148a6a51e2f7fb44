package transfer

import (
	"fmt"
	"slices"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
)

// WithHead returns a copy of a checkpoint whose score layer is the head, with its own parameters.
func WithHead(c *checkpoint.Checkpoint, h *Head) (*checkpoint.Checkpoint, error) {
	n := len(c.Params) - 2
	if n < 0 || len(c.Params[n].Data) != len(h.W) || len(c.Params[n+1].Data) != 1 {
		return nil, fmt.Errorf("put the head of %d weights into the network: %w", len(h.W), nn.ErrParams)
	}
	with := *c
	with.Params = make([]nn.Param, len(c.Params))
	for i, p := range c.Params {
		with.Params[i] = nn.Param{Name: p.Name, Shape: p.Shape, Data: slices.Clone(p.Data)}
	}
	copy(with.Params[n].Data, h.W)
	with.Params[n+1].Data[0] = h.Bias
	with.Graph.Layers = slices.Clone(c.Graph.Layers)
	with.Graph.Layers[len(with.Graph.Layers)-1].Top = h.Top
	return &with, nil
}
