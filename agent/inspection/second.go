package inspection

import (
	"math"
	"time"

	"tirewatch/agent/models"
	"tirewatch/vision/verdict"
)

// maxCompared limits the tiles of a frame that get a second opinion, and with them its time and
// memory. The tiles after it get none.
const maxCompared = 64

// second keeps what the second opinion needs until the decision: the cells of the pieces of the
// last frame, and those of the deciding frame so far.
type second struct {
	last, chosen   [maxCompared][]byte
	lastN, chosenN int // number of pieces
}

// keep returns the function that keeps the cells of piece i after the network ran on it.
func (c *second) keep(m *models.Loaded) func(i int) {
	c.lastN = 0
	if m.Second == nil {
		return func(int) {}
	}
	return func(i int) {
		if i >= maxCompared {
			return
		}
		if len(c.last[i]) != m.Second.Size() {
			c.last[i] = make([]byte, m.Second.Size())
		}
		m.Second.Cells(c.last[i], m.Runner.Kept())
		c.lastN = i + 1
	}
}

// choose makes the last frame the deciding one.
func (c *second) choose() {
	c.last, c.chosen = c.chosen, c.last
	c.chosenN = c.lastN
}

// secondOpinion compares the deciding frame with the sound tires of its type. It runs after the
// reject output knows the decision and changes neither the label nor Reject. It returns the crop to
// show: pix, but for a tire that the network calls sound the tile that is unlike sound ones.
func (s *Station) secondOpinion(m *models.Loaded, v *verdict.Verdict, pix []byte, pieces [][]byte) []byte {
	if m == nil || m.Second == nil || s.second.chosenN == 0 || len(v.Votes) == 0 {
		return pix
	}
	start := time.Now()
	a := m.Bundle.Anomaly
	most, o := int32(-1), &verdict.SecondOpinion{}
	var heat []byte
	for i, cells := range s.second.chosen[:s.second.chosenN] {
		if sum, distances := m.Second.Score(cells); sum > most {
			most, o.Tile, heat = sum, i, a.Heat(distances)
		}
	}
	o.Score, o.Limit = fourDecimals(a.Mean(most)), fourDecimals(a.Mean(a.Limit))
	if o.Unlike = most >= a.Limit; o.Unlike {
		o.Heat = &verdict.Heat{W: m.Second.W, H: m.Second.H, Cells: heat}
	}
	o.MS = milliseconds(time.Since(start))
	v.SecondOpinion = o
	if o.Unlike && v.Label == verdict.Normal {
		return pieces[o.Tile]
	}
	return pix
}

// fourDecimals rounds a score to keep payloads short. Two scores that differ stay different.
func fourDecimals(v float64) float64 { return math.Round(1e4*v) / 1e4 }
