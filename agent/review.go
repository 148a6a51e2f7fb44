package agent

import (
	"slices"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/review"
	"tirewatch/agent/web"
	"tirewatch/vision/cut"
	"tirewatch/vision/verdict"
)

// reviewQueue shows the kept crops to the page. It is a web.Review.
type reviewQueue struct{ queue *review.Queue }

// newReviewQueue returns nil when no crops are kept.
func newReviewQueue(j *journal.Journal, cfg *config.Config) web.Review {
	if cfg.Journal.Crops == config.CropsOff {
		return nil
	}
	return reviewQueue{review.Open(journal.CropFolder(j.Path()), cfg.Station.ID(), cut.View(cfg.Locate.View))}
}

// Waiting implements web.Review.
func (r reviewQueue) Waiting() (int, error) {
	counts, err := r.queue.Count()
	return counts.Waiting, err
}

// Next implements web.Review.
func (r reviewQueue) Next(n int) (waiting []verdict.Verdict, err error) {
	pictures, err := r.queue.Next(n)
	if err != nil {
		return nil, err
	}
	for _, p := range pictures {
		v := verdict.Verdict{
			Station: p.Station, Seq: p.Seq, Time: p.Time, Label: p.Verdict, Probability: p.Probability, Threshold: p.Threshold,
			SoundBelow: p.SoundBelow, ModelSerial: p.ModelSerial, ModelHash: p.ModelHash,
			SecondOpinion: p.SecondOpinion,
		}
		if slices.Contains(p.Why, review.InBand) {
			v.Reason = verdict.Unsure
		}
		waiting = append(waiting, v)
	}
	return waiting, nil
}

// Label implements web.Review. An empty label, for a crop that shows neither, takes it off the
// queue too.
func (r reviewQueue) Label(seq uint64, label verdict.Label) error {
	said := map[verdict.Label]review.Label{verdict.Crack: review.Crack, verdict.Normal: review.Normal, "": review.Unsure}
	return r.queue.Label(seq, said[label])
}
