package onnx

import (
	"encoding/json"
	"slices"
	"strconv"

	"tirewatch/vision/graph"
)

// adopt takes names and dropout from the network in the metadata, or from that of the thesis, when
// it computes the same. The weights, the shapes and everything else come from the file's nodes;
// metadata that tell another story are passed over.
func (n *Network) adopt(metadata []Entry) {
	known := []*graph.Graph{graph.Thesis()}
	threshold := 0.0
	for _, e := range metadata {
		switch e.Key {
		case metaGraph:
			if g := new(graph.Graph); json.Unmarshal([]byte(e.Value), g) == nil {
				known = slices.Insert(known, 0, g)
			}
		case MetaThreshold:
			if v, err := strconv.ParseFloat(e.Value, 64); err == nil && v > 0 && v < 1 {
				threshold = v
			}
		}
	}
	for i, g := range known {
		if !sameArithmetic(&n.Graph, g) {
			continue
		}
		n.Graph = *g
		params := n.Params
		for _, l := range g.Layers {
			if l.HasWeights() {
				params[0].Name, params[1].Name = l.Name+"/w", l.Name+"/b"
				params = params[2:]
			}
		}
		if len(known) > 1 && i == 0 {
			n.Threshold = threshold
		}
		return
	}
}

// sameArithmetic tells whether two networks compute the same from the same weights: the same
// windows at the same places and the same sums, whatever the layers are called. Dropout acts in
// training only, and flattening is no computation.
func sameArithmetic(a, b *graph.Graph) bool {
	plan := func(g *graph.Graph) []graph.Step {
		steps, err := g.Plan()
		if err != nil {
			return nil
		}
		steps = slices.DeleteFunc(steps, func(s graph.Step) bool { return s.Kind == graph.Dropout || s.Kind == graph.Flatten })
		for i := range steps {
			// PadTop and PadLeft and the number of windows say it better
			steps[i].Name, steps[i].Padding = "", ""
		}
		return steps
	}
	x, y := plan(a), plan(b)
	return x != nil && slices.Equal(x, y)
}
