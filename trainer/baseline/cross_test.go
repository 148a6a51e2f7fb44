package baseline_test

import (
	"fmt"
	"math"
	"testing"

	"tirewatch/trainer/baseline"
	"tirewatch/trainer/metrics"
)

// names gives each image a group of its own.
func names(n int) (groups []string) {
	for i := range n {
		groups = append(groups, fmt.Sprintf("image-%04d", i))
	}
	return groups
}

// Out of fold, a difference of brightness is found, and equal images are guessed.
func TestCrossScores(t *testing.T) {
	for _, c := range []struct{ shift, low, high float64 }{{20, .88, .95}, {0, .4, .6}} {
		images, cracks := bright(600, c.shift, 1)
		scores := baseline.CrossScores(images, cracks, names(len(images)))
		if auc := metrics.ROCAUC(scores, cracks); auc < c.low || auc > c.high {
			t.Errorf("lighter by %v: AUC %.3f, want %v to %v", c.shift, auc, c.low, c.high)
		}
	}
}

// The score of an image does not change with the labels of its group, so no model saw the group.
func TestCrossScoresSeparateGroups(t *testing.T) {
	images, cracks := bright(40, 20, 1)
	groups := names(len(images))
	for i := range 4 { // one tire, photographed four times, with both labels
		groups[2*i] = "tire"
	}
	before := baseline.CrossScores(images, cracks, groups)
	cracks[0] = true // the group counts as cracked, so this may only move it to another part
	cracks[2] = true
	one := baseline.CrossScores(images, cracks, groups)
	cracks[2] = false
	two := baseline.CrossScores(images, cracks, groups)
	if one[4] != two[4] {
		t.Errorf("the label of an image changed the score of another one of its group: %v, %v", one[4], two[4])
	}
	if one[1] == two[1] && one[3] == two[3] && one[5] == two[5] && one[7] == two[7] && one[9] == two[9] {
		t.Error("the label of an image changed no score at all")
	}
	for i, s := range before {
		if math.IsNaN(s) {
			t.Errorf("score %d is NaN", i)
		}
	}
}

// With one group of a class there is nothing to test.
func TestCrossScoresFewGroups(t *testing.T) {
	images, cracks := bright(4, 20, 1)
	if s := baseline.CrossScores(images, cracks, []string{"a", "b", "c", "b"}); s != nil {
		t.Errorf("scores %v with one cracked group, want none", s)
	}
	if s := baseline.CrossScores(images, cracks, []string{"a", "b", "c", "d"}); len(s) != 4 {
		t.Errorf("%d scores with two groups of each class, want 4", len(s))
	}
}
