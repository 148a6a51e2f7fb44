package dataset

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Stations see the same tires again: the belt stops, or a batch passes twice, and the tires of a
// batch come from one mould under one lamp. So images from one station within ten minutes are one
// run, and a split keeps a run on one side. A longer series without a pause is cut at its longest
// pause.
//
// The name of an image from a station says where and when it was taken (`tirewatch-agent review
// export` writes it), so runs survive merging, splitting and enlarging:
//
//	hamburg+line1+station3_20261126T171059Z_000000000012.png
//	STATION, + for /       time, UTC        number of the verdict
const runLength = 10 * time.Minute

var stationPicture = regexp.MustCompile(`^([^+]+\+[^+]+\+[^+]+)_(\d{8}T\d{6}Z)_(\d{12,19})\b`)

// shot is an image from a station.
type shot struct {
	station string
	time    time.Time
	seq     uint64
	index   int // index of the photo
}

// parseShot reads the name of a file. ok is false when it is not from a station.
func parseShot(path string) (s shot, ok bool) {
	m := stationPicture.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return s, false
	}
	at, err := time.Parse("20060102T150405Z", m[2])
	if err != nil {
		return s, false
	}
	seq, err := strconv.ParseUint(m[3], 10, 64)
	return shot{station: m[1], time: at, seq: seq}, err == nil
}

// stationRuns returns the runs of at least two images, as indices of photos.
func stationRuns(photos []photo) (found [][]int) {
	var shots []shot
	for i, p := range photos {
		if s, ok := parseShot(p.item.Path); ok {
			s.index = i
			shots = append(shots, s)
		}
	}
	slices.SortFunc(shots, func(a, b shot) int {
		return cmp.Or(cmp.Compare(a.station, b.station), a.time.Compare(b.time), cmp.Compare(a.seq, b.seq), a.index-b.index)
	})
	for len(shots) > 0 {
		n := 1
		for n < len(shots) && shots[n].station == shots[0].station && shots[n].time.Sub(shots[n-1].time) <= runLength {
			n++
		}
		for _, run := range cut(shots[:n]) {
			if len(run) < 2 {
				continue
			}
			var indices []int
			for _, s := range run {
				indices = append(indices, s.index)
			}
			found = append(found, indices)
		}
		shots = shots[n:]
	}
	return found
}

// cut divides a series, sorted by time, into runs.
func cut(stretch []shot) [][]shot {
	last := len(stretch) - 1
	if stretch[last].time.Sub(stretch[0].time) <= runLength {
		return [][]shot{stretch}
	}
	// If several pauses are equal, the one nearest to the middle is used. The others would leave
	// runs of single images.
	at, longest := 0, time.Duration(-1)
	fromMiddle := func(i int) int { return max(2*i-last-1, last+1-2*i) }
	for i := 1; i <= last; i++ {
		pause := stretch[i].time.Sub(stretch[i-1].time)
		if pause > longest || pause == longest && fromMiddle(i) < fromMiddle(at) {
			at, longest = i, pause
		}
	}
	return append(cut(stretch[:at]), cut(stretch[at:])...)
}

// together pairs the images of each group, of each run, and the tiles of each tire, so that a split
// keeps them on one side.
func together(photos []photo) (found []pair) {
	for _, g := range slices.Concat(given(photos), stationRuns(photos), tires(photos)) {
		for _, i := range g[1:] {
			found = append(found, pair{a: min(g[0], i), b: max(g[0], i), overlap: overlap{corr: 1}, made: true})
		}
	}
	return found
}
