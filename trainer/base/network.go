package base

import (
	"fmt"
	"slices"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// Network returns the base as a network for images of size x size px with the first blocks of it:
// the weights of a block do not depend on the size. Its score is zero. The parameters are copies.
// Origin and licence are those of the base.
func Network(from *checkpoint.Checkpoint, size, blocks int) (*checkpoint.Checkpoint, error) {
	have := (len(trunk(&from.Graph)) - 1) / 2
	if blocks < 1 || blocks > min(have, graph.MobileBlocks) {
		return nil, fmt.Errorf("build the network from the base: %d blocks, the base has 1 to %d", blocks, have)
	}
	g := graph.Mobile(size, blocks)
	if _, err := g.Plan(); err != nil {
		return nil, fmt.Errorf("build the network for %d x %d px: %w", size, size, err)
	}
	var params []nn.Param
	for i, l := range trunk(g) {
		if base := trunk(&from.Graph)[i]; base != l || len(from.Params) < 2*i+2 {
			return nil, fmt.Errorf("build the network from the base: its layer %s differs from %s of mobile", base.Name, l.Name)
		}
		w, b := from.Params[2*i], from.Params[2*i+1]
		params = append(params, clone(w), clone(b))
	}
	c := &checkpoint.Checkpoint{Graph: *g, Spec: spec(size), Params: appendScore(params, g), Threshold: 0.5,
		Config: checkpoint.Config{Imported: from.Config.Imported}}
	c.Inherit(from)
	if _, err := c.Net(); err != nil {
		return nil, fmt.Errorf("build the network from the base: %w", err)
	}
	return c, nil
}

func clone(p nn.Param) nn.Param {
	return nn.Param{Name: p.Name, Shape: slices.Clone(p.Shape), Data: slices.Clone(p.Data)}
}
