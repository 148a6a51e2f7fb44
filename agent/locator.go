package agent

import (
	"slices"
	"sync"
	"sync/atomic"

	"tirewatch/agent/config"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

// steered is a locator that the page may exchange while the loop uses it, and a web.Locate.
type steered struct {
	next atomic.Pointer[locate.Locator] // takes over with the next frame
	now  locate.Locator                 // owned by the loop

	path string // of the configuration

	mu  sync.Mutex
	cfg config.Config // whose section [locate] holds; guarded by mu
}

func newSteered(cfg *config.Config, path string) *steered {
	return &steered{now: newLocator(cfg), path: path, cfg: *cfg}
}

// Find is locate.Locator's.
func (s *steered) Find(f *frame.Frame) []locate.Tire {
	if next := s.next.Swap(nil); next != nil {
		s.now = *next
	}
	return s.now.Find(f)
}

// Where is where tires are looked for.
func (s *steered) Where() (mode string, region []int, learn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Locate.Mode, slices.Clone(s.cfg.Locate.Region), learnedFrames(&s.cfg)
}

// Move takes effect with the next frame, and is written into the configuration for the next start.
func (s *steered) Move(mode string, region []int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Locate.Mode = mode
	if region != nil {
		s.cfg.Locate.Region = slices.Clone(region)
	}
	l := newLocator(&s.cfg)
	s.next.Store(&l)
	return config.SaveLocate(s.path, mode, region)
}
