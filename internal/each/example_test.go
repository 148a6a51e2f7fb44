package each_test

import (
	"context"
	"fmt"

	"tirewatch/internal/each"
)

func ExampleRun() {
	sizes := []int{3, 1, 4}
	total := 0
	err := each.Run(context.Background(), len(sizes),
		func() (*int, error) { return new(int), nil },                // a sum for each worker
		func(sum *int, i int) error { *sum += sizes[i]; return nil }, // called for 0, 1 and 2
		func(sum *int) { total += *sum },                             // adds up the workers' sums
		nil)
	fmt.Println(total, err)
	// Output: 8 <nil>
}
