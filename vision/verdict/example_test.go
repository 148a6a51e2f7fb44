package verdict_test

import (
	"fmt"

	"tirewatch/vision/verdict"
)

func ExamplePolicy_Decide() {
	votes := []verdict.Vote{{Frame: 801, Logit: -0.5}, {Frame: 802, Logit: -0.5}, {Frame: 803, Logit: 4}}
	for _, rule := range verdict.Rules() {
		policy := verdict.Policy{Threshold: 0.5, Rule: rule}
		label, probability := policy.Decide(votes)
		fmt.Printf("%s: %s, probability %.2f, reject %v\n", rule, label, probability, label.Reject())
	}
	// Output:
	// mean: crack, probability 0.73, reject true
	// majority: normal, probability 0.38, reject false
	// any: crack, probability 0.98, reject true
}
