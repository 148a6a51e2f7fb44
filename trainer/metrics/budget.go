package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Side is the kind of mistake that a budget limits.
type Side string

const (
	Escape      Side = "escape"       // missed cracks, as a share of all cracks
	FalseReject Side = "false_reject" // rejected sound tires, as a share of all sound tires
)

// Budget is the largest share of one kind of mistake that a plant accepts. The threshold is then
// chosen so that the other kind is as rare as possible.
type Budget struct {
	Side  Side    `json:"side"`
	Limit float64 `json:"limit"` // 0 to less than 1
}

// String returns "at most 1 % of cracks missed".
func (b Budget) String() string {
	what := "cracks missed"
	switch b.Side {
	case FalseReject:
		what = "sound tires rejected"
	case UnsureShare:
		what = "tires unsure"
	}
	return fmt.Sprintf("at most %s of %s", percent(b.Limit), what)
}

// percent writes a share with as many digits as it needs: 1 %, 0.5 %.
func percent(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }

// BudgetError says that no useful threshold keeps the budget.
type BudgetError struct {
	Budget Budget
	Why    string
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("no threshold for %s: %s", e.Budget, e.Why)
}

// Rate is a counted share with its 95 % Wilson interval, in which the share on new images lies.
type Rate struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// NewRate makes the rate of k in n.
func NewRate(k, n int) Rate {
	lo, hi := Wilson(k, n, Z95)
	return Rate{k, n, lo, hi}
}

// String returns "3 of 400 (0.75 %; on new images 0.26 % to 2.2 %, 95 % confidence)".
func (r Rate) String() string {
	high := fmt.Sprintf("%.2g", 100*r.High)
	if r.High > 0.995 {
		high = "100" // not 1e+02
	}
	return fmt.Sprintf("%d of %d (%.3g %%; on new images %.2g %% to %s %%, 95 %% confidence)",
		r.Count, r.Of, 100*ratio(r.Count, r.Of), 100*r.Low, high)
}

// Choice is a threshold that keeps a budget on the images that it was chosen on. Its intervals
// treat the threshold as fixed. Because it was chosen on the same images, they are slightly too
// optimistic; other images give a fairer result.
type Choice struct {
	Budget      Budget  `json:"budget"`
	Threshold   float64 `json:"threshold"`
	Escape      Rate    `json:"escape"`
	FalseReject Rate    `json:"false_reject"`

	// Proven says that the whole interval of the limited rate is within the budget. Needed is the
	// smallest number of images of that class that can prove the budget, when none of them is
	// misjudged. It is 0 for a budget that no number of images proves.
	Proven bool `json:"proven"`
	Needed int  `json:"needed"`
}

// Choose finds the threshold that keeps the budget with the fewest mistakes of the other kind, and
// then the fewest of the limited kind. It lies in the middle between two neighbouring scores, so
// that small changes of a score do not change a verdict; equal scores stay on one side. Errors wrap
// ErrInput, or are a *BudgetError when a class is missing or no threshold is useful.
func Choose(scores []float64, labels []bool, b Budget) (*Choice, error) {
	if err := check(scores, labels, 0); err != nil {
		return nil, err
	}
	if b.Side != Escape && b.Side != FalseReject || !(b.Limit >= 0 && b.Limit < 1) {
		return nil, fmt.Errorf("%w: budget %q of %v, want a share from 0 to less than 1", ErrInput, b.Side, b.Limit)
	}
	cracks := 0
	for _, l := range labels {
		if l {
			cracks++
		}
	}
	sound := len(labels) - cracks
	if cracks == 0 || sound == 0 {
		return nil, &BudgetError{b,
			fmt.Sprintf("the images show %d cracks and %d sound tires, but both are needed", cracks, sound)}
	}
	t, m, ok := bestCut(scores, labels, b)
	switch {
	case !ok:
		return nil, &BudgetError{b, "too many scores are exactly 0 or 1; check that the model is trained"}
	case b.Side == Escape && m.TN == 0:
		return nil, &BudgetError{b, fmt.Sprintf("the budget is kept only by rejecting all %d sound tires", sound)}
	case b.Side == FalseReject && m.TP == 0:
		return nil, &BudgetError{b, fmt.Sprintf("the budget is kept only by missing all %d cracks", cracks)}
	}
	return NewChoice(b, t, m), nil
}

// NewChoice describes a threshold that was chosen for the budget. m holds the outcomes with that
// threshold.
func NewChoice(b Budget, threshold float64, m Matrix) *Choice {
	c := &Choice{
		Budget: b, Threshold: threshold,
		Escape: NewRate(m.FN, m.FN+m.TP), FalseReject: NewRate(m.FP, m.FP+m.TN),
	}
	c.Proven = c.limited().High <= b.Limit
	if b.Limit > 0 {
		// 0 of n has the upper bound z²/(n+z²).
		c.Needed = int(math.Ceil(Z95 * Z95 * (1/b.Limit - 1)))
	}
	return c
}

// limited returns the rate that the budget limits.
func (c *Choice) limited() Rate {
	if c.Budget.Side == FalseReject {
		return c.FalseReject
	}
	return c.Escape
}

// bestCut tries all thresholds that give different verdicts, from the lowest to the highest. Within
// the budget it takes the one with the fewest mistakes of the other kind. Of several such, it takes
// the one with the fewest of the limited kind: a mistake is allowed only where it saves another.
func bestCut(scores []float64, labels []bool, b Budget) (threshold float64, m Matrix, ok bool) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	var cut Matrix
	for _, l := range labels {
		if l {
			cut.TP++
		} else {
			cut.FP++
		}
	}
	below := 0.0 // the largest score below the threshold, 0 when there is none
	for i := 0; ; {
		above := 1.0
		if i < len(order) {
			above = scores[order[i]]
		}
		t := middle(below, above)
		spent, of, price, best := cut.FN, cut.FN+cut.TP, cut.FP, m.FP
		if b.Side == FalseReject {
			spent, of, price, best = cut.FP, cut.FP+cut.TN, cut.FN, m.FN
		}
		// A threshold is a probability between 0 and 1, both excluded.
		if possible := t > 0 && t < 1; possible && allowed(spent, of, b.Limit) &&
			(!ok || price < best || b.Side == FalseReject && price == best) {
			threshold, m, ok = t, cut, true
		}
		if i == len(order) {
			return threshold, m, ok
		}
		for below = above; i < len(order) && scores[order[i]] == above; i++ {
			if labels[order[i]] {
				cut.TP--
				cut.FN++
			} else {
				cut.FP--
				cut.TN++
			}
		}
	}
}

// middle returns a number between a and b. Where none exists, it returns b, which still counts as a
// crack.
func middle(a, b float64) float64 {
	if m := a + (b-a)/2; m > a {
		return m
	}
	return b
}

// allowed reports whether k of n is within the limit. 3 of 300 is within 1 %, although 0.01*300 may
// round to less than 3.
func allowed(k, n int, limit float64) bool { return float64(k) <= limit*float64(n)*(1+1e-12) }

// String says in plain words what the threshold does, what it costs on the other side, and what the
// images prove.
func (c *Choice) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "threshold %.4f for %s on these images\n", c.Threshold, c.Budget)
	fmt.Fprintf(&b, "  cracks missed         %s\n", c.Escape)
	fmt.Fprintf(&b, "  sound tires rejected  %s\n", c.FalseReject)
	price, cost := c.FalseReject, "sound tires, about %.0f are rejected (worst case %.0f)"
	if c.Budget.Side == FalseReject {
		price, cost = c.Escape, "cracks, about %.0f leave the belt as sound tires (worst case %.0f)"
	}
	fmt.Fprintf(&b, "  cost: of 1000 "+cost+"\n", 1000*ratio(price.Count, price.Of), 1000*price.High)
	fmt.Fprintf(&b, "  %s\n", c.Claim())
	return b.String()
}

// Claim says whether the images prove the budget, and if not, what would prove it.
func (c *Choice) Claim() string {
	r, class := c.limited(), "cracks"
	if c.Budget.Side == FalseReject {
		class = "sound tires"
	}
	switch {
	case c.Proven:
		return fmt.Sprintf("%d %s prove the budget with 95 %% confidence", r.Of, class)
	case c.Needed == 0:
		return fmt.Sprintf("not proven: no number of %s proves 0 %%. On new tires the rate may be up to %.2g %%",
			class, 100*r.High)
	case r.Of < c.Needed:
		return fmt.Sprintf("not proven: %d %s cannot prove %s. This takes at least %d without a mistake. "+
			"On new tires the rate may be up to %.2g %%",
			r.Of, class, percent(c.Budget.Limit), c.Needed, 100*r.High)
	}
	return fmt.Sprintf("not proven: on new tires the rate may be up to %.2g %%", 100*r.High)
}

// ErrShare marks a text that is not a share.
var ErrShare = errors.New("want a share like 1% or 0.01")

// ParseShare reads "1%", "0.5 %" or "0.01": 0 to less than 1. A bare number of 1 or more is
// refused, because it may be meant either way.
func ParseShare(text string) (float64, error) {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", text, ErrShare)
	}
	if isPercent {
		v /= 100
	}
	if !(v >= 0 && v < 1) {
		return 0, fmt.Errorf("%q: %w, from 0 %% to less than 100 %%", text, ErrShare)
	}
	return v, nil
}
