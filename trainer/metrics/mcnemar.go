package metrics

import (
	"fmt"
	"math"
)

// Level is the significance level of a comparison: a difference with a smaller p-value counts as
// real.
const Level = 0.05

// exactBelow is the number of discordant pairs below which the normal approximation is not accurate
// enough.
const exactBelow = 25

// McNemar tests whether two classifiers are equally good on the same images. b counts the images on
// which only the first was right, c those on which only the second was right. The other images
// carry no information. It returns the two-sided p-value: the probability of such a difference
// between equally good classifiers. Below 25 such images it is the exact binomial value, otherwise
// that of chi-squared with one degree of freedom and Edwards' continuity correction. Sources:
// McNemar 1947, "Note on the sampling error of the difference between correlated proportions or
// percentages"; Edwards 1948.
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

// Pairs counts the answers of two models on the same images.
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
	Crack   Pairs   `json:"crack"`  // images that show a crack
	Normal  Pairs   `json:"normal"` // sound tires
	P       float64 `json:"p"`      // p-value of McNemar's test on All
	Exact   bool    `json:"exact"`  // binomial test, not chi-squared
	Outcome Outcome `json:"outcome"`
}

// Compare evaluates verdicts, true for crack, of two models on the same images. Errors wrap
// ErrInput.
func Compare(old, new, labels []bool) (*Comparison, error) {
	if len(old) != len(labels) || len(new) != len(labels) {
		return nil, fmt.Errorf("%w: %d and %d verdicts on %d images", ErrInput, len(old), len(new), len(labels))
	}
	oldRight, newRight := make([]bool, len(labels)), make([]bool, len(labels))
	for i, l := range labels {
		oldRight[i], newRight[i] = old[i] == l, new[i] == l
	}
	return CompareRight(oldRight, newRight, labels)
}

// CompareRight is Compare for models with three answers: old[i] and new[i] are true where the
// answer is right. An unsure answer is not right, because a person has to look at the tire.
func CompareRight(old, new, labels []bool) (*Comparison, error) {
	if len(labels) == 0 || len(old) != len(labels) || len(new) != len(labels) {
		return nil, fmt.Errorf("%w: %d and %d verdicts on %d images", ErrInput, len(old), len(new), len(labels))
	}
	var c Comparison
	for i, l := range labels {
		c.All.Add(old[i], new[i])
		if l {
			c.Crack.Add(old[i], new[i])
		} else {
			c.Normal.Add(old[i], new[i])
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

// Sentence states the result in one sentence. A better model may still miss cracks that the old one
// found, so the sentence always says how many.
func (c *Comparison) Sentence() string {
	a := c.All
	if a.OnlyOld+a.OnlyNew == 0 {
		return fmt.Sprintf("The new model is not distinguishable from the old one: on all %s, both are right or neither is.",
			images(a.Total()))
	}
	than := "than the old one"
	if c.Outcome == NotDistinguishable {
		than = "from the old one"
	}
	lost := ""
	if n := c.Crack.OnlyOld; n == 1 {
		lost = "; it does not find a crack that the old one found"
	} else if n > 1 {
		lost = fmt.Sprintf("; it does not find %d cracks that the old one found", n)
	}
	return fmt.Sprintf("The new model is %s %s: only the new model is right on %s, only the old one on %s (McNemar p = %.2g)%s.",
		c.Outcome, than, images(a.OnlyNew), images(a.OnlyOld), c.P, lost)
}

func images(n int) string {
	if n == 1 {
		return "1 image"
	}
	return fmt.Sprintf("%d images", n)
}
