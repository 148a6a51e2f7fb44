package onnx

import (
	"encoding/json"
	"slices"
	"strconv"

	"tirewatch/vision/graph"
)

// adopt takes names and dropout from the network in the metadata, or from the network of the
// thesis, if that network computes the same. Weights, shapes and everything else are from the nodes
// of the file. Metadata that describe another network are ignored.
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
		case MetaOrigin:
			n.Origin = e.Value
		case MetaLicence:
			n.Licence = e.Value
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

// sameArithmetic reports whether two networks compute the same with the same weights: the same
// windows at the same places, and the same sums. Names do not matter. Dropout acts in training
// only, and Flatten computes nothing.
func sameArithmetic(a, b *graph.Graph) bool {
	plan := func(g *graph.Graph) []graph.Step {
		steps, err := g.Plan()
		if err != nil {
			return nil
		}
		steps = slices.DeleteFunc(steps, func(s graph.Step) bool {
			return s.Kind == graph.Dropout || s.Kind == graph.Flatten
		})
		for i := range steps {
			// PadTop, PadLeft and the number of windows are exact
			steps[i].Name, steps[i].Padding, steps[i].Pad = "", "", 0
			if steps[i].Kind == graph.Depthwise2D && steps[i].In.C == 1 {
				steps[i].Kind = graph.Conv2D // the same filter over one channel
			}
		}
		return steps
	}
	x, y := plan(a), plan(b)
	return x != nil && slices.Equal(x, y)
}
