package agent

import (
	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/review"
	"tirewatch/agent/web"
	"tirewatch/vision/cut"
	"tirewatch/vision/verdict"
)

// reviewed shows the kept pictures to the page, as a web.Review.
type reviewed struct{ queue *review.Queue }

// newReviewed gives no queue where no pictures are kept.
func newReviewed(j *journal.Journal, cfg *config.Config) web.Review {
	if cfg.Journal.Crops == config.CropsOff {
		return nil
	}
	return reviewed{review.Open(journal.CropFolder(j.Path()), cfg.Station.ID(), cut.View(cfg.Locate.View))}
}

// Waiting is web.Review's.
func (r reviewed) Waiting() (int, error) {
	counts, err := r.queue.Count()
	return counts.Waiting, err
}

// Next is web.Review's.
func (r reviewed) Next(n int) (waiting []verdict.Verdict, err error) {
	pictures, err := r.queue.Next(n)
	if err != nil {
		return nil, err
	}
	for _, p := range pictures {
		waiting = append(waiting, verdict.Verdict{
			Station: p.Station, Seq: p.Seq, Time: p.Time, Label: p.Verdict, Probability: p.Probability, Threshold: p.Threshold,
			ModelSerial: p.ModelSerial, ModelHash: p.ModelHash,
		})
	}
	return waiting, nil
}

// Label is web.Review's. A picture that shows neither leaves the queue, too.
func (r reviewed) Label(seq uint64, label verdict.Label) error {
	said := map[verdict.Label]review.Label{verdict.Crack: review.Crack, verdict.Normal: review.Normal, "": review.Unsure}
	return r.queue.Label(seq, said[label])
}
