package journal_test

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tirewatch/agent/journal"
)

const day = 24 * time.Hour

// sweep calls Sweep until there is nothing more to do. ran is passed once.
func sweep(t *testing.T, j *journal.Journal, l journal.Limits, ran time.Duration) (deleted, lost int) {
	t.Helper()
	for {
		s, err := j.Sweep(l, ran)
		if err != nil {
			t.Fatal(err)
		}
		if s.Deleted > 256 {
			t.Fatalf("one step deleted %d rows: an append would wait for all of them", s.Deleted)
		}
		deleted, lost, ran = deleted+s.Deleted, lost+s.Lost, 0
		if !s.More {
			return deleted, lost
		}
	}
}

// fill appends n verdicts quickly.
func fill(t testing.TB, path string, n int) {
	t.Helper()
	j, err := journal.OpenIn(journal.Environment{NoSync: true}, path, station)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := j.Append(aVerdict()); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func ack(t testing.TB, j *journal.Journal, first, last uint64) {
	t.Helper()
	var seqs []uint64
	for seq := first; seq <= last; seq++ {
		seqs = append(seqs, seq)
	}
	if err := j.MarkAcked(seqs...); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, j *journal.Journal) []uint64 {
	t.Helper()
	rows, err := j.Recent(math.MaxInt32)
	if err != nil {
		t.Fatal(err)
	}
	var seqs []uint64
	for i := len(rows) - 1; i >= 0; i-- {
		seqs = append(seqs, rows[i].Seq)
	}
	return seqs
}

// Acknowledged verdicts are deleted by age, and the age is running time: the clock does not matter.
func TestAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	limits := journal.Limits{Age: 3 * day}
	for d := range 5 { // ten verdicts each day, with a wrong clock
		for range 10 {
			v := aVerdict()
			v.Time = []time.Time{time.Unix(0, 0), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}[d%2]
			if err := j.Append(v); err != nil {
				t.Fatal(err)
			}
		}
		if deleted, lost := sweep(t, j, limits, day); deleted != 0 || lost != 0 {
			t.Fatalf("day %d: %d verdicts deleted that the broker does not have, %d lost", d, deleted, lost)
		}
		j.Close()
		j = open(t, path) // the age outlives a restart
	}
	ack(t, j, 1, 50)
	if deleted, _ := sweep(t, j, limits, 0); deleted != 20 {
		t.Errorf("after five days of work %d verdicts were deleted, want the 20 of the first two", deleted)
	}
	sweep(t, j, limits, day)
	if left := all(t, j); len(left) != 20 || left[0] != 31 {
		t.Errorf("after six days there are %v", left)
	}
	sweep(t, j, limits, 100*day)
	if left := all(t, j); len(left) != 0 {
		t.Errorf("after three months there are %v", left)
	}
	if seq := next(t, j); seq != 51 {
		t.Errorf("the empty journal continues with %d", seq)
	}
}

// Above the size limit all acknowledged verdicts are deleted before the first one of the queue.
// Then the oldest of the queue are deleted and counted.
func TestSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 8000)
	j := open(t, path)
	ack(t, j, 1, 3000)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := info.Size()

	deleted, lost := sweep(t, j, journal.Limits{Bytes: whole * 3 / 4}, 0)
	if lost != 0 || deleted < 1500 || deleted > 2600 {
		t.Errorf("for a quarter of the file %d of 8000 were deleted, %d of the queue", deleted, lost)
	}
	deleted, lost = sweep(t, j, journal.Limits{Bytes: whole / 4}, 0)
	left := all(t, j)
	if lost == 0 || left[0] != uint64(3000+lost+1) || len(left) != 5000-lost {
		t.Errorf("deleted %d, %d of the queue; %d from %d on are left", deleted, lost, len(left), left[0])
	}
	if n, _, err := j.Depth(); n != len(left) || err != nil {
		t.Errorf("depth %d, %v", n, err)
	}
	counted, gaps, err := j.Gaps(10)
	if err != nil || counted != uint64(lost) || len(gaps) != 1 || gaps[0].First != 3001 || gaps[0].Last != uint64(3000+lost) || gaps[0].Lost != counted {
		t.Errorf("%d lost in gaps %v, %v; want %d", counted, gaps, err, lost)
	}
	j.Close()
	info, err = os.Stat(path)
	if err != nil || info.Size() > whole/4+whole/8+5<<20 {
		t.Errorf("the file has %d bytes, before it had %d; %v", info.Size(), whole, err)
	}
	// The rest is intact, and the numbers continue.
	j = open(t, path)
	if seq := next(t, j); seq != 8001 {
		t.Errorf("next number %d", seq)
	}
}

// After a long outage the file has many free pages and shrinks; a few free pages stay.
func TestShrink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 40_000)
	j := open(t, path)
	ack(t, j, 1, 40_000)
	size := func() int64 {
		j.Close()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		j = open(t, path)
		return info.Size()
	}
	before := size()
	sweep(t, j, journal.Limits{Bytes: before - 1<<20}, 0)
	if after := size(); after != before {
		t.Errorf("with a megabyte free the file changed from %d to %d bytes", before, after)
	}
	sweep(t, j, journal.Limits{Bytes: 1 << 20}, 0)
	if after := size(); after > 6<<20 {
		t.Errorf("with a megabyte in use the file changed from %d to %d bytes", before, after)
	}
}

// A random history of appends, acknowledgements, sweeps and restarts: what leaves the queue was
// acknowledged or is counted as lost.
func TestNothingLeavesUncounted(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	acked, last := map[uint64]bool{}, uint64(0)
	for range 150 {
		switch r.IntN(6) {
		case 0, 1, 2:
			for range r.IntN(40) {
				last = next(t, j)
			}
		case 3:
			var some []uint64
			for range r.IntN(60) {
				seq := 1 + r.Uint64N(last+1)
				acked[seq] = true
				some = append(some, seq)
			}
			if err := j.MarkAcked(some...); err != nil {
				t.Fatal(err)
			}
			delete(acked, last+1) // did not exist when it was acknowledged
		case 4:
			sweep(t, j, journal.Limits{Bytes: 60<<10 + r.Int64N(200<<10), Age: time.Duration(1+r.IntN(4)) * day}, time.Duration(r.IntN(40))*time.Hour)
		case 5:
			if r.IntN(3) == 0 {
				j.Close()
				j = open(t, path)
			}
		}
	}
	queue := map[uint64]bool{}
	for _, seq := range pending(t, j, 0, math.MaxInt32) {
		queue[seq] = true
	}
	counted, gaps, err := j.Gaps(math.MaxInt32)
	if err != nil {
		t.Fatal(err)
	}
	lost := map[uint64]bool{}
	for _, g := range gaps {
		if g.Lost != g.Last-g.First+1 {
			t.Errorf("gap %v", g)
		}
		for seq := g.First; seq <= g.Last; seq++ {
			lost[seq] = true
		}
	}
	if counted != uint64(len(lost)) {
		t.Errorf("%d are counted as lost, the gaps name %d", counted, len(lost))
	}
	for seq := uint64(1); seq <= last; seq++ {
		if !acked[seq] && !queue[seq] && !lost[seq] {
			t.Errorf("number %d is not acknowledged, not in the queue and not counted as lost", seq)
		}
	}
}

// Keep works while verdicts are appended, loses only what it must, and reports it.
func TestKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 5000)
	j := open(t, path)
	ack(t, j, 1, 1000)
	var log strings.Builder
	lost, problems := make(chan struct{}, 100), make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		j.Keep(ctx, journal.KeepOptions{
			Limits:  journal.Limits{Bytes: 900 << 10},
			Problem: func(part, text string) { problems <- part + ": " + text },
			Lost:    func() { lost <- struct{}{} },
			Log:     slog.New(slog.NewTextHandler(&log, nil)),
		})
	})
	<-lost
	if text := <-problems; !strings.Contains(text, "journal.max_size") {
		t.Errorf("problem %q", text)
	}
	appendN(t, j, 300) // at the same time
	cancel()
	wg.Wait()
	if !strings.Contains(log.String(), "verdicts lost") {
		t.Errorf("log %s", &log)
	}
	if left := all(t, j); left[0] <= 1000 || left[len(left)-1] != 5300 {
		t.Errorf("left are %d to %d", left[0], left[len(left)-1])
	}
}
