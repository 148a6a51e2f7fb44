package each_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"tirewatch/internal/each"
)

func TestEveryIndexOnce(t *testing.T) {
	type counter struct{ seen map[int]int }
	all := make(map[int]int)
	last := 0
	err := each.Run(t.Context(), 100,
		func() (*counter, error) { return &counter{make(map[int]int)}, nil },
		func(c *counter, i int) error { c.seen[i]++; return nil },
		func(c *counter) {
			for i, n := range c.seen {
				all[i] += n
			}
		},
		func(done int) { last = done })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if all[i] != 1 {
			t.Errorf("index %d was seen %d times", i, all[i])
		}
	}
	if last != 100 {
		t.Errorf("the last progress is %d", last)
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	none := func() (int, error) { return 0, nil }
	for name, run := range map[string]func() error{
		"an image": func() error {
			return each.Run(t.Context(), 9, none, func(_, i int) error {
				if i == 5 {
					return fmt.Errorf("image 5: %w", broken)
				}
				return nil
			}, nil, nil)
		},
		"a worker": func() error {
			worker := func() (int, error) { return 0, broken }
			return each.Run(t.Context(), 9, worker, func(_, i int) error { return nil }, nil, nil)
		},
		"the caller": func() error {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(broken)
			return each.Run(ctx, 9, none, func(_, i int) error {
				t.Errorf("image %d after the end", i)
				return nil
			}, nil, nil)
		},
	} {
		if err := run(); !errors.Is(err, broken) {
			t.Errorf("%s: error %v, want %v", name, err, broken)
		}
	}
}
