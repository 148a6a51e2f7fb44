package metrics

import (
	"fmt"
	"math"
)

// Level is the chance of a false alarm that a comparison accepts: differences with a smaller
// p-value are taken as real.
const Level = 0.05

// exactBelow is the number of discordant pairs under which the normal approximation is not good
// enough.
const exactBelow = 25

// McNemar tests whether two classifiers that saw the same images are equally good. b and c count
// the images on which only the first and only the second was right; images on which both were right
// or both wrong say nothing. It returns the two-sided p-value: the chance of such a difference
// between equals. Below 25 such images it is the exact binomial one, else that of chi-squared with
// one degree of freedom and Edwards' continuity correction. Sources: McNemar 1947, "Note on the
// sampling error of the difference between correlated proportions or percentages"; Edwards 1948.
func McNemar(b, c int) (p float64, exact bool) {
	n := b + c
	if n < exactBelow {
		// 2 * P(at most min(b, c) of n fair coins), at most 1.
		term, sum := math.Ldexp(1, -n), 0.0
		for k := 0; k <= min(b, c); k++ {
			sum += term
			term *= float64(n-k) / float64(k+1)
		}
		return min(2*sum, 1), true
	}
	d := max(math.Abs(float64(b-c))-1, 0)
	return math.Erfc(math.Sqrt(d * d / float64(n) / 2)), false
}

// Outcome is the result of a comparison.
type Outcome string

const (
	Better             Outcome = "better"
	Worse              Outcome = "worse"
	NotDistinguishable Outcome = "not distinguishable"
)

// Pairs counts what two models said about the same images.
type Pairs struct {
	BothRight int `json:"both_right"`
	OnlyOld   int `json:"only_old_right"`
	OnlyNew   int `json:"only_new_right"`
	BothWrong int `json:"both_wrong"`
}

// Add counts one image.
func (p *Pairs) Add(oldRight, newRight bool) {
	switch {
	case oldRight && newRight:
		p.BothRight++
	case oldRight:
		p.OnlyOld++
	case newRight:
		p.OnlyNew++
	default:
		p.BothWrong++
	}
}

// Total is the number of images.
func (p Pairs) Total() int { return p.BothRight + p.OnlyOld + p.OnlyNew + p.BothWrong }

// Comparison judges a new model against an old one.
type Comparison struct {
	All     Pairs   `json:"all"`
	Crack   Pairs   `json:"crack"`  // of the images that show a crack
	Normal  Pairs   `json:"normal"` // of the sound tires
	P       float64 `json:"p"`      // McNemar's, of All
	Exact   bool    `json:"exact"`  // binomial, not chi-squared
	Outcome Outcome `json:"outcome"`
}

// Compare judges verdicts, true for crack, of two models on the same images. Errors wrap ErrInput.
func Compare(old, new, labels []bool) (*Comparison, error) {
	if len(labels) == 0 || len(old) != len(labels) || len(new) != len(labels) {
		return nil, fmt.Errorf("%w: %d and %d verdicts on %d images", ErrInput, len(old), len(new), len(labels))
	}
	var c Comparison
	for i, l := range labels {
		oldRight, newRight := old[i] == l, new[i] == l
		c.All.Add(oldRight, newRight)
		if l {
			c.Crack.Add(oldRight, newRight)
		} else {
			c.Normal.Add(oldRight, newRight)
		}
	}
	c.P, c.Exact = McNemar(c.All.OnlyOld, c.All.OnlyNew)
	c.Outcome = NotDistinguishable
	if c.P < Level {
		c.Outcome = Better
		if c.All.OnlyOld > c.All.OnlyNew {
			c.Outcome = Worse
		}
	}
	return &c, nil
}

// Sentence is the result for a person. A better model may still miss cracks that the old one found:
// that is always said.
func (c *Comparison) Sentence() string {
	a := c.All
	if a.OnlyOld+a.OnlyNew == 0 {
		return fmt.Sprintf("The new model is not distinguishable from the old one: the same verdict on all %s.", images(a.Total()))
	}
	than := "than the old one"
	if c.Outcome == NotDistinguishable {
		than = "from the old one"
	}
	lost := ""
	if n := c.Crack.OnlyOld; n == 1 {
		lost = "; it misses a crack that the old one found"
	} else if n > 1 {
		lost = fmt.Sprintf("; it misses %d cracks that the old one found", n)
	}
	return fmt.Sprintf("The new model is %s %s: it alone is right on %s, the old one alone on %s (McNemar p = %.2g)%s.",
		c.Outcome, than, images(a.OnlyNew), images(a.OnlyOld), c.P, lost)
}

func images(n int) string {
	if n == 1 {
		return "1 image"
	}
	return fmt.Sprintf("%d images", n)
}
