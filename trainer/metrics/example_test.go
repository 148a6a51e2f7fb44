package metrics_test

import (
	"fmt"
	"log"

	"tirewatch/trainer/metrics"
)

// Four tires, two of them cracked: one crack is missed at the threshold 0.5.
func ExampleNew() {
	scores := []float64{0.9, 0.3, 0.2, 0.1} // probabilities of a crack
	labels := []bool{true, true, false, false}
	r, err := metrics.New(scores, labels, 0.5)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("recall %.2f, escape rate %.2f, false reject rate %.2f\n", r.Crack.Recall, r.EscapeRate, r.FalseRejectRate)
	// Output: recall 0.50, escape rate 0.50, false reject rate 0.00
}

// A threshold that misses no crack on these images, with as few false rejects as possible.
func ExampleChoose() {
	scores := []float64{0.9, 0.4, 0.3, 0.1}
	labels := []bool{true, true, false, false}
	c, err := metrics.Choose(scores, labels, metrics.Budget{Side: metrics.Escape, Limit: 0})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("threshold %.2f, %d of %d cracks missed, proven %v\n", c.Threshold, c.Escape.Count, c.Escape.Of, c.Proven)
	// Output: threshold 0.35, 0 of 2 cracks missed, proven false
}

// Four photographs of two cracked tires and of two sound ones. Only two tires of each kind say
// little about other tires.
func ExampleBootstrap() {
	scores := []float64{0.9, 0.8, 0.4, 0.3, 0.6, 0.5, 0.2, 0.1}
	labels := []bool{true, true, true, true, false, false, false, false}
	tires := []string{"a", "a", "b", "b", "c", "c", "d", "d"}
	auc := metrics.NewBootstrap(tires, labels, 1).AUC(scores, labels)
	fmt.Printf("ROC AUC %.2f, on other tires %.2f to %.2f\n", metrics.ROCAUC(scores, labels), auc.Low, auc.High)
	// Output: ROC AUC 0.75, on other tires 0.00 to 1.00
}
