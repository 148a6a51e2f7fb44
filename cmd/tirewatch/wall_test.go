//go:build opencv

package main

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tirewatch/agent/uplink/brokertest"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/cut"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// A station that judges side walls, with real parts: a video of a belt read by OpenCV, the real
// agent, a real Mosquitto. The network has the size of the thesis network and random weights. Its
// scores mean nothing, but equal bytes get equal scores: the kept crop of each tire must have the
// score of the worst tile.
func TestSideWallsOnABelt(t *testing.T) {
	broker := brokertest.Start(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	truth, err := synth.WriteClip(t.Context(), in("belt.avi"), synth.ClipOptions{Tires: 8, Seed: 5, CrackFraction: 0.5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tirewatch(t, "keygen", in("plant.key"))
	key, err := bundle.ReadPrivateKey(in("plant.key"))
	if err != nil {
		t.Fatal(err)
	}
	b := bundletest.Bundle(*graph.Thesis(), 1)
	if err := bundle.Write(in("model.tire"), b, key); err != nil {
		t.Fatal(err)
	}
	agent := buildAgent(t, dir)
	config := fmt.Sprintf(`
[station]
site = "hamburg"
line = "line1"
name = "station3"
[camera]
source = "file:belt.avi"
[locate]
view = "sidewall"
[trigger]
frames = 1
[model]
keys = ["plant.key.pub"]
dir = "models"
initial = "model.tire"
[journal]
path = "journal.db"
crops = "all"
[mqtt]
broker = "%s"
`, broker.URL())
	if err := os.WriteFile(in("station.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	sub := subscribe(t, broker.Port)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	station := exec.CommandContext(ctx, agent, "run", "--config", in("station.toml"))
	// it ends after the video, when the broker has all verdicts
	if out, err := station.CombinedOutput(); err != nil {
		t.Fatalf("the agent: %v\n%s", err, out)
	}

	r, err := infer.NewRunner(&b.Model)
	if err != nil {
		t.Fatal(err)
	}
	undecided := 0
	for i, tire := range truth.Tires {
		v, err := verdict.Decode([]byte(sub.await(t, "tirewatch/hamburg/line1/station3/verdict", "")))
		if err != nil {
			t.Fatal(err)
		}
		if v.Seq != uint64(i+1) || v.Crop == "" {
			t.Fatalf("tire %d: %+v", i, v)
		}
		if v.Label == verdict.NoDecision { // a black wheel
			undecided++
			if v.Reason != cut.ErrNoRing.Error() || v.Tiling != nil || len(v.Votes) != 0 {
				t.Errorf("tire %d: %+v", i, v)
			}
			continue
		}
		p := v.Tiling
		if !showsTire(v, tire) || p == nil || p.View != "sidewall" || p.Ring == nil || p.Frame != v.Votes[0].Frame {
			t.Fatalf("tire %d: %+v", i, v)
		}
		checkRing(t, tire, p)
		checkTiles(t, i, p)
		if got := scoreOf(t, r, b, in(v.Crop)); got != p.Tiles[p.Worst].Logit || got != v.Votes[0].Logit {
			t.Errorf("tire %d: the score is %v for the kept crop, %v for the worst tile, %v for the frame", i, got, p.Tiles[p.Worst].Logit, v.Votes[0].Logit)
		}
	}
	t.Logf("%d of %d tires without a decision", undecided, len(truth.Tires))
	if undecided > 1 {
		t.Error("want at most one")
	}
	if status := sub.await(t, "tirewatch/hamburg/line1/station3/status", `"offline"`); !strings.Contains(status, "stopped") {
		t.Errorf("the last status is %s", status)
	}
	exportTiles(t, agent, in("station.toml"), in("set"), len(truth.Tires), undecided)
}

// exportTiles labels all crops, also those that are not for labelling. The data set contains only
// the tiles: tires that were kept as a whole are not listed and not exported.
func exportTiles(t *testing.T, agent, config, set string, tires, undecided int) {
	t.Helper()
	review := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(agent, slices.Concat([]string{"review"}, args, []string{"--config", config})...).CombinedOutput()
		if err != nil {
			t.Fatalf("review %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	out := review("list", "-n", "0")
	if !strings.HasPrefix(out, fmt.Sprintf("%d wait;", tires-undecided)) || undecided > 0 != strings.Contains(out, fmt.Sprintf("\n%d are not for labelling", undecided)) {
		t.Errorf("list printed %s", out)
	}
	for i := range tires {
		review("label", []string{"crack", "normal"}[i%2], fmt.Sprint(i+1))
	}
	out = review("export", set)
	left := fmt.Sprintf(`left out: %d labelled crops that do not show what the network sees (locate.view = "sidewall")`, undecided)
	if undecided > 0 != strings.Contains(out, left) {
		t.Errorf("export printed %s", out)
	}
	exported, err := filepath.Glob(filepath.Join(set, "*", "*.png"))
	if err != nil || len(exported) != tires-undecided {
		t.Errorf("%d crops of %d tires were exported, %v", len(exported), tires, err)
	}
}

// checkRing compares the side wall with the truth: the outline within two per cent of its diameter,
// because shadows change it, and the rim where it is drawn, at 0.5 to 0.64 of the outline.
func checkRing(t *testing.T, tire synth.TruthTire, p *verdict.Tiling) {
	t.Helper()
	if int(p.Frame)-1 != tire.CentreFrame {
		t.Errorf("tire %d: frame %d decided; it is nearest to the middle in %d", tire.Index, p.Frame, tire.CentreFrame+1)
	}
	outer, limit := p.Ring.Outer, 0.04*float64(tire.Radius)
	off := math.Hypot(outer.X-float64(tire.CentreX), outer.Y-float64(tire.CentreY))
	if off > limit || math.Abs(outer.R-float64(tire.Radius)) > limit {
		t.Errorf("tire %d: outline %+v is %.1f px off; want radius %d", tire.Index, outer, off, tire.Radius)
	}
	if share := p.Ring.Inner.R / outer.R; share < 0.46 || share > 0.68 {
		t.Errorf("tire %d: the rim's radius is %.2f of the outline's", tire.Index, share)
	}
}

// checkTiles wants tiles that cover the ring without a gap, and the angle of the worst tile.
func checkTiles(t *testing.T, tire int, p *verdict.Tiling) {
	t.Helper()
	end, worst := 0.0, p.Tiles[p.Worst]
	for k, tile := range p.Tiles {
		if tile.From > end {
			t.Errorf("tire %d: no tile shows %.1f to %.1f degrees", tire, end, tile.From)
		}
		end = tile.To
		if tile.Logit > worst.Logit {
			t.Errorf("tire %d: tile %d is worse than %d", tire, k, p.Worst)
		}
	}
	if end < 360 {
		t.Errorf("tire %d: no tile shows %.1f to 360 degrees", tire, end)
	}
	if off := math.Abs(math.Mod(p.Angle-(worst.From+worst.To)/2+540, 360) - 180); off > 0.1 {
		t.Errorf("tire %d: angle %.1f of a tile from %.1f to %.1f", tire, p.Angle, worst.From, worst.To)
	}
}

// scoreOf returns the logit of a kept crop.
func scoreOf(t *testing.T, r *infer.Runner, b *bundle.Bundle, path string) float64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := r.Run(img.(*image.Gray).Pix)
	if err != nil {
		t.Fatal(err)
	}
	return b.Model.Logit(sum)
}
