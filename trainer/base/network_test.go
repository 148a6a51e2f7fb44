package base_test

import (
	"strings"
	"testing"

	"tirewatch/trainer/base"
	"tirewatch/vision/graph"
)

func TestNetwork(t *testing.T) {
	from := converted(t, draw())
	for _, c := range []struct{ size, blocks int }{{448, 9}, {448, 7}, {224, 9}, {224, 7}, {33, 1}} {
		n, err := base.Network(from, c.size, c.blocks)
		if err != nil {
			t.Fatal(err)
		}
		if n.Graph.Hash() != graph.Mobile(c.size, c.blocks).Hash() {
			t.Errorf("%d px, %d blocks: another network", c.size, c.blocks)
		}
		if n.Spec.Width != c.size || n.Spec.Height != c.size || n.Origin != from.Origin || n.Licence != from.Licence {
			t.Errorf("%d px, %d blocks: preprocessing %+v, origin %q", c.size, c.blocks, n.Spec, n.Origin)
		}
		n.Params[0].Data[0]++
		if n.Params[0].Data[0] == from.Params[0].Data[0] {
			t.Error("the network shares its weights with the base")
		}
	}
	for want, c := range map[string]struct{ size, blocks int }{
		"10 blocks, the base has 1 to 9":      {224, 10},
		"0 blocks":                            {224, 0},
		"build the network for -1 x -1 px":    {-1, 9},
		"build the network for 1000000000 x ": {1e9, 9},
	} {
		if _, err := base.Network(from, c.size, c.blocks); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d px, %d blocks: error %v, want %q", c.size, c.blocks, err, want)
		}
	}
	other := *from
	other.Graph = *graph.Thesis()
	if _, err := base.Network(&other, 224, 1); err == nil {
		t.Error("a checkpoint of another network was accepted as base")
	}
}
