package web

import (
	"slices"
	"sync"
	"time"

	"tirewatch/vision/verdict"
)

// shifts counts verdicts and trigger errors by shift. It reads the verdicts from before the start
// of the agent from the journal once, and counts the others when they are stored. So viewers of the
// page cost the database nothing. Trigger errors are not in the journal; a stateFile keeps them.
type shifts struct {
	starts []time.Duration // time since midnight, ascending
	now    func() time.Time
	next   uint64 // verdicts from this seq on arrive through count

	mu    sync.Mutex
	tally map[int64]*tally // by the Unix time of the shift's start; guarded by mu
}

// shownShifts is how many shifts are counted: a week of three shifts a day.
const shownShifts = 21

// tally counts the verdicts and trigger errors of one shift.
type tally struct {
	Start    time.Time             `json:"start"`
	End      time.Time             `json:"end"`
	Verdicts map[verdict.Label]int `json:"verdicts"`
	Triggers int                   `json:"trigger_errors"`
}

func newShifts(starts []time.Duration, next uint64, now func() time.Time) *shifts {
	return &shifts{starts: starts, now: now, next: next, tally: map[int64]*tally{}}
}

// bounds returns the start and end of the shift that contains t. Shifts start by local time, also
// on days when summer time begins or ends.
func (s *shifts) bounds(t time.Time) (start, end time.Time) {
	t = t.Local()
	var all []time.Time
	for day := -1; day <= 1; day++ {
		for _, d := range s.starts {
			all = append(all, time.Date(t.Year(), t.Month(), t.Day()+day,
				int(d.Hours()), int(d.Minutes())%60, 0, 0, t.Location()))
		}
	}
	i := slices.IndexFunc(all, t.Before) // the first start after t
	return all[i-1], all[i]
}

// tallyAt returns the tally of the shift that contains t. The caller holds mu.
func (s *shifts) tallyAt(t time.Time) *tally {
	start, end := s.bounds(t)
	c := s.tally[start.Unix()]
	if c == nil {
		c = &tally{Start: start, End: end, Verdicts: map[verdict.Label]int{}}
		s.tally[start.Unix()] = c
		// Remove the shift that is farthest from this one. So a clock that jumps can neither fill
		// the memory nor push out the present shift with old ones.
		if len(s.tally) > shownShifts {
			distance := func(k int64) int64 { return max(k-start.Unix(), start.Unix()-k) }
			farthest := start.Unix()
			for k := range s.tally {
				if distance(k) > distance(farthest) {
					farthest = k
				}
			}
			delete(s.tally, farthest)
		}
	}
	return c
}

func (s *shifts) count(t time.Time, l verdict.Label) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tallyAt(t).Verdicts[l]++
}

func (s *shifts) addTriggerErrors(t time.Time, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tallyAt(t).Triggers += n
}

// triggerErrors returns the trigger errors of each shift that has any, by the Unix time of its
// start.
func (s *shifts) triggerErrors() map[int64]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[int64]int{}
	for start, c := range s.tally {
		if c.Triggers > 0 {
			all[start] = c.Triggers
		}
	}
	return all
}

// load adds the verdicts from before the start of the agent, the present shift first. Each query to
// the journal covers one hour.
func (s *shifts) load(j Journal) error {
	at := s.now()
	for range shownShifts {
		start, end := s.bounds(at)
		sum := map[verdict.Label]int{}
		for t := start; t.Before(end); t = t.Add(time.Hour) {
			until := t.Add(time.Hour)
			if until.After(end) {
				until = end
			}
			n, err := j.Count(t, until, s.next)
			if err != nil {
				return err
			}
			for l, k := range n {
				sum[l] += k
			}
		}
		if len(sum) > 0 {
			s.mu.Lock()
			for l, k := range sum {
				s.tallyAt(start).Verdicts[l] += k
			}
			s.mu.Unlock()
		}
		at = start.Add(-time.Second)
	}
	return nil
}

// list returns the present shift and the earlier ones with a verdict or trigger error, latest
// first.
func (s *shifts) list() []tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []tally
	present := s.tallyAt(s.now())
	for _, c := range s.tally {
		copied := *c
		copied.Verdicts = map[verdict.Label]int{}
		for _, l := range verdict.Labels() {
			copied.Verdicts[l] = c.Verdicts[l]
		}
		if !c.Start.After(present.Start) { // a clock that was ahead left later ones
			all = append(all, copied)
		}
	}
	slices.SortFunc(all, func(a, b tally) int { return b.Start.Compare(a.Start) })
	return all
}
