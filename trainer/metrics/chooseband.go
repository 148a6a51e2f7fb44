package metrics

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// UnsureShare is the side of a Budget that limits the share of tires without a decision: the price
// of three answers.
const UnsureShare Side = "unsure"

// BandChoice is a pair of thresholds that keeps all budgets on the images that it was chosen on.
// Like those of a Choice, its intervals are slightly too optimistic.
type BandChoice struct {
	Budgets []Budget `json:"budgets"`
	Band
	Answers     Answers      `json:"answers"`
	Unsure      Rate         `json:"unsure"`       // of all tires
	Decided     Rate         `json:"decided"`      // right answers, of the decided tires
	Escape      Rate         `json:"escape"`       // of all cracks
	FalseReject Rate         `json:"false_reject"` // of all sound tires
	One         OneThreshold `json:"one_threshold"`
}

// OneThreshold is the best single threshold on the same images, to see what unsure answers buy.
type OneThreshold struct {
	Threshold float64 `json:"threshold"`
	Accuracy  float64 `json:"accuracy"`
}

// ChooseBand finds the two thresholds for budgets on several sides, each at most once. With a
// budget of UnsureShare it takes the pair with the best accuracy on the decided images. Without
// one, it takes the pair with the fewest unsure images. If a single threshold keeps the budgets
// without an unsure image, both are equal to the one with the best accuracy. Thresholds lie between
// scores, as for Choose. Errors wrap ErrInput, or are a *BudgetError.
func ChooseBand(scores []float64, labels []bool, budgets []Budget) (*BandChoice, error) {
	if err := check(scores, labels, 0); err != nil {
		return nil, err
	}
	limits, err := limitsOf(budgets)
	if err != nil {
		return nil, err
	}
	s := newSteps(scores, labels)
	if s.cracks == 0 || s.sound == 0 {
		return nil, &BudgetError{budgets[0], fmt.Sprintf("the images show %d cracks and %d sound tires, but both are needed",
			s.cracks, s.sound)}
	}
	i, j, err := s.choose(limits, budgets)
	if err != nil {
		return nil, err
	}
	return NewBandChoice(budgets, Band{s.cuts[i].threshold, s.cuts[j].threshold}, scores, labels), nil
}

// NewBandChoice describes two thresholds that were chosen for the budgets.
func NewBandChoice(budgets []Budget, b Band, scores []float64, labels []bool) *BandChoice {
	one := BestThreshold(scores, labels)
	c := DescribeBand(budgets, b, b.Count(scores, labels))
	c.One = OneThreshold{one, Confusion(scores, labels, one).Accuracy()}
	return c
}

// DescribeBand is NewBandChoice for counted answers, without the single threshold.
func DescribeBand(budgets []Budget, b Band, a Answers) *BandChoice {
	return &BandChoice{Budgets: budgets, Band: b, Answers: a, Unsure: a.Unsure(), Decided: a.Decided(),
		Escape: a.Escape(), FalseReject: a.FalseReject()}
}

// limits holds the limit of each side, above 1 where there is none.
type limits struct{ escape, falseReject, unsure float64 }

const noLimit = 2

func limitsOf(budgets []Budget) (limits, error) {
	l := limits{noLimit, noLimit, noLimit}
	for _, b := range budgets {
		at := map[Side]*float64{Escape: &l.escape, FalseReject: &l.falseReject, UnsureShare: &l.unsure}[b.Side]
		if at == nil || *at != noLimit || !(b.Limit >= 0 && b.Limit < 1) {
			return l, fmt.Errorf("%w: budget %q of %v, want each side once, and a share from 0 to less than 1", ErrInput,
				b.Side, b.Limit)
		}
		*at = b.Limit
	}
	if l.unsure == noLimit && (l.escape == noLimit || l.falseReject == noLimit) {
		return l, fmt.Errorf("%w: two thresholds need a budget on both sides, or one for the unsure tires", ErrInput)
	}
	return l, nil
}

// step is a threshold with what is below it.
type step struct {
	threshold     float64
	cracks, sound int
}

// steps are all thresholds that give different answers, from the lowest to the highest.
type steps struct {
	cuts          []step
	cracks, sound int // all images
}

func newSteps(scores []float64, labels []bool) *steps {
	r, s := newRanking(scores, labels), new(steps)
	times, below := once(len(labels)), 0.0
	for i := 0; ; {
		above := 1.0
		if i < len(r.order) {
			above = scores[r.order[i]]
		}
		if t := middle(below, above); t > 0 && t < 1 {
			s.cuts = append(s.cuts, step{t, s.cracks, s.sound})
		}
		if i == len(r.order) {
			return s
		}
		c, n, j := r.tie(times, i)
		s.cracks, s.sound, below, i = s.cracks+c, s.sound+n, above, j
	}
}

// answers counts the images when cut i is the lower threshold and cut j the upper one.
func (s *steps) answers(i, j int) Answers {
	lo, hi := s.cuts[i], s.cuts[j]
	return Answers{Matrix: Matrix{TP: s.cracks - hi.cracks, FP: s.sound - hi.sound, FN: lo.cracks, TN: lo.sound},
		UnsureCrack: hi.cracks - lo.cracks, UnsureSound: hi.sound - lo.sound}
}

// choose returns the cuts of the lower and the upper threshold.
func (s *steps) choose(l limits, budgets []Budget) (i, j int, err error) {
	lowest, highest := len(s.cuts), -1 // the lowest upper and the highest lower threshold
	for k, c := range s.cuts {
		if l.escape == noLimit || allowed(c.cracks, s.cracks, l.escape) {
			highest = k
		}
		if lowest == len(s.cuts) && (l.falseReject == noLimit || allowed(s.sound-c.sound, s.sound, l.falseReject)) {
			lowest = k
		}
	}
	if highest < 0 || lowest == len(s.cuts) {
		return 0, 0, &BudgetError{budgets[0], "too many scores are exactly 0 or 1; check that the model is trained"}
	}
	if l.unsure == noLimit {
		if lowest <= highest {
			i = s.mostRight(lowest, highest)
			return i, i, s.useful(i, i, budgets)
		}
		// a crack is called sound only where that saves an unsure sound tire, and the reverse
		for i = highest; i > 0 && s.cuts[i-1].sound == s.cuts[i].sound; i-- {
		}
		for j = lowest; j < len(s.cuts)-1 && s.cuts[j+1].cracks == s.cuts[j].cracks; j++ {
		}
		return i, j, s.useful(i, j, budgets)
	}
	return s.mostAccurate(lowest, highest, l.unsure, budgets)
}

// mostRight returns the cut from lo to hi with the most right answers, the median of several.
func (s *steps) mostRight(lo, hi int) int {
	most, best := -1, []int(nil)
	for k := lo; k <= hi; k++ {
		a := s.answers(k, k)
		if right := a.TP + a.TN; right > most {
			most, best = right, []int{k}
		} else if right == most {
			best = append(best, k)
		}
	}
	return best[len(best)/2]
}

// mostAccurate returns the pair with the best accuracy on the decided images, and of several the
// one with the fewest unsure images. The lower cut is at most highest, the upper at least lowest.
func (s *steps) mostAccurate(lowest, highest int, unsure float64, budgets []Budget) (i, j int, err error) {
	var best Answers
	found, fewest := false, s.cracks+s.sound
	for lo := 0; lo <= highest; lo++ {
		for hi := max(lo, lowest); hi < len(s.cuts); hi++ {
			a := s.answers(lo, hi)
			n := a.UnsureCrack + a.UnsureSound
			if fewest = min(fewest, n); !allowed(n, a.Total(), unsure) {
				break // a higher threshold leaves more unsure
			}
			if a.TP == 0 || a.TN == 0 {
				continue
			}
			gain := (a.TP+a.TN)*best.Matrix.Total() - (best.TP+best.TN)*a.Matrix.Total()
			if !found || gain > 0 || gain == 0 && n < best.UnsureCrack+best.UnsureSound {
				best, found, i, j = a, true, lo, hi
			}
		}
	}
	if !found {
		why := fmt.Sprintf("the other limits leave at least %d of %d tires unsure", fewest, s.cracks+s.sound)
		if allowed(fewest, s.cracks+s.sound, unsure) {
			why = "no pair of thresholds finds a crack and a sound tire"
		}
		at := slices.IndexFunc(budgets, func(b Budget) bool { return b.Side == UnsureShare })
		return 0, 0, &BudgetError{budgets[at], why}
	}
	return i, j, nil
}

// useful refuses thresholds with which one of the answers is never right.
func (s *steps) useful(i, j int, budgets []Budget) error {
	a := s.answers(i, j)
	for _, b := range budgets {
		switch {
		case b.Side == Escape && a.TN == 0:
			return &BudgetError{b, "the budget is kept only by calling no tire sound"}
		case b.Side == FalseReject && a.TP == 0:
			return &BudgetError{b, "the budget is kept only by calling no tire cracked"}
		}
	}
	return nil
}

// Limits joins the budgets in words.
func (c *BandChoice) limits() string {
	var texts []string
	for _, b := range c.Budgets {
		texts = append(texts, b.String())
	}
	return strings.Join(texts, " and ")
}

// String prints the thresholds, the price of unsure answers beside what they buy, and what the
// images prove.
func (c *BandChoice) String() string {
	var b strings.Builder
	if c.Three() {
		fmt.Fprintf(&b, "sound below %.4f, crack from %.4f, unsure between: for %s on these images\n", c.SoundBelow,
			c.Threshold, c.limits())
	} else {
		fmt.Fprintf(&b, "threshold %.4f for %s on these images; no tire is unsure\n", c.Threshold, c.limits())
	}
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range c.Answers.Price() {
		fmt.Fprintf(t, "  %s\t%s\n", row[0], row[1])
	}
	t.Flush()
	if c.Three() {
		fmt.Fprintf(&b, "  price: of 1000 tires, about %.0f are unsure (worst case %.0f)\n",
			1000*ratio(c.Unsure.Count, c.Unsure.Of), 1000*c.Unsure.High)
		if c.One.Threshold > 0 {
			fmt.Fprintf(&b, "  it buys: right answers rise from %.1f %% with the one threshold %.4f to %.1f %%\n",
				100*c.One.Accuracy, c.One.Threshold, 100*ratio(c.Decided.Count, c.Decided.Of))
		}
		fmt.Fprintf(&b, "  %s\n", c.Answers.outcomes())
	}
	for _, claim := range c.Claims() {
		fmt.Fprintf(&b, "  %s\n", claim)
	}
	return b.String()
}

// Claims says for each side whether the images prove its budget.
func (c *BandChoice) Claims() (claims []string) {
	a := c.Answers
	m := Matrix{TP: a.TP + a.UnsureCrack, FN: a.FN, FP: a.FP, TN: a.TN + a.UnsureSound}
	for _, budget := range c.Budgets {
		if budget.Side != UnsureShare {
			claims = append(claims, fmt.Sprintf("%s: %s", budget, NewChoice(budget, c.Threshold, m).Claim()))
		}
	}
	return claims
}

// Prices returns the best two thresholds for several shares of unsure tires, from none on. A share
// that no thresholds keep is left out.
func Prices(scores []float64, labels []bool) (prices []*BandChoice) {
	for _, share := range []float64{0, 0.05, 0.1, 0.15, 0.2, 0.3} {
		if c, err := ChooseBand(scores, labels, []Budget{{UnsureShare, share}}); err == nil {
			prices = append(prices, c)
		}
	}
	return prices
}
