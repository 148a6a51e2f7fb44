package camera

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tirewatch/vision/frame"
)

// script is a source that returns a number of frames and then always the same error.
type script struct {
	frames int
	end    error
	given  uint64
	closed *int
}

func (s *script) Next(ctx context.Context) (*frame.Frame, error) {
	if s.given == uint64(s.frames) {
		return nil, s.end
	}
	s.given++
	return &frame.Frame{Seq: s.given}, nil
}

func (s *script) Close() error { *s.closed++; return nil }

func TestReopeningOutlivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := 0
		gone := errors.New("cable pulled")
		lives := []any{
			&script{frames: 2, end: ErrStalled, closed: &closed},
			gone, gone, gone, gone,
			&script{frames: 1, end: ErrRead, closed: &closed},
			&script{frames: 9, closed: &closed},
		}
		open := func() (Source, error) {
			life := lives[0]
			lives = lives[1:]
			if err, ok := life.(error); ok {
				return nil, err
			}
			return life.(Source), nil
		}
		var pauses []time.Duration
		back := 0
		event := func(e Event) {
			if e.Err == nil {
				back++
				return
			}
			pauses = append(pauses, e.Retry)
		}
		r := NewReopening(ReopenOptions{Open: open, Live: true,
			Pause: Backoff{First: time.Second, Max: 4 * time.Second}, Event: event})
		start := time.Now()
		var seqs []uint64
		for range 5 {
			f, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, f.Seq)
		}
		if !slices.Equal(seqs, []uint64{1, 2, 3, 4, 5}) {
			t.Errorf("frame numbers %v: they must continue after a reopening", seqs)
		}
		s := time.Second
		if want := []time.Duration{s, 2 * s, 4 * s, 4 * s, 4 * s, s}; !slices.Equal(pauses, want) {
			t.Errorf("pauses %v; want %v", pauses, want)
		}
		if took := time.Since(start); took != 16*time.Second {
			t.Errorf("took %v, the pauses sum to 16s", took)
		}
		if back != 2 || closed != 2 {
			t.Errorf("it worked again %d times, %d sources closed; want 2 and 2", back, closed)
		}
		if err := r.Close(); err != nil || closed != 3 {
			t.Errorf("close: %v, %d sources closed; want 3", err, closed)
		}
	})
}

func TestReopeningPassesOnWhatIsFinal(t *testing.T) {
	closed := 0
	for _, c := range []struct {
		name string
		live bool
		end  error
	}{
		{"end of a video", false, io.EOF},
		{"a damaged video", false, ErrRead},
		{"a build without OpenCV", true, ErrNoOpenCV},
		{"a source that does not exist", true, ErrLocation},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReopening(ReopenOptions{
				Open:  func() (Source, error) { return &script{end: c.end, closed: &closed}, nil },
				Live:  c.live,
				Loop:  true, // a source without a single frame cannot be played in a loop
				Event: func(e Event) { t.Errorf("event %+v", e) },
			})
			if _, err := r.Next(t.Context()); !errors.Is(err, c.end) {
				t.Errorf("got %v; want %v", err, c.end)
			}
		})
	}
}

func TestReopeningStopsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(closed *int) (Source, error)
		want int // sources closed in the end
	}{
		{"during a pause", func(*int) (Source, error) { return nil, errors.New("no camera") }, 0},
		{"while the driver opens", func(closed *int) (Source, error) {
			// the time that OpenCV waits for a host that does not answer, on the test's fake clock
			time.Sleep(30 * time.Second)
			return &script{closed: closed}, nil
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			closed := 0
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				r := NewReopening(ReopenOptions{
					Open: func() (Source, error) { return c.open(&closed) }, Live: true,
					Pause: Backoff{time.Minute, time.Minute}, Event: func(Event) {},
				})
				start := time.Now()
				_, err := r.Next(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				time.Sleep(time.Minute)
			})
			if closed != c.want {
				t.Errorf("%d sources closed, want %d: a late one must not stay open", closed, c.want)
			}
		})
	}
}

// The frame numbers of a source in a loop continue, also if the source returns the same Frame each
// time and counts in it, as videos do.
func TestLoop(t *testing.T) {
	closed := 0
	for name, open := range map[string]func() Source{
		"frames of their own": func() Source { return &script{frames: 3, end: io.EOF, closed: &closed} },
		"one frame":           func() Source { return &inOrder{g: &reel{images: 3, closed: &closed}} },
	} {
		t.Run(name, func(t *testing.T) {
			closed = 0
			r := NewReopening(ReopenOptions{Loop: true, Open: func() (Source, error) { return open(), nil }})
			for want := uint64(1); want <= 300; want++ {
				if f, err := r.Next(t.Context()); err != nil || f.Seq != want {
					t.Fatalf("frame %d: %+v, %v", want, f, err)
				}
			}
			if closed != 99 {
				t.Errorf("%d sources closed; want 99", closed)
			}
		})
	}
}

// reel is a video with a number of images.
type reel struct {
	images int
	closed *int
}

func (r *reel) grab(*frame.Frame) error {
	if r.images == 0 {
		return io.EOF
	}
	r.images--
	return nil
}

func (r *reel) close() error { *r.closed++; return nil }
