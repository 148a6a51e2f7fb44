package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// stationName is the name of an exported station image.
func stationName(station string, at time.Time, seq int) string {
	return fmt.Sprintf("%s_%s_%012d.png", station, at.Format("20060102T150405Z"), seq)
}

var morning = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

func TestStationRuns(t *testing.T) {
	at := func(minutes ...float64) (names []string) {
		for i, m := range minutes {
			names = append(names, stationName("a+b+c", morning.Add(time.Duration(m*float64(time.Minute))), i+1))
		}
		return names
	}
	var steady []float64 // a tire every two minutes for an hour
	for i := range 31 {
		steady = append(steady, float64(2*i))
	}
	for _, c := range []struct {
		name  string
		files []string
		want  string
	}{
		{"a pause of more than ten minutes ends a run", at(0, 1, 12, 13, 14, 40), "[[0 1] [2 3 4]]"},
		{"ten minutes are one run", at(0, 5, 10), "[[0 1 2]]"},
		{"a longer series is cut at its longest pause", at(0, 4, 9, 12), "[[0 1] [2 3]]"},
		{"in the middle when all pauses are equal", at(steady...)[:12], "[[0 1 2 3 4 5] [6 7 8 9 10 11]]"},
		{"two stations have nothing in common", []string{stationName("a+b+c", morning, 1), stationName("a+b+d", morning, 1)}, "[]"},
		{"the same tire in two folders, split or enlarged", []string{"x/" + at(0)[0], "y/" + strings.Replace(at(0)[0], ".png", "-2.png", 1),
			"z/" + strings.Replace(at(0)[0], ".png", "~aug1.png", 1)}, "[[0 1 2]]"},
		{"other files", []string{"IMG_0001.jpg", "a+b_20260302T060000Z_000000000001.png", "a+b+c_20261302T060000Z_000000000001.png",
			"a+b+c_20260302T060000Z_0000000000012345678901.png", "a+b+c_20260302T060000Z_1.png"}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			photos := make([]photo, len(c.files))
			for i, f := range c.files {
				photos[i].item.Path = filepath.FromSlash(f)
			}
			if got := fmt.Sprint(stationRuns(photos)); got != c.want {
				t.Errorf("%s; want %s", got, c.want)
			}
		})
	}
}

// Twelve runs of five different-looking tires. Every split, of a set and of its parts, keeps each
// run on one side, and check reports a run that is on both.
func TestSplitKeepsRunsTogether(t *testing.T) {
	dir := t.TempDir()
	seq := 0
	for run := range 12 {
		for i := range 5 {
			seq++
			at := morning.Add(time.Duration(run)*time.Hour + time.Duration(i)*time.Minute)
			save(t, dir, "set/"+Classes[(run+i)%2].String()+"/"+stationName("a+b+c", at, seq), photograph(uint64(seq)))
		}
	}
	s, err := Open(filepath.Join(dir, "set"))
	if err != nil {
		t.Fatal(err)
	}
	runOf := func(path string) string { return filepath.Base(path)[:len("a+b+c_20260302T06")] }
	for seed := range uint64(4) {
		train, val, err := validation(s, seed, 0.2)
		if err != nil {
			t.Fatal(err)
		}
		if len(val) < 9 || len(val) > 15 {
			t.Errorf("seed %d: %d of 60 are held back", seed, len(val))
		}
		for _, v := range val {
			if slices.ContainsFunc(train, func(it Item) bool { return runOf(it.Path) == runOf(v.Path) }) {
				t.Errorf("seed %d: %s is held back, others of its run are not", seed, v.Path)
			}
		}
	}

	d, err := s.Split(t.Context(), filepath.Join(dir, "split"), SplitOptions{Seed: 1, Test: 0.25}, nil)
	if err != nil || d.Groups != 12 || d.Grouped != 60 {
		t.Fatalf("%+v, %v", d, err)
	}
	if a := audited(t, filepath.Join(dir, "split")); a.Runs != 12 || a.Parted != 0 {
		t.Errorf("%d runs, %d parted", a.Runs, a.Parted)
	}
	save(t, dir, "split/testing/crack/"+stationName("a+b+c", morning.Add(9*time.Minute), 99), photograph(99))
	save(t, dir, "split/training/crack/"+stationName("a+b+c", morning.Add(9*time.Minute), 98), photograph(98))
	a := audited(t, filepath.Join(dir, "split"))
	if a.Parted != 1 || !slices.ContainsFunc(a.Warnings, func(w string) bool { return strings.HasPrefix(w, "1 of 12 station runs are on different sides") }) {
		t.Errorf("%d parted, warnings %q", a.Parted, a.Warnings)
	}
}

// Tiles of one photograph are one tire, in any folder, also after splitting or enlarging.
func TestTiresOfTiles(t *testing.T) {
	var photos []photo
	for _, f := range []string{
		"normal/" + TileName("photos/IMG 1.jpg", 45), "crack/" + TileName("IMG 1.jpeg", 360-24), "crack/IMG 1~tile072~aug1.png", "crack/IMG 1~tile072-2.png",
		"crack/IMG 2~tile000.png", "normal/IMG 3.png", "crack/IMG 3.png", "normal/~tile000.png", "crack/~tile001.png",
	} {
		photos = append(photos, photo{item: Item{Path: filepath.FromSlash(f)}})
	}
	if got := fmt.Sprint(tires(photos)); got != "[[0 1 2 3]]" {
		t.Errorf("%s", got)
	}
	if got := TileName("photos/IMG 1.jpg", 45); got != "IMG 1~tile045.png" {
		t.Error(got)
	}
}
