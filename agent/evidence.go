package agent

import (
	"cmp"
	"fmt"
	"image"
	"slices"
	"time"

	"tirewatch/agent/models"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// evidence is what is kept of a tire until its verdict: the network's bytes of the chosen frames. The forward pass waits until the
// tire has left, so that it runs on the best frames and on no other.
type evidence struct {
	model *models.Loaded
	apart bool   // the shadow reads other bytes than the model
	crops []crop // by slot, as in Track.Samples

	failed error // why there is nothing to judge by
}

// crop is one frame of a tire as the network sees it.
type crop struct {
	pix    []byte // Spec.Size() bytes
	shadow []byte // the same for the shadow; nil while it reads pix
	rect   image.Rectangle
	time   time.Time // of the frame
	ms     verdict.Duration
}

// crop preprocesses a tire into the slot.
func (s *Station) crop(e *evidence, slot int, f *frame.Frame, tire locate.Tire, located time.Duration) error {
	if e.failed != nil {
		return nil
	}
	err := s.preprocess(e, slot, f, tire, located)
	e.failed = err
	return err
}

func (s *Station) preprocess(e *evidence, slot int, f *frame.Frame, tire locate.Tire, located time.Duration) error {
	if slot == len(e.crops) {
		e.crops = append(e.crops, crop{pix: s.buffer(e.model.Bundle.Spec.Size())})
	}
	c := &e.crops[slot]
	c.rect, c.time = tire.Crop(f.Bounds(), s.o.Margin), f.Time
	start := time.Now()
	if err := e.model.Bundle.Spec.Apply(c.pix, f, c.rect); err != nil {
		return fmt.Errorf("frame %d: %w", f.Seq, err)
	}
	c.ms = verdict.Duration{Locate: milliseconds(located), Preprocess: milliseconds(time.Since(start))}
	if e.apart {
		// The frame is gone when the shadow's turn comes.
		spec := e.model.Shadow.Bundle.Spec
		if c.shadow == nil {
			c.shadow = make([]byte, spec.Size())
		}
		if err := spec.Apply(c.shadow, f, c.rect); err != nil {
			return fmt.Errorf("frame %d for the model before: %w", f.Seq, err)
		}
	}
	return nil
}

// score makes the verdict that the crops give, and names the frame that decides: the one in which the tire is nearest to the middle.
// samples belong to the crops of e, in the same order.
func (s *Station) score(e *evidence, samples []Sample) (v *verdict.Verdict, decisive int, err error) {
	b := e.model.Bundle
	v = &verdict.Verdict{Threshold: b.Threshold, ModelSerial: b.Serial, ModelHash: b.ID()}
	for i := range e.crops {
		c := &e.crops[i]
		start := time.Now()
		sum, err := e.model.Runner.Run(c.pix)
		if err != nil {
			return nil, 0, fmt.Errorf("forward pass on frame %d: %w", samples[i].Seq, err)
		}
		c.ms.Forward = milliseconds(time.Since(start))
		r := c.rect
		v.Votes = append(v.Votes, verdict.Vote{
			Frame: samples[i].Seq, Crop: [4]int{r.Min.X, r.Min.Y, r.Max.X, r.Max.Y}, Logit: b.Model.Logit(sum),
		})
	}
	decisive = nearest(samples)
	v.Time, v.MS = e.crops[decisive].time, e.crops[decisive].ms
	slices.SortFunc(v.Votes, func(a, b verdict.Vote) int { return cmp.Compare(a.Frame, b.Frame) })
	v.Label, v.Probability = verdict.Policy{Threshold: b.Threshold, Rule: s.o.Rule}.Decide(v.Votes)
	return v, decisive, nil
}

// nearest is the index of the sample that is nearest to the middle of the picture.
func nearest(samples []Sample) (best int) {
	for i, s := range samples {
		if s.Offset < samples[best].Offset {
			best = i
		}
	}
	return best
}

// buffer gives n bytes, reused where possible: a station would else make garbage by the megabyte with each tire.
func (s *Station) buffer(n int) []byte {
	for i, b := range s.free {
		if len(b) == n {
			s.free = slices.Delete(s.free, i, i+1)
			return b
		}
	}
	s.free = nil // buffers of a network that is gone
	return make([]byte, n)
}

// release takes the buffers of a tire back.
func (s *Station) release(e *evidence) {
	for _, c := range e.crops {
		s.free = append(s.free, c.pix)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
