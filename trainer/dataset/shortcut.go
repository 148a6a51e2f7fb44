package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Shortcut is a property of the files that has nothing to do with cracks, with the accuracy of
// predicting the class from it alone.
type Shortcut struct {
	Feature string `json:"feature"`
	// Accuracy is the balanced accuracy of the best rule, 0.5 for chance: the mean over both
	// classes of the share that it gets right. It equals (1 + D) / 2, where D is the
	// Kolmogorov-Smirnov distance of the classes.
	Accuracy float64 `json:"balanced_accuracy"`
	Rule     string  `json:"rule"`
	Warn     bool    `json:"warn"`
}

// A shortcut gets a warning from this accuracy on, when each class has enough images. With 20 and
// 20 images, chance reaches 0.8 (D = 0.6) once in a thousand sets.
const (
	shortcutAccuracy = 0.8
	shortcutImages   = 20
)

// shortcuts tries every property and sorts them, the best predictor first.
func shortcuts(photos []photo) []Shortcut {
	readable := slices.DeleteFunc(slices.Clone(photos), func(p photo) bool { return p.err != nil })
	total := [2]int{}
	for _, p := range readable {
		total[p.item.Class]++
	}
	if total[Normal] == 0 || total[Crack] == 0 {
		return nil
	}
	s := []Shortcut{
		bestThreshold(readable, total, "resolution", "megapixels",
			func(p photo) float64 { return float64(p.width*p.height) / 1e6 }),
		bestThreshold(readable, total, "aspect ratio", "width / height",
			func(p photo) float64 { return float64(p.width) / float64(p.height) }),
		bestThreshold(readable, total, "brightness", "mean grey value",
			func(p photo) float64 { return p.light }),
		bestThreshold(readable, total, "compression", "bytes per pixel",
			func(p photo) float64 { return float64(p.size) / float64(p.width*p.height) }),
		bestCategory(readable, total, "file format",
			func(p photo) string { return format(p.item.Path) }),
		bestCategory(readable, total, "image size",
			func(p photo) string { return fmt.Sprintf("%d x %d", p.width, p.height) }),
	}
	for i := range s {
		s[i].Warn = s[i].Accuracy >= shortcutAccuracy && min(total[Normal], total[Crack]) >= shortcutImages
	}
	slices.SortStableFunc(s, func(a, b Shortcut) int { return cmp.Compare(b.Accuracy, a.Accuracy) })
	return s
}

// bestThreshold finds the value that separates the classes best.
func bestThreshold(photos []photo, total [2]int, feature, unit string, value func(photo) float64) Shortcut {
	sorted := slices.Clone(photos)
	slices.SortStableFunc(sorted, func(a, b photo) int { return cmp.Compare(value(a), value(b)) })
	best := Shortcut{Feature: feature, Accuracy: 0.5, Rule: "none"}
	var below [2]int
	for i, p := range sorted[:len(sorted)-1] {
		below[p.item.Class]++
		low, high := value(p), value(sorted[i+1])
		if low == high {
			continue
		}
		// A threshold between them calls everything below it a crack, or everything above it.
		crackBelow := balanced(below, total)
		limit := (low + high) / 2
		if crackBelow > best.Accuracy {
			best.Accuracy, best.Rule = crackBelow, fmt.Sprintf("crack when %s < %.4g", unit, limit)
		}
		if 1-crackBelow > best.Accuracy {
			best.Accuracy, best.Rule = 1-crackBelow, fmt.Sprintf("crack when %s > %.4g", unit, limit)
		}
	}
	return best
}

// bestCategory finds the one category that separates the classes best from all others.
func bestCategory(photos []photo, total [2]int, feature string, category func(photo) string) Shortcut {
	counts := make(map[string][2]int)
	for _, p := range photos {
		n := counts[category(p)]
		n[p.item.Class]++
		counts[category(p)] = n
	}
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	best := Shortcut{Feature: feature, Accuracy: 0.5, Rule: "none"}
	for _, name := range names {
		crackIn := balanced(counts[name], total)
		if crackIn > best.Accuracy {
			best.Accuracy, best.Rule = crackIn, "crack when "+name
		}
		if 1-crackIn > best.Accuracy {
			best.Accuracy, best.Rule = 1-crackIn, "normal when "+name
		}
	}
	return best
}

// balanced returns the balanced accuracy of calling these images cracks and all others normal.
func balanced(called, total [2]int) float64 {
	return (float64(called[Crack])/float64(total[Crack]) + 1 - float64(called[Normal])/float64(total[Normal])) / 2
}
