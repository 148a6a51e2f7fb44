// Package each goes over many images on all processors: reading, scoring, calibrating. Newcomers
// need Run, its one call.
package each

import (
	"context"
	"runtime"
	"sync"
)

// Run calls do(0) .. do(n-1) and returns the first error, or the context's when it ends early; all
// calls have ended by then. Every processor has a worker of its own, made by worker, which may keep
// what is not safe for concurrent use. finish, when not nil, is called for each worker that came to
// its end without an error, and progress, when not nil, after each image; their calls do not
// overlap.
func Run[W any](ctx context.Context, n int, worker func() (W, error), do func(w W, i int) error, finish func(w W), progress func(done int)) error {
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
