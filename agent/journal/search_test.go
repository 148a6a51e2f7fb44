package journal_test

import (
	"cmp"
	"database/sql"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

// scattered returns a journal whose clock jumped at times, and its verdicts sorted by number.
func scattered(t *testing.T, n int) (*journal.Journal, []verdict.Verdict) {
	t.Helper()
	j, err := journal.OpenIn(journal.Environment{NoSync: true}, filepath.Join(t.TempDir(), "journal.db"), station)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	rng := rand.New(rand.NewPCG(3, 4))
	now := aVerdict().Time
	var all []verdict.Verdict
	for range n {
		v := aVerdict()
		now = now.Add(time.Duration(rng.IntN(3)) * time.Second) // some have the same time
		if rng.IntN(50) == 0 {
			now = now.Add(-time.Minute)
		}
		v.Time, v.Probability = now, float64(rng.IntN(100))/100
		v.Label = []verdict.Label{verdict.Normal, verdict.Normal, verdict.Normal, verdict.Crack, verdict.NoDecision}[rng.IntN(5)]
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
		all = append(all, *v)
	}
	return j, all
}

// TestSearch compares the joined pages of several sizes with a scan of all verdicts.
func TestSearch(t *testing.T) {
	j, all := scattered(t, 1200)
	at := func(i int) time.Time { return all[i].Time }
	for name, q := range map[string]journal.Query{
		"all":                {High: 1},
		"cracks":             {Label: verdict.Crack, High: 1},
		"sound":              {Label: verdict.Normal, High: 1},
		"no decision, a day": {Label: verdict.NoDecision, High: 1, From: at(300), To: at(900)},
		"uncertain":          {Low: 0.45, High: 0.55},
		"one score":          {Low: 0.5, High: 0.5, From: at(100)},
		"one instant":        {High: 1, From: at(600), To: at(600).Add(time.Millisecond)},
		"nothing":            {Label: verdict.Crack, High: 1, To: at(0).Add(-time.Hour)},
	} {
		var want []uint64
		for _, v := range slices.SortedFunc(slices.Values(all), func(a, b verdict.Verdict) int {
			return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.Seq, a.Seq))
		}) {
			if (q.Label == "" || v.Label == q.Label) && v.Probability >= q.Low && v.Probability <= q.High &&
				!v.Time.Before(q.From) && (q.To.IsZero() || v.Time.Before(q.To)) {
				want = append(want, v.Seq)
			}
		}
		for _, q.Limit = range []int{1, 7, 5000} {
			var got []uint64
			q.Below = journal.Place{}
			for {
				page, end, more, err := j.Search(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range page {
					got = append(got, v.Seq)
				}
				if !more {
					break
				}
				if q.Below, err = journal.ParsePlace(end.String()); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %d a page: found %d, want %d", name, q.Limit, len(got), len(want))
			}
		}
	}
}

// A search reads many rows that do not match in steps.
func TestSearchInSteps(t *testing.T) {
	path := grown(t, 3*journal.SearchStep) // all cracks with 0.93
	j := open(t, path)
	for range 3 {
		v := aVerdict()
		v.Probability = 0.1
		v.Time = v.Time.Add(-time.Hour)
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, label := range []verdict.Label{"", verdict.Crack} {
		found, _, more, err := j.Search(t.Context(), journal.Query{Label: label, High: 0.5, Limit: 10})
		if err != nil || len(found) != 3 || more {
			t.Errorf("label %q: found %d after %d others, more %v, %v; want 3", label, len(found), 3*journal.SearchStep, more, err)
		}
	}
}

func TestCount(t *testing.T) {
	j, all := scattered(t, 500)
	from, to, next := all[100].Time, all[400].Time, uint64(450)
	want := map[verdict.Label]int{}
	for _, v := range all {
		if !v.Time.Before(from) && v.Time.Before(to) && v.Seq < next {
			want[v.Label]++
		}
	}
	got, err := j.Count(from, to, next)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range verdict.Labels() {
		if got[l] != want[l] || got[l] == 0 {
			t.Errorf("%s: %d, want %d", l, got[l], want[l])
		}
	}
}

// The next start creates an index that an older program did not create.
func TestJournalWithoutIndexes(t *testing.T) {
	path := rest(t, 5, 5)
	alter(t, path, `DROP INDEX found; DROP INDEX rejected`)
	j := open(t, path)
	if found, _, _, err := j.Search(t.Context(), journal.Query{Label: verdict.Crack, High: 1, Limit: 9}); err != nil || len(found) != 5 {
		t.Errorf("%d found, %v", len(found), err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, path, `DROP INDEX found; DROP INDEX rejected`) // fails unless both exist again
}

func TestCropIsRead(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	if _, err := j.SaveCrop([]byte("a crop")); err != nil {
		t.Fatal(err)
	}
	seq := next(t, j)
	if data, err := j.Crop(seq); err != nil || string(data) != "a crop" {
		t.Errorf("read %q, %v", data, err)
	}
	if _, err := j.Crop(seq + 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing crop: %v", err)
	}
}

func TestPlace(t *testing.T) {
	for _, bad := range []string{"", "1", "a-1", "1-a", "1--1", "1-99999999999999999999"} {
		if _, err := journal.ParsePlace(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// alter runs statements on a journal that nobody has open.
func alter(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}
