package baseline

import (
	"maps"
	"slices"
)

// crossFolds is the number of parts that CrossScores makes, if there are enough groups.
const crossFolds = 5

// CrossScores returns a score for each image from a model that was fitted to the other groups, so
// no image is judged by a model that saw it. groups has the name of the group of each image; images
// with the same name belong together. The result is nil if a class has fewer than two groups: then
// there is nothing to fit or nothing to test.
func CrossScores(images []Features, cracks []bool, groups []string) []float64 {
	part, n := parts(cracks, groups)
	if n < 2 {
		return nil
	}
	scores := make([]float64, len(images))
	for k := range n {
		var others []Features
		var labels []bool
		for i, p := range part {
			if p != k {
				others, labels = append(others, images[i]), append(labels, cracks[i])
			}
		}
		m := Fit(others, labels)
		for i, p := range part {
			if p == k {
				scores[i] = m.Score(images[i])
			}
		}
	}
	return scores
}

// parts deals the groups of each class in turn, in the order of their names. A group with a cracked
// tire counts as cracked. parts returns the part of each image and the number of parts.
func parts(cracks []bool, groups []string) (part []int, n int) {
	cracked := make(map[string]bool)
	for i, name := range groups {
		cracked[name] = cracked[name] || cracks[i]
	}
	place := make(map[string]int) // of a group among those of its class
	var size [2]int
	for _, name := range slices.Sorted(maps.Keys(cracked)) {
		class := 0
		if cracked[name] {
			class = 1
		}
		place[name] = size[class]
		size[class]++
	}
	n = min(crossFolds, size[0], size[1])
	for _, name := range groups {
		part = append(part, place[name]%max(n, 1))
	}
	return part, n
}
