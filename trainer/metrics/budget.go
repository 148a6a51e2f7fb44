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

// Side is the mistake that a budget limits.
type Side string

const (
	Escape      Side = "escape"       // cracks missed, of all cracks
	FalseReject Side = "false_reject" // sound tires rejected, of all sound tires
)

// Budget is what a plant can bear: at most this share of one kind of mistake. The other kind is to
// be as rare as that allows.
type Budget struct {
	Side  Side    `json:"side"`
	Limit float64 `json:"limit"` // 0 to less than 1
}

// String reads "at most 1 % of cracks missed".
func (b Budget) String() string {
	what := "cracks missed"
	if b.Side == FalseReject {
		what = "sound tires rejected"
	}
	return fmt.Sprintf("at most %s of %s", percent(b.Limit), what)
}

// percent writes a share with as many digits as it needs: 1 %, 0.5 %.
func percent(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }

// BudgetError says that no threshold is of use within the budget.
type BudgetError struct {
	Budget Budget
	Why    string
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("no threshold for %s: %s", e.Budget, e.Why)
}

// Rate is a share that was counted, with the 95 % Wilson interval in which the share on new images
// lies.
type Rate struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// NewRate counts k of n.
func NewRate(k, n int) Rate {
	lo, hi := Wilson(k, n, Z95)
	return Rate{k, n, lo, hi}
}

// String reads "3 of 400 (0.75 %; on new images 0.26 % to 2.2 %, 95 % confidence)".
func (r Rate) String() string {
	return fmt.Sprintf("%d of %d (%.3g %%; on new images %.2g %% to %.2g %%, 95 %% confidence)",
		r.Count, r.Of, 100*ratio(r.Count, r.Of), 100*r.Low, 100*r.High)
}

// Choice is a threshold that keeps a budget on the images that it was chosen on. Its intervals take
// the threshold as given; as it was chosen on the same images, they are a little kind to it, and
// other images are the better judge.
type Choice struct {
	Budget      Budget  `json:"budget"`
	Threshold   float64 `json:"threshold"`
	Escape      Rate    `json:"escape"`
	FalseReject Rate    `json:"false_reject"`

	// Proven says that the whole interval of the limited side is within the budget. Needed is how
	// many images of that side's class prove it at the least, when not one of them is misjudged; 0
	// for a budget that nothing proves.
	Proven bool `json:"proven"`
	Needed int  `json:"needed"`
}

// Choose finds the threshold that keeps the budget and makes the fewest mistakes of the other kind,
// then of the limited one. It lies in the middle between two neighbouring scores, so that small
// changes of a score do not turn a verdict; equal scores stay on one side. Errors wrap ErrInput, or
// are a *BudgetError when a class is missing or the budget leaves the model no use.
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
		return nil, &BudgetError{b, fmt.Sprintf("the images hold %d cracks and %d sound tires, both kinds are needed", cracks, sound)}
	}
	t, m, ok := bestCut(scores, labels, b)
	switch {
	case !ok:
		return nil, &BudgetError{b, "too many scores are exactly 0 or 1; is the model trained?"}
	case b.Side == Escape && m.TN == 0:
		return nil, &BudgetError{b, fmt.Sprintf("it is kept only by rejecting all %d sound tires", sound)}
	case b.Side == FalseReject && m.TP == 0:
		return nil, &BudgetError{b, fmt.Sprintf("it is kept only by missing all %d cracks", cracks)}
	}
	return NewChoice(b, t, m), nil
}

// NewChoice says what a threshold does that was chosen for the budget, from the outcomes m that it
// gives.
func NewChoice(b Budget, threshold float64, m Matrix) *Choice {
	c := &Choice{Budget: b, Threshold: threshold, Escape: NewRate(m.FN, m.FN+m.TP), FalseReject: NewRate(m.FP, m.FP+m.TN)}
	c.Proven = c.limited().High <= b.Limit
	if b.Limit > 0 {
		// 0 of n has the upper bound z²/(n+z²).
		c.Needed = int(math.Ceil(Z95 * Z95 * (1/b.Limit - 1)))
	}
	return c
}

// limited is the rate that the budget is about.
func (c *Choice) limited() Rate {
	if c.Budget.Side == FalseReject {
		return c.FalseReject
	}
	return c.Escape
}

// bestCut goes over all thresholds that differ in their verdicts, from the lowest to the highest.
// Of those within the budget it takes the one with the fewest mistakes of the other kind, and of
// several such the one with the fewest of the limited kind: what is allowed is not spent for
// nothing.
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
	below := 0.0 // the largest score that passes, 0 when none does
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
		if possible := t > 0 && t < 1; possible && allowed(spent, of, b.Limit) && (!ok || price < best || b.Side == FalseReject && price == best) {
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

// middle is between a and b; b itself, which still counts as a crack, where no number is between
// them.
func middle(a, b float64) float64 {
	if m := a + (b-a)/2; m > a {
		return m
	}
	return b
}

// allowed tells whether k of n is within the limit; 3 of 300 is within 1 %, though 0.01*300 may
// round to less than 3.
func allowed(k, n int, limit float64) bool { return float64(k) <= limit*float64(n)*(1+1e-12) }

// String says in plain words what the threshold does, what the other side costs, and what the
// images prove.
func (c *Choice) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "threshold %.4f for %s on these images\n", c.Threshold, c.Budget)
	fmt.Fprintf(&b, "  cracks missed         %s\n", c.Escape)
	fmt.Fprintf(&b, "  sound tires rejected  %s\n", c.FalseReject)
	price, cost := c.FalseReject, "sound tires about %.0f are rejected, with bad luck %.0f"
	if c.Budget.Side == FalseReject {
		price, cost = c.Escape, "cracks about %.0f leave the belt as sound tires, with bad luck %.0f"
	}
	fmt.Fprintf(&b, "  the price: of 1000 "+cost+"\n", 1000*ratio(price.Count, price.Of), 1000*price.High)
	fmt.Fprintf(&b, "  %s\n", c.Claim())
	return b.String()
}

// Claim says whether the images prove the budget, and what would.
func (c *Choice) Claim() string {
	r, class := c.limited(), "cracks"
	if c.Budget.Side == FalseReject {
		class = "sound tires"
	}
	switch {
	case c.Proven:
		return fmt.Sprintf("%d %s prove the budget with 95 %% confidence", r.Of, class)
	case c.Needed == 0:
		return fmt.Sprintf("NOT PROVEN: no number of %s proves 0 %%; on new tires it may be up to %.2g %%", class, 100*r.High)
	case r.Of < c.Needed:
		return fmt.Sprintf("NOT PROVEN: %d %s cannot prove %s; that takes at least %d without a mistake. On new tires it may be up to %.2g %%",
			r.Of, class, percent(c.Budget.Limit), c.Needed, 100*r.High)
	}
	return fmt.Sprintf("NOT PROVEN: on new tires it may be up to %.2g %%", 100*r.High)
}

// ErrShare marks a text that is no share.
var ErrShare = errors.New("want a share like 1% or 0.01")

// ParseShare reads "1%", "0.5 %" or "0.01": 0 to less than 1. A bare 1 or more is refused, since it
// may mean either.
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
