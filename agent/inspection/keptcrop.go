package inspection

import (
	"slices"

	"tirewatch/agent/review"
	"tirewatch/vision/frame"
	"tirewatch/vision/verdict"
)

// keptCrop is the crop or tile that decided.
type keptCrop struct {
	pix   []byte
	width int             // px
	why   []review.Reason // reasons to keep it; nil for none
	tire  *evidence       // has the picture of the camera until the writer owns it
	// of that picture, for the note: a disagreement writes the note again
	region [4]int
	colour bool
}

// saveCrop stores the crop of the next verdict if there is a reason to, and returns its name.
func (s *Station) saveCrop(v *verdict.Verdict, p *keptCrop) string {
	if s.o.Keep == nil {
		return ""
	}
	seq := s.o.Journal.Next()
	if p.why = s.o.Keep.Why(v, seq); p.why == nil {
		return ""
	}
	return s.encodeCrop(v, seq, p, s.o.Journal.SaveCrop)
}

// saveDisagreement stores the crop of a stored verdict whose label the previous model does not
// share. The verdict did not wait for that; only the crop's note says it. A crash in between leaves
// a tire that is not compared.
func (s *Station) saveDisagreement(v *verdict.Verdict, p *keptCrop) {
	if s.o.Keep == nil || !s.o.Keep.Disagreements {
		return
	}
	p.why = append(slices.Clone(p.why), review.Disagreement)
	s.encodeCrop(v, v.Seq, p, func(png []byte) (string, error) { return s.o.Journal.SaveCropOf(v.Seq, png) })
}

// encodeCrop encodes the crop with its note and passes it to save, then the picture of the camera
// to its writer. An error delays no verdict.
func (s *Station) encodeCrop(v *verdict.Verdict, seq uint64, p *keptCrop, save func(png []byte) (string, error)) (name string) {
	if c := p.tire.camera; c.region != nil {
		p.region, p.colour = corners(c.rect), c.region.Format != frame.Gray
	}
	picture := review.Of(v, s.o.Keep.Station, seq, p.why)
	picture.Region, picture.Colour = p.region, p.colour
	data, err := review.Encode(p.pix, p.width, picture)
	if err == nil {
		name, err = save(data)
	}
	if err == nil {
		s.saveCamera(seq, p.tire)
	}
	if failed := err != nil; failed != s.cropsFailing {
		s.cropsFailing = failed
		if failed {
			s.o.Log.Warn("crop: store failed", "error", err)
			s.o.Observer.Problem("pictures", err.Error())
		} else {
			s.o.Log.Info("crop: stored again")
			s.o.Observer.Problem("pictures", "")
		}
	}
	return name
}
