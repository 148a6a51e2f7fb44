package inspection

import (
	"slices"

	"tirewatch/agent/review"
	"tirewatch/vision/verdict"
)

// keptCrop is what the network saw of a tire in the frame that decided.
type keptCrop struct {
	pix   []byte
	width int             // px
	why   []review.Reason // it was kept
}

// saveCrop keeps the picture of the verdict that is stored next, if there is a reason to, and
// returns its name.
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

// saveDisagreement keeps the picture of a stored verdict that the model before does not agree with.
// The verdict has left with what was known then, and waits for no shadow; the picture says the
// rest. A crash in between leaves a tire that was neither counted nor compared.
func (s *Station) saveDisagreement(v *verdict.Verdict, p *keptCrop) {
	if s.o.Keep == nil || !s.o.Keep.Disagreements {
		return
	}
	p.why = append(slices.Clone(p.why), review.Disagreement)
	s.encodeCrop(v, v.Seq, p, func(png []byte) (string, error) { return s.o.Journal.SaveCropOf(v.Seq, png) })
}

// encodeCrop hands the file of a picture to save. A picture that cannot be kept holds no verdict
// up.
func (s *Station) encodeCrop(v *verdict.Verdict, seq uint64, p *keptCrop, save func(png []byte) (string, error)) (name string) {
	data, err := review.Encode(p.pix, p.width, review.Of(v, s.o.Keep.Station, seq, p.why))
	if err == nil {
		name, err = save(data)
	}
	if failed := err != nil; failed != s.cropsFailing {
		s.cropsFailing = failed
		if failed {
			s.o.Log.Warn("pictures of tires cannot be kept", "error", err)
			s.o.Observer.Problem("pictures", err.Error())
		} else {
			s.o.Log.Info("pictures of tires are kept again")
			s.o.Observer.Problem("pictures", "")
		}
	}
	return name
}
