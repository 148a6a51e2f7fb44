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
	"time"

	"tirewatch/agent/uplink/brokertest"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/cut"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// A station that looks at side walls, with real parts: a filmed belt through OpenCV, the real
// agent, a real Mosquitto. The network is the thesis network's size with random weights, so what it
// says is arbitrary, but to the last bit the same for the same bytes: of each tire the kept picture
// must give the score of the worst tile.
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
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	station := exec.CommandContext(ctx, agent, "run", "--config", in("station.toml"))
	// it ends with the clip, when the broker has everything
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
			t.Errorf("tire %d: the kept picture scores %v, the worst of the tiles %v, the frame %v", i, got, p.Tiles[p.Worst].Logit, v.Votes[0].Logit)
		}
	}
	t.Logf("%d of %d tires without a decision", undecided, len(truth.Tires))
	if undecided > 1 {
		t.Error("want at most one")
	}
	if said := sub.await(t, "tirewatch/hamburg/line1/station3/status", `"offline"`); !strings.Contains(said, "stopped") {
		t.Errorf("the station ended with %s", said)
	}
	exportTiles(t, agent, in("station.toml"), in("set"), len(truth.Tires), undecided)
}

// exportTiles labels all pictures, in the way of somebody who labels what was rejected too. The
// data set has the tiles alone: what was kept whole is not asked about, and left out.
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
	said := review("list", "-n", "0")
	if !strings.HasPrefix(said, fmt.Sprintf("%d wait;", tires-undecided)) || undecided > 0 != strings.Contains(said, fmt.Sprintf("\n%d are not asked about", undecided)) {
		t.Errorf("the queue is %s", said)
	}
	for i := range tires {
		review("label", []string{"crack", "normal"}[i%2], fmt.Sprint(i+1))
	}
	said = review("export", set)
	left := fmt.Sprintf(`left out: %d labelled pictures that do not show what the network is shown (locate.view = "sidewall")`, undecided)
	if undecided > 0 != strings.Contains(said, left) {
		t.Errorf("export said %s", said)
	}
	exported, err := filepath.Glob(filepath.Join(set, "*", "*.png"))
	if err != nil || len(exported) != tires-undecided {
		t.Errorf("%d pictures of %d tires were exported, %v", len(exported), tires, err)
	}
}

// checkRing holds the side wall against the truth of the clip: the outline to two per cent of its
// diameter, as far as shadows draw it, and the rim where drawn tires have theirs, 0.5 to 0.64 of
// the outline.
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

// checkTiles wants the tiles to cover the ring without a gap, and the angle to be the worst one's.
func checkTiles(t *testing.T, tire int, p *verdict.Tiling) {
	t.Helper()
	end, worst := 0.0, p.Tiles[p.Worst]
	for k, tile := range p.Tiles {
		if tile.From > end {
			t.Errorf("tire %d: nothing shows %.1f to %.1f degrees", tire, end, tile.From)
		}
		end = tile.To
		if tile.Logit > worst.Logit {
			t.Errorf("tire %d: tile %d is worse than %d", tire, k, p.Worst)
		}
	}
	if end < 360 {
		t.Errorf("tire %d: nothing shows %.1f to 360 degrees", tire, end)
	}
	if off := math.Abs(math.Mod(p.Angle-(worst.From+worst.To)/2+540, 360) - 180); off > 0.1 {
		t.Errorf("tire %d: angle %.1f of a tile from %.1f to %.1f", tire, p.Angle, worst.From, worst.To)
	}
}

// scoreOf is what the network says of a kept picture.
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
