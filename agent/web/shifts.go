package web

import (
	"slices"
	"sync"
	"time"

	"tirewatch/vision/verdict"
)

// shifts counts verdicts by shift: those from before the start of the agent come from the journal,
// once, and the others are added as they are stored. So a page costs the database nothing, however
// often it is looked at. What was wrong with triggers is in no verdict; memory keeps it.
type shifts struct {
	starts []time.Duration // since midnight, ascending
	now    func() time.Time
	next   uint64 // verdicts from this number on are told by count

	mu    sync.Mutex
	tally map[int64]*tally // by the Unix time of the shift's start; guarded by mu
}

// shownShifts is how many shifts are counted: a week of three.
const shownShifts = 21

// tally is what happened in a shift.
type tally struct {
	Start    time.Time             `json:"start"`
	End      time.Time             `json:"end"`
	Verdicts map[verdict.Label]int `json:"verdicts"`
	Triggers int                   `json:"trigger_errors"`
}

func newShifts(starts []time.Duration, next uint64, now func() time.Time) *shifts {
	return &shifts{starts: starts, now: now, next: next, tally: map[int64]*tally{}}
}

// bounds gives the shift that t is in. Shifts begin by the clock on the wall, also on the days when
// that jumps.
func (s *shifts) bounds(t time.Time) (start, end time.Time) {
	t = t.Local()
	var all []time.Time
	for day := -1; day <= 1; day++ {
		for _, d := range s.starts {
			all = append(all, time.Date(t.Year(), t.Month(), t.Day()+day, int(d.Hours()), int(d.Minutes())%60, 0, 0, t.Location()))
		}
	}
	i := slices.IndexFunc(all, t.Before) // the first start after t
	return all[i-1], all[i]
}

// at gives the tally of the shift that t is in. mu is held.
func (s *shifts) tallyAt(t time.Time) *tally {
	start, end := s.bounds(t)
	c := s.tally[start.Unix()]
	if c == nil {
		c = &tally{Start: start, End: end, Verdicts: map[verdict.Label]int{}}
		s.tally[start.Unix()] = c
		// the farthest goes; a clock that jumps to and fro cannot fill the memory, nor what it left
		// push the present out
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

// triggerErrors gives those of each shift that has some.
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

// load adds what the journal had before the start, the present shift first. The database is asked
// for an hour at a time.
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

// list gives the present shift and those before it that saw something, the latest first.
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
		if !c.Start.After(present.Start) { // a clock that ran ahead
			all = append(all, copied)
		}
	}
	slices.SortFunc(all, func(a, b tally) int { return b.Start.Compare(a.Start) })
	return all
}
