package bundle

import (
	"fmt"

	"tirewatch/vision/verdict"
)

//go:generate go tool msgp -io=false -tests=false

// DefaultHead is the name of the head for every product type that has no head of its own.
const DefaultHead = "default"

// Head is a score of the network and the answers that follow from it. Later a network may have one
// head for each product type. Today there is one.
type Head struct {
	Name string `msg:"name" json:"name"` // DefaultHead, or the product type
	// probability from which a tire has a crack, between 0 and 1
	Threshold float64 `msg:"threshold" json:"threshold"`
	// probability below which a tire is sound, above 0 and at most Threshold. Between both the
	// answer is unsure. 0: there are two answers.
	SoundBelow float64 `msg:"sound_below" json:"sound_below"`
	// for which both thresholds were chosen, each Side at most once; empty: none
	Budgets []Budget `msg:"budgets" json:"budgets"`
}

// Head returns the head of the bundle. A bundle without Heads has the default head with the
// bundle's threshold and budget, and two answers.
func (b *Bundle) Head() Head {
	if len(b.Heads) > 0 {
		return b.Heads[0]
	}
	h := Head{Name: DefaultHead, Threshold: b.Threshold}
	if b.Budget.Side != "" {
		h.Budgets = []Budget{b.Budget}
	}
	return h
}

// Policy returns how the bundle's scores become answers.
func (b *Bundle) Policy(rule verdict.Rule) verdict.Policy {
	h := b.Head()
	return verdict.Policy{Threshold: h.Threshold, SoundBelow: h.SoundBelow, Rule: rule}
}

// maxHeads is how many heads this program runs.
const maxHeads = 1

// checkHeads refuses heads that this program would not run as their maker meant.
func (b *Bundle) checkHeads() error {
	if len(b.Heads) > maxHeads {
		return fmt.Errorf("%d heads, this program runs %d", len(b.Heads), maxHeads)
	}
	for _, h := range b.Heads {
		switch {
		case h.Name != DefaultHead:
			return fmt.Errorf("head %.40q, this program runs %q", h.Name, DefaultHead)
		case h.Threshold != b.Threshold:
			return fmt.Errorf("head %s has the threshold %g, the bundle %g", h.Name, h.Threshold, b.Threshold)
		case !(h.SoundBelow > 0 && h.SoundBelow <= h.Threshold):
			return fmt.Errorf("head %s: sound below %g, want more than 0 and at most its threshold %g", h.Name, h.SoundBelow,
				h.Threshold)
		case b.Budget != Budget{}:
			return fmt.Errorf("head %s: the bundle has a budget of its own", h.Name)
		}
		if err := checkBudgets(h.Budgets); err != nil {
			return fmt.Errorf("head %s: %w", h.Name, err)
		}
	}
	return nil
}

func checkBudgets(budgets []Budget) error {
	seen := make(map[string]bool)
	for _, b := range budgets {
		switch b.Side {
		case Escape, FalseReject, UnsureShare:
		default:
			return fmt.Errorf("unknown budget %.40q, want escape, false_reject or unsure", b.Side)
		}
		if seen[b.Side] {
			return fmt.Errorf("two budgets for %s", b.Side)
		}
		if seen[b.Side] = true; !(b.Limit >= 0 && b.Limit < 1) {
			return fmt.Errorf("budget %s of %g, want a share from 0 to less than 1", b.Side, b.Limit)
		}
	}
	return nil
}
