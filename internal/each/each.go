// Package each runs a loop over many images on all processors. The trainer and the quantizer use it
// to read, score and calibrate. Its one call is [Run].
package each

import (
	"context"
	"runtime"
	"sync"
)

// Run calls do for each i from 0 to n-1. It returns the first error, or the context's error when
// ctx ends early. No call is running when it returns.
//
// There is one worker per processor. Each has a value W of its own, made by worker, which may hold
// state that is not safe for concurrent use. finish, if not nil, is called for each worker that
// ends without an error. progress, if not nil, is called after each i with the number of finished
// calls. The calls of finish and progress never overlap.
func Run[W any](
	ctx context.Context, n int,
	worker func() (W, error), do func(w W, i int) error, finish func(w W), progress func(done int),
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu         sync.Mutex
		next, done int // guarded by mu
		wg         sync.WaitGroup
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == n || ctx.Err() != nil {
			return 0, false
		}
		next++
		return next - 1, true
	}
	work := func() error {
		w, err := worker()
		if err != nil {
			return err
		}
		for i, ok := take(); ok; i, ok = take() {
			if err := do(w, i); err != nil {
				return err
			}
			mu.Lock()
			done++
			if progress != nil {
				progress(done)
			}
			mu.Unlock()
		}
		if finish != nil {
			mu.Lock()
			defer mu.Unlock()
			finish(w)
		}
		return nil
	}
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			if err := work(); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
