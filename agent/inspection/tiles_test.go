package inspection

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// darkness is a network that calls crack what is darker than rubber: a logit is how many grey
// levels the mean lies below 58.
func darkness(serial uint64) *bundle.Bundle { return levels(serial, -1, 58) }

// levels is a network whose logit is a mean over the picture: sign times the grey level, and bias.
func levels(serial uint64, sign int8, bias int32) *bundle.Bundle {
	b := bundletest.Small(serial)
	const side = 40
	b.Spec.Width, b.Spec.Height = side, side
	b.Model = infer.Model{
		Graph: graph.Graph{Input: graph.Shape{H: side, W: side, C: 1}, Layers: []graph.Layer{
			{Kind: graph.Flatten, Name: "flatten"}, {Kind: graph.Dense, Name: "dense", Filters: 1, Activation: graph.Sigmoid}}},
		Layers:     []infer.Layer{{Name: "dense", W: bytes.Repeat([]byte{byte(sign)}, side*side), Bias: []int32{bias * side * side}}},
		LogitScale: 1.0 / (side * side),
	}
	r, err := infer.NewRunner(&b.Model)
	if err != nil {
		panic(err)
	}
	for i := range b.Golden {
		b.Golden[i].Pix = make([]byte, b.Spec.Size())
		if b.Golden[i].Sum, err = r.Run(b.Golden[i].Pix); err != nil {
			panic(err)
		}
	}
	return b
}

// wheel is frame n of a tire in the middle of 640 x 480 px, cracked at an angle unless that is
// negative. Without a rim the hole is closed.
func wheel(n int, degrees float64, rim bool) *frame.Frame {
	f := frame.NewGray(640, 480)
	f.Seq, f.Time = uint64(n), t0.Add(time.Duration(n)*40*time.Millisecond)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	for i := range f.Pix {
		dx, dy := float64(i%640)+0.5-320, float64(i/640)+0.5-240
		r := math.Hypot(dx, dy)
		f.Pix[i] = byte(150 + i%640/40)
		if r < 200 && (!rim || r >= 110) {
			f.Pix[i] = 60
			along, aside := dx*sin-dy*cos, dx*cos+dy*sin
			if degrees >= 0 && along > 140 && along < 185 && math.Abs(aside) < 4 {
				f.Pix[i] = 0
			}
		}
	}
	return f
}

// shown is a source of frames and the locator that knows them.
type shown struct {
	frames []*frame.Frame
	given  int
}

func (s *shown) Next(ctx context.Context) (*frame.Frame, error) {
	if s.given == len(s.frames) {
		return nil, io.EOF
	}
	s.given++
	return s.frames[s.given-1], nil
}

func (s *shown) Close() error { return nil }

func (s *shown) Find(*frame.Frame) []locate.Tire {
	return []locate.Tire{{Centre: locate.Point{X: 320, Y: 240}, Radius: 200, Score: 1}}
}

// watching is a station that is shown frames, each a tire of its own, and cuts them. The model
// before, which judges alike, is its shadow.
func watching(t *testing.T, o cut.Options, frames ...*frame.Frame) *bench {
	return shadowed(t, darkness(1), darkness(2), o, frames...)
}

// shadowed is watching with two models: the one before, and the one on probation.
func shadowed(t *testing.T, before, active *bundle.Bundle, o cut.Options, frames ...*frame.Frame) *bench {
	b := newBench(t, nil)
	for _, m := range []*bundle.Bundle{before, active} {
		data, err := bundle.Encode(m, bundletest.Key(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.Install(data); err != nil {
			t.Fatal(err)
		}
	}
	s := &shown{frames: frames}
	b.o.Source, b.o.Locator, b.o.Each, b.cutter, b.o.Cut = s, s, true, cut.New(o), o
	b.o.Keep = &review.Policy{Station: "a/b/c"}
	return b
}

var sideWall = cut.Options{View: cut.SideWall, Tile: 1, Overlap: 0.25}

// The verdict's angle is right to half a tile, and the stored crop shows the crack.
func TestSideWallNamesTheAngle(t *testing.T) {
	angles := []float64{0, 47, 90, 133, 201, 285.5, 359}
	var frames []*frame.Frame
	for i, a := range append(angles, -1) {
		frames = append(frames, wheel(i+1, a, true))
	}
	b := watching(t, sideWall, frames...)
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.verdicts) != len(frames) || len(b.pictures) != len(angles) {
		t.Fatalf("%d verdicts, %d pictures", len(b.verdicts), len(b.pictures))
	}
	if got, want := b.store.Snapshot().Trial.Counts, (models.Counts{Verdicts: len(frames), Compared: len(frames)}); got != want {
		t.Errorf("the shadow counted %+v; want %+v", got, want)
	}
	for i, v := range b.verdicts {
		p := v.Tiling
		if p == nil || p.View != "sidewall" || p.Frame != uint64(i+1) || len(p.Tiles) != 15 || p.Ring == nil {
			t.Fatalf("tire %d: %+v", i, p)
		}
		worst := slices.MaxFunc(p.Tiles, func(a, b verdict.Tile) int { return int(math.Copysign(1, a.Logit-b.Logit)) })
		if v.Votes[0].Logit != worst.Logit || p.Tiles[p.Worst] != worst {
			t.Errorf("tire %d: vote %g, tile %d of %+v", i, v.Votes[0].Logit, p.Worst, p.Tiles)
		}
		if i == len(angles) {
			if v.Label != verdict.Normal {
				t.Errorf("the sound tire is %s with %+v", v.Label, p)
			}
			continue
		}
		half := (worst.To - worst.From) / 2
		if off := math.Abs(math.Mod(p.Angle-angles[i]+540, 360) - 180); off > half || v.Label != verdict.Crack {
			t.Errorf("%s at %g degrees is off by %.1f, half a tile is %.1f", v.Label, angles[i], off, half)
		}
		img, err := png.Decode(bytes.NewReader(b.pictures[i]))
		if err != nil {
			t.Fatal(err)
		}
		if !showsCrack(img) {
			t.Errorf("the picture of the crack at %g degrees does not show it", angles[i])
		}
	}
}

// showsCrack says whether a hundredth of the picture is black.
func showsCrack(img image.Image) bool {
	dark, pix := 0, img.(*image.Gray).Pix
	for _, level := range pix {
		if level < 20 {
			dark++
		}
	}
	return dark >= len(pix)/100
}

// If only the previous model sees a crack, the crop for people is the tile in question.
func TestDisagreementShowsTheTileInQuestion(t *testing.T) {
	blind := levels(2, 1, -70) // its worst tile is the brightest, and sound
	b := shadowed(t, darkness(1), blind, sideWall, wheel(1, 133, true))
	b.o.Keep.Disagreements = true
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := b.verdicts[0]; v.Label != verdict.Normal || v.Crop != "" || len(b.pictures) != 1 {
		t.Fatalf("%+v, %d pictures", v, len(b.pictures))
	}
	img, err := png.Decode(bytes.NewReader(b.pictures[0]))
	if err != nil {
		t.Fatal(err)
	}
	if !showsCrack(img) {
		t.Error("the kept tile shows no crack")
	}
}

// Tiles over the square around the tire: the decisive one contains the crack.
func TestTilesNameTheTile(t *testing.T) {
	b := watching(t, cut.Options{View: cut.Tiles, Margin: 0.02, Tile: 0.4, Overlap: 0.25}, wheel(1, 120, true))
	// To this network belt is sounder than rubber, so that no tile with much belt can be the worst:
	// the sound tire tells what the crack adds.
	sound := watching(t, b.o.Cut, wheel(1, -1, true))
	for _, s := range []*bench{b, sound} {
		if err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got, before := b.verdicts[0].Tiling, sound.verdicts[0].Tiling
	sin, cos := math.Sincos(120 * math.Pi / 180)
	crack := image.Pt(int(320+162*sin), int(240-162*cos))
	for i, tile := range got.Tiles {
		sees := crack.In(image.Rect(tile.Crop[0], tile.Crop[1], tile.Crop[2], tile.Crop[3]).Inset(25))
		if rise := tile.Logit - before.Tiles[i].Logit; sees && rise < 0.5 || rise < 0 {
			t.Errorf("tile %v rose by %g", tile.Crop, rise)
		}
	}
	if len(got.Tiles) != 9 || got.Ring != nil || b.verdicts[0].Votes[0].Crop != [4]int{112, 32, 528, 448} {
		t.Errorf("%d tiles; %+v", len(got.Tiles), b.verdicts[0].Votes)
	}
}

// A tire without a visible rim gets no_decision with the reason, and its whole image is kept.
func TestNoRimIsNoDecision(t *testing.T) {
	b := watching(t, sideWall, wheel(1, 30, false))
	uncut, told := 0, 0
	b.o.Observer.Uncut = func() { uncut++ }
	b.o.Observer.Stored = func(j Judgement) {
		told++
		if j.Typical != nil || j.Pix != nil || j.Model != nil { // no decision rests on nothing
			t.Errorf("reported %+v", j)
		}
	}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := b.verdicts[0]
	if v.Label != verdict.NoDecision || !v.Reject || v.Reason != cut.ErrNoRing.Error() || v.Tiling != nil || len(v.Votes) != 0 {
		t.Errorf("%+v", v)
	}
	if text, err := v.Encode(verdict.JSON); err != nil || !bytes.Contains(text, []byte(`"votes":[]`)) {
		t.Errorf("%s, %v", text, err)
	}
	if got := b.store.Snapshot().Trial.Counts; got != (models.Counts{}) {
		t.Errorf("the shadow counted %+v, but nobody judged", got)
	}
	if uncut != 1 || told != 1 || len(b.pictures) != 1 || !v.Time.Equal(b.o.Source.(*shown).frames[0].Time) {
		t.Errorf("%d frames uncut, told %d times, %d pictures, at %v", uncut, told, len(b.pictures), v.Time)
	}
}

// Frames without a rim are ignored: the other frames decide.
func TestFramesWithoutRimArePassedOver(t *testing.T) {
	b := watching(t, sideWall)
	m, err := b.store.Active()
	if err != nil {
		t.Fatal(err)
	}
	e := &evidence{model: m}
	tire := b.o.Locator.Find(nil)[0]
	var samples []Sample
	for slot, f := range []*frame.Frame{wheel(1, 200, false), wheel(2, -1, true), wheel(3, 200, true), wheel(4, 0, false)} {
		if err := b.crop(e, slot, f, Sample{Tire: tire}, 0); err != nil {
			t.Fatal(err)
		}
		samples = append(samples, Sample{Tire: tire, Seq: f.Seq, Offset: float64(slot)})
	}
	// A better frame for a slot that has one already does not take it away when its rim is hidden.
	if err := b.crop(e, 1, wheel(5, 90, false), Sample{Tire: tire}, 0); err != nil {
		t.Fatal(err)
	}
	if err := b.judge(t.Context(), e, request{}, samples); err != nil {
		t.Fatal(err)
	}
	v := b.verdicts[0]
	if len(v.Votes) != 2 || v.Votes[0].Frame != 2 || v.Votes[1].Frame != 3 || v.Tiling.Frame != 3 || math.Abs(v.Tiling.Angle-200) > 17 {
		t.Errorf("votes %+v, tiling %+v", v.Votes, v.Tiling)
	}
}
