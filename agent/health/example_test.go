package health_test

import (
	"fmt"
	"time"

	"tirewatch/agent/health"
)

func ExampleJudgeClock() {
	newest := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	fmt.Println(health.JudgeClock(newest.Add(time.Hour), newest) == health.ClockPlausible)
	fmt.Println(health.JudgeClock(newest.Add(-time.Hour), newest) == health.ClockBehind)
	fmt.Println(health.JudgeClock(time.Unix(20, 0), newest) == health.ClockUnset)
	// Output:
	// true
	// true
	// true
}
