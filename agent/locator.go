package agent

import (
	"slices"
	"sync"
	"sync/atomic"

	"tirewatch/agent/config"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

// liveLocator is a locator that the page can replace while the loop uses it. It is a web.Locate.
type liveLocator struct {
	next atomic.Pointer[locate.Locator] // takes over with the next frame
	now  locate.Locator                 // owned by the loop

	path string // of the configuration

	mu  sync.Mutex
	cfg config.Config // its section [locate] is the current one; guarded by mu
}

func newLiveLocator(cfg *config.Config, path string) *liveLocator {
	return &liveLocator{now: newLocator(cfg), path: path, cfg: *cfg}
}

// Find implements locate.Locator.
func (s *liveLocator) Find(f *frame.Frame) []locate.Tire {
	if next := s.next.Swap(nil); next != nil {
		s.now = *next
	}
	return s.now.Find(f)
}

// Where returns where the station looks for tires.
func (s *liveLocator) Where() (mode string, region []int, learn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Locate.Mode, slices.Clone(s.cfg.Locate.Region), learnedFrames(&s.cfg)
}

// Move takes effect with the next frame. It is saved in the configuration for the next start.
func (s *liveLocator) Move(mode string, region []int) error {
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
