package camera

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tirewatch/vision/frame"
)

// film is a camera with one frame per second of one pixel. The function pixel returns the pixel of
// each second.
type film struct {
	pixel func(second int) byte
	at    int
}

func (s *film) Next(context.Context) (*frame.Frame, error) {
	time.Sleep(time.Second)
	s.at++
	return &frame.Frame{Width: 1, Height: 1, Stride: 1, Format: frame.Gray,
		Pix: []byte{s.pixel(s.at)}, Seq: uint64(s.at)}, nil
}

func (s *film) Close() error { return nil }

// A driver that repeats its last image is reopened after the allowed time, and again after each
// further such time. A camera whose image changes sometimes is not reopened.
func TestFrozenCameraIsReopened(t *testing.T) {
	for _, c := range []struct {
		name  string
		pixel func(second int) byte
		live  bool
		want  int // reopenings in 100 s
	}{
		{"noise", func(s int) byte { return byte(s) }, true, 0},
		{"a change every 29 s", func(s int) byte { return byte(s / 29) }, true, 0},
		{"frozen from the start", func(int) byte { return 7 }, true, 3},
		{"a photograph in a folder", func(int) byte { return 7 }, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var failures []error
				at := 0
				r := NewReopening(ReopenOptions{
					Open: func() (Source, error) { return &film{pixel: func(int) byte { at++; return c.pixel(at) }}, nil },
					Live: c.live, Frozen: 30 * time.Second, Pause: Backoff{First: time.Second, Max: time.Second},
					Event: func(e Event) {
						if e.Err != nil {
							failures = append(failures, e.Err)
						}
					},
				})
				for start := time.Now(); time.Since(start) < 100*time.Second; {
					if _, err := r.Next(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if len(failures) != c.want {
					t.Errorf("%d reopenings, want %d: %v", len(failures), c.want, failures)
				}
				for _, err := range failures {
					if !errors.Is(err, ErrFrozen) {
						t.Errorf("reopened because of %v", err)
					}
				}
			})
		})
	}
}
