package inspection

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"time"

	"tirewatch/agent/models"
	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/infer"
	"tirewatch/vision/locate"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// evidence holds the crops of a tire until its verdict. The forward pass runs after the tire has
// left, so that it runs on the best frames only.
type evidence struct {
	model         *models.Loaded
	shadowDiffers bool       // the shadow model has another preprocessing
	crops         []crop     // by slot, as in Track.Samples
	camera        cameraCopy // the tire as the camera sent it

	failed error // why the tire cannot be judged
}

// crop is one frame of a tire as the network sees it: in one piece or in tiles. Without a rim there
// are no tiles.
type crop struct {
	seq    uint64   // of the frame
	pix    [][]byte // by piece, Spec.Size() bytes each
	shadow [][]byte // the same for the shadow model; nil if it reads pix
	rect   image.Rectangle
	tiling *verdict.Tiling // nil for a tire in one piece; decide fills in the scores
	angles []float64       // of the tiles, degrees
	time   time.Time       // of the frame
	ms     verdict.Duration

	why   error  // why there is no piece
	whole []byte // then the tire in one piece, for people; no network judges it
}

// crop cuts and preprocesses a tire into the slot.
func (s *Station) crop(e *evidence, slot int, f *frame.Frame, sample Sample, located time.Duration) error {
	if e.failed != nil {
		return nil
	}
	err := s.preprocess(e, slot, f, sample.Tire, located)
	if err == nil {
		s.copyCamera(e, f, e.crops[slot].rect, sample.Offset)
	}
	e.failed = err
	return err
}

func (s *Station) preprocess(e *evidence, slot int, f *frame.Frame, tire locate.Tire, located time.Duration) error {
	start := time.Now()
	pieces, err := s.cutter.Cut(f, tire)
	if slot == len(e.crops) {
		e.crops = append(e.crops, crop{})
	}
	c := &e.crops[slot]
	if errors.Is(err, cut.ErrNoRing) || errors.Is(err, cut.ErrTooMany) {
		s.o.Log.Debug("frame: not cut into tiles", "frame", f.Seq, "error", err)
		s.o.Observer.Uncut()
		if len(c.pix) == 0 { // otherwise the slot keeps its earlier frame
			*c = crop{seq: f.Seq, rect: pieces.Crop, time: f.Time, why: err, whole: c.whole}
			if c.whole == nil {
				c.whole = s.buffer(e.model.Bundle.Spec.Size())
			}
			return e.model.Bundle.Spec.Apply(c.whole, f, c.rect)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("frame %d: %w", f.Seq, err)
	}
	c.seq, c.rect, c.time = f.Seq, pieces.Crop, f.Time
	c.tiling, c.angles = s.tiling(f, pieces)
	if c.pix, err = apply(c.pix, e.model.Bundle.Spec, pieces, s.buffer); err != nil {
		return fmt.Errorf("frame %d: %w", f.Seq, err)
	}
	c.ms = verdict.Duration{Locate: milliseconds(located), Preprocess: milliseconds(time.Since(start))}
	if e.shadowDiffers {
		// the frame is gone by the time the shadow model runs
		if c.shadow, err = apply(c.shadow, e.model.Shadow.Bundle.Spec, pieces, newBuffer); err != nil {
			return fmt.Errorf("frame %d for the shadow model: %w", f.Seq, err)
		}
	}
	return nil
}

// apply preprocesses every piece. It reuses the buffers of dst and takes more from buffer.
func apply(dst [][]byte, spec preprocess.Spec, c cut.Cut, buffer func(n int) []byte) ([][]byte, error) {
	for len(dst) < len(c.Pieces) {
		dst = append(dst, buffer(spec.Size()))
	}
	dst = dst[:len(c.Pieces)]
	for i, p := range c.Pieces {
		if err := spec.Apply(dst[i], p.Frame, p.Region); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// tiling returns where the tiles of a frame are, and their angles in degrees.
func (s *Station) tiling(f *frame.Frame, c cut.Cut) (*verdict.Tiling, []float64) {
	if s.o.Cut.View != cut.Tiles && s.o.Cut.View != cut.SideWall {
		return nil, nil
	}
	angles := make([]float64, len(c.Pieces))
	p := &verdict.Tiling{View: string(s.o.Cut.View), Frame: f.Seq, Tiles: make([]verdict.Tile, len(c.Pieces))}
	for i, piece := range c.Pieces {
		p.Tiles[i] = verdict.Tile{Crop: corners(piece.Crop), From: tenths(piece.From), To: tenths(piece.To)}
		angles[i] = tenths(c.Angle(i))
	}
	if r := c.Ring; r != nil {
		circle := func(c locate.Circle) verdict.Circle {
			return verdict.Circle{X: tenths(c.Centre.X), Y: tenths(c.Centre.Y), R: tenths(c.Radius)}
		}
		p.Ring = &verdict.Ring{Outer: circle(r.Outer), Inner: circle(r.Inner)}
	}
	return p, angles
}

func corners(r image.Rectangle) [4]int { return [4]int{r.Min.X, r.Min.Y, r.Max.X, r.Max.Y} }

// tenths rounds to 0.1 px or degree, to keep payloads short: nothing in a frame is measured better.
func tenths(v float64) float64 { return math.Round(10*v) / 10 }

// runPieces runs a network over the pieces of a crop, at least one. worst is the piece with the
// highest logit, which is the logit of the frame: one cracked tile makes a cracked tire.
// ran is called after each piece.
func runPieces(m *infer.Model, r *infer.Runner, pix [][]byte, ran func(i int)) (logits []float64, worst int, err error) {
	for i, p := range pix {
		sum, err := r.Run(p)
		if err != nil {
			return nil, 0, err
		}
		ran(i)
		logits = append(logits, m.Logit(sum))
		if logits[i] > logits[worst] {
			worst = i
		}
	}
	return logits, worst, nil
}

// deciding holds the pixels behind a verdict.
type deciding struct {
	pix     []byte   // the crop that decided, or its worst tile; for no_decision the whole tire
	pieces  [][]byte // of the deciding frame
	typical []byte   // see Judgement.Typical
	logit   float64  // of typical
}

// score runs the network on the crops and returns the verdict. The deciding frame of a tire in one
// piece is the one nearest to the middle; in tiles, the one with the worst tile. samples and the
// crops of e have the same order.
func (s *Station) score(e *evidence, samples []Sample) (*verdict.Verdict, deciding, error) {
	b := e.model.Bundle
	// Votes is not nil: JSON has [] for none
	policy := b.Policy(s.o.Rule)
	v := &verdict.Verdict{Threshold: policy.Threshold, ModelSerial: b.Serial, ModelHash: b.ID(), Votes: []verdict.Vote{}}
	if policy.Three() {
		v.SoundBelow = policy.SoundBelow
	}
	var best *crop
	var rank float64
	var d deciding
	for i := range e.crops {
		c := &e.crops[i]
		if len(c.pix) == 0 {
			continue
		}
		start := time.Now()
		logits, worst, err := runPieces(&b.Model, e.model.Runner, c.pix, s.second.keep(e.model))
		if err != nil {
			return nil, d, fmt.Errorf("forward pass on frame %d: %w", c.seq, err)
		}
		c.ms.Forward = milliseconds(time.Since(start))
		v.Votes = append(v.Votes, verdict.Vote{Frame: c.seq, Crop: corners(c.rect), Logit: logits[worst]})
		r := -samples[i].Offset
		if c.tiling != nil {
			r = logits[worst]
			c.decide(logits, worst)
		}
		if best == nil || r > rank {
			best, rank, d.pix, d.pieces = c, r, c.pix[worst], c.pix
			s.second.choose()
		}
	}
	if best == nil {
		c := e.crops[0]
		v.Time, v.Label, v.Reason = c.time, verdict.NoDecision, c.why.Error()
		return v, deciding{pix: c.whole}, nil
	}
	slices.SortFunc(v.Votes, func(a, b verdict.Vote) int { return cmp.Compare(a.Frame, b.Frame) })
	v.Time, v.MS, v.Tiling = best.time, best.ms, best.tiling
	if v.Label, v.Probability = policy.Decide(v.Votes); v.Label == verdict.NoDecision {
		v.Reason = verdict.Unsure
	}
	d.typical, d.logit = d.pix, verdict.MeanLogit(v.Votes)
	if best.tiling != nil {
		d.typical, d.logit = best.pix[0], best.tiling.Tiles[0].Logit
	}
	return v, d, nil
}

// decide fills the scores of the tiles into the tiling.
func (c *crop) decide(logits []float64, worst int) {
	p := c.tiling
	for i, l := range logits {
		p.Tiles[i].Logit = l
	}
	p.Worst, p.Angle = worst, c.angles[worst]
}

// buffer returns n bytes, reused if possible: each tire would otherwise leave megabytes of garbage.
func (s *Station) buffer(n int) []byte {
	for i, b := range s.free {
		if len(b) == n {
			s.free = slices.Delete(s.free, i, i+1)
			return b
		}
	}
	s.free = nil // they are of a model that is gone
	return make([]byte, n)
}

// release makes the buffers of a tire free again.
func (s *Station) release(e *evidence) {
	for _, c := range e.crops {
		s.free = append(s.free, c.pix...)
		if c.whole != nil {
			s.free = append(s.free, c.whole)
		}
	}
	s.releaseCamera(e)
}

func newBuffer(n int) []byte { return make([]byte, n) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
