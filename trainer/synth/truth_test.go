package synth

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func goodTruth() Truth {
	return Truth{Seed: 1, Width: 960, Height: 540, FPS: 15, Frames: 90, Tires: []TruthTire{
		{Index: 0, Label: labelCrack, FirstFrame: 10, LastFrame: 24, CentreFrame: 17, CentreX: 480, CentreY: 270, Radius: 250},
		{Index: 1, Label: labelNormal, FirstFrame: 50, LastFrame: 64, CentreFrame: 57, CentreX: 480, CentreY: 270, Radius: 250},
	}}
}

func TestParseTruthRefusesNonsense(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Truth)
		want   string
	}{
		"no width":       {func(t *Truth) { t.Width = 0 }, "above 0"},
		"no frames":      {func(t *Truth) { t.Frames = 0 }, "above 0"},
		"gap in indices": {func(t *Truth) { t.Tires[1].Index = 2 }, "index 2"},
		"unknown label":  {func(t *Truth) { t.Tires[0].Label = "flat" }, `"flat"`},
		"reversed":       {func(t *Truth) { t.Tires[0].LastFrame = 3 }, "out of order"},
		"after the end":  {func(t *Truth) { t.Tires[1].LastFrame = 90 }, "outside"},
		"no radius":      {func(t *Truth) { t.Tires[1].Radius = 0 }, "radius"},
	} {
		t.Run(name, func(t *testing.T) {
			truth := goodTruth()
			c.change(&truth)
			data, err := json.Marshal(truth)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parseTruth(data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestReadTruthNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.json")
	if _, err := ReadTruth(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error naming %s", err, path)
	}
}

func FuzzParseTruth(f *testing.F) {
	data, err := json.Marshal(goodTruth())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"width":1,"height":1,"fps":1,"frames":1,"tires":null}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		truth, err := parseTruth(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(truth)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseTruth(again)
		if err != nil {
			t.Fatalf("the encoded truth cannot be read again: %v", err)
		}
		if d := cmp.Diff(truth, back); d != "" {
			t.Errorf("changed by encoding:\n%s", d)
		}
	})
}
