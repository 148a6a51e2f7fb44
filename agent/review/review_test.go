package review_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tirewatch/agent/review"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/cut"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

const station = "hamburg/line1/station3"

var spec = preprocess.Spec{Width: 40, Height: 30, Filter: preprocess.FilterTriangle}

// aPicture returns the crop of a sound tire with the probability of a crack.
func aPicture(seq uint64, probability float64, why ...review.Reason) review.Picture {
	v := &verdict.Verdict{Time: time.Date(2026, 3, 2, 6, int(seq), 0, 250e6, time.UTC),
		Label: verdict.Normal, Probability: probability, Threshold: 0.5, ModelSerial: 7, ModelHash: "0123456789abcdef"}
	return review.Of(v, station, seq, why)
}

// pixelsOf returns the network's input bytes of a tire.
func pixelsOf(seq uint64) []byte {
	pix := make([]byte, spec.Size())
	for i := range pix {
		pix[i] = byte(i*int(seq) + i*i/7)
	}
	return pix
}

// inputOf returns the SHA-256 of pixelsOf.
func inputOf(seq uint64) string {
	sum := sha256.Sum256(pixelsOf(seq))
	return hex.EncodeToString(sum[:])
}

// keep stores crops in a folder as the agent does.
func keep(t *testing.T, dir string, pictures ...review.Picture) *review.Queue {
	t.Helper()
	if err := review.MakeFolders(dir); err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		data, err := review.Encode(pixelsOf(p.Seq), spec.Width, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, review.FileName(p.Seq)), data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return review.Open(dir, station, cut.Tire)
}

func label(t *testing.T, q *review.Queue, l review.Label, seqs ...uint64) {
	t.Helper()
	for _, seq := range seqs {
		if err := q.Label(seq, l); err != nil {
			t.Fatal(err)
		}
	}
}

// next lists the numbers of the queue.
func next(t *testing.T, q *review.Queue, n int) (seqs []uint64) {
	t.Helper()
	all, err := q.Next(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		seqs = append(seqs, p.Seq)
	}
	return seqs
}

func TestWhyCropsAreKept(t *testing.T) {
	p := review.Policy{Station: station, Band: 2}
	for _, c := range []struct {
		name      string
		policy    review.Policy
		label     verdict.Label
		score     float64
		threshold float64
		want      []review.Reason
		below     float64
		reason    string
	}{
		{"a sure crack", p, verdict.Crack, 0.99, 0.5, []review.Reason{review.Rejected}, 0, ""},
		{"an uncertain crack", p, verdict.Crack, 0.6, 0.5, []review.Reason{review.Rejected, review.Uncertain}, 0, ""},
		{"no decision has no score", p, verdict.NoDecision, 0, 0.001, []review.Reason{review.Rejected}, 0, ""},
		{"sound within two logits", p, verdict.Normal, 0.12, 0.5, []review.Reason{review.Uncertain}, 0, ""},
		{"sound and farther away", p, verdict.Normal, 0.119, 0.5, nil, 0, ""},
		{"two logits below a low threshold", p, verdict.Normal, 0.0014, 0.01, []review.Reason{review.Uncertain}, 0, ""},
		{"a threshold of 1 is not near everything", p, verdict.Normal, 0.999, 1, nil, 0, ""},
		{"no band", review.Policy{}, verdict.Normal, 0.5, 0.5, nil, 0, ""},
		{"all", review.Policy{Every: true}, verdict.Normal, 0.001, 0.5, []review.Reason{review.Every}, 0, ""},
		{"all, with a better reason", review.Policy{Every: true}, verdict.Crack, 0.9, 0.5, []review.Reason{review.Rejected}, 0, ""},
		{"the whole line as a sample", review.Policy{Share: 1}, verdict.Normal, 0.001, 0.5, []review.Reason{review.Sample}, 0, ""},
		{"unsure", review.Policy{}, verdict.NoDecision, 0.5, 0.8, []review.Reason{review.InBand}, 0.2, verdict.Unsure},
		{"unsure, and in the sample", review.Policy{Share: 1}, verdict.NoDecision, 0.5, 0.8, []review.Reason{review.InBand, review.Sample}, 0.2, verdict.Unsure},
		{"too late, with two thresholds", p, verdict.NoDecision, 0.5, 0.8, []review.Reason{review.Rejected}, 0.2, "decision after 3s"},
		{"sound, close to the lower threshold", p, verdict.Normal, 0.15, 0.99, []review.Reason{review.Uncertain}, 0.2, ""},
		{"sound, far below the lower threshold", p, verdict.Normal, 0.01, 0.99, nil, 0.2, ""},
		{"a crack, close to the upper threshold", p, verdict.Crack, 0.991, 0.99, []review.Reason{review.Rejected, review.Uncertain}, 0.2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &verdict.Verdict{Label: c.label, Probability: c.score, Threshold: c.threshold, SoundBelow: c.below, Reason: c.reason}
			if got := c.policy.Why(v, 1); !slices.Equal(got, c.want) {
				t.Errorf("%v; want %v", got, c.want)
			}
		})
	}
}

// The sample is the same after any restart, has the configured share, also among neighbours, and
// differs between stations.
func TestSample(t *testing.T) {
	sound := &verdict.Verdict{Label: verdict.Normal, Probability: 0.001, Threshold: 0.5}
	draw := func(station string, from, to uint64) (seqs []uint64) {
		for seq := from; seq < to; seq++ {
			if (review.Policy{Station: station, Share: 0.05}).Why(sound, seq) != nil {
				seqs = append(seqs, seq)
			}
		}
		return seqs
	}
	all := draw(station, 1, 20001)
	if len(all) < 900 || len(all) > 1100 {
		t.Errorf("%d of 20,000 are in the sample, want a twentieth", len(all))
	}
	if got := append(draw(station, 1, 777), draw(station, 777, 20001)...); !slices.Equal(got, all) {
		t.Error("a restart changes the sample")
	}
	neighbours := 0
	for i := range all[1:] {
		if all[i+1] == all[i]+1 {
			neighbours++
		}
	}
	if neighbours < 25 || neighbours > 80 {
		t.Errorf("%d pairs of neighbours, want about %d", neighbours, len(all)/20)
	}
	if slices.Equal(draw("hamburg/line1/station4", 1, 20001), all) {
		t.Error("another station has the same sample")
	}
}

// Disagreements are first, then the least certain, then crops without a note. A label removes a
// crop from the queue; None puts it back.
func TestQueue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal.db-crops")
	sure, unsure := aPicture(1, 0.999, review.Rejected), aPicture(2, 0.52, review.Uncertain)
	below := aPicture(3, 0.4, review.Uncertain)
	differs := aPicture(4, 0.001, review.Disagreement)
	gaveUp := aPicture(5, 0, review.Rejected)
	gaveUp.Verdict = verdict.NoDecision
	q := keep(t, dir, sure, unsure, below, differs, gaveUp)
	var plain bytes.Buffer
	if err := png.Encode(&plain, image.NewGray(image.Rect(0, 0, 9, 9))); err != nil {
		t.Fatal(err)
	}
	// 6 is from an older station
	for name, data := range map[string][]byte{review.FileName(6): plain.Bytes(), "7.png": nil, "README": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := next(t, q, 99), []uint64{4, 5, 2, 3, 1, 6}; !slices.Equal(got, want) {
		t.Errorf("queue %v; want %v", got, want)
	}
	if got := next(t, q, 2); !slices.Equal(got, []uint64{4, 5}) {
		t.Errorf("the first two: %v", got)
	}
	label(t, q, review.Crack, 4)
	label(t, q, review.Normal, 2, 5)
	label(t, q, review.Crack, 2) // changes the label
	label(t, q, review.Unsure, 3)
	label(t, q, review.None, 5)

	other := review.Open(dir, station, cut.Tire) // another process
	if got, want := next(t, other, 99), []uint64{5, 1, 6}; !slices.Equal(got, want) {
		t.Errorf("queue %v; want %v", got, want)
	}
	if c, err := other.Count(); err != nil || c != (review.Counts{Waiting: 3, Crack: 2, Unsure: 1}) {
		t.Errorf("%+v, %v", c, err)
	}
	got, err := other.Picture(2)
	if err != nil {
		t.Fatal(err)
	}
	unsure.Input = inputOf(2)
	unsure.Label, unsure.Path = review.Crack, filepath.Join(dir, "crack", review.FileName(2))
	if diff := cmp.Diff(unsure, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if old, err := other.Picture(6); err != nil || old.Station != station || old.Time.IsZero() || old.Verdict != "" {
		t.Errorf("a crop without a note: %+v, %v", old, err)
	}
	if err := q.Label(7, review.Crack); !errors.Is(err, review.ErrGone) {
		t.Errorf("a missing crop: %v", err)
	}
	if err := q.Label(1, "creck"); err == nil || errors.Is(err, review.ErrGone) {
		t.Errorf("an unknown label: %v", err)
	}
	// a person uses a file manager
	for path, want := range map[string]review.Label{"crack/": review.Crack, "": review.None} {
		if err := os.Rename(filepath.Join(dir, "unsure", review.FileName(3)), filepath.Join(dir, path, review.FileName(3))); err != nil {
			t.Fatal(err)
		}
		if p, err := q.Picture(3); err != nil || p.Label != want {
			t.Errorf("moved to %q it has label %q, %v", path, p.Label, err)
		}
		label(t, q, review.Unsure, 3)
	}
}

// Every fourth crop is from the random sample, whatever its score, until there are none left.
func TestSampleHasItsTurn(t *testing.T) {
	var pictures []review.Picture
	for seq := uint64(1); seq <= 10; seq++ {
		pictures = append(pictures, aPicture(seq, 0.5-float64(seq)/100, review.Uncertain))
	}
	pictures[1].Why = append(pictures[1].Why, review.Sample) // has its place in the queue anyway
	pictures = append(pictures, aPicture(11, 0.001, review.Sample), aPicture(12, 0.0001, review.Sample))
	q := keep(t, filepath.Join(t.TempDir(), "crops"), pictures...)
	if got, want := next(t, q, 99), []uint64{1, 2, 3, 12, 4, 5, 6, 11, 7, 8, 9, 10}; !slices.Equal(got, want) {
		t.Errorf("queue %v; want %v", got, want)
	}
	label(t, q, review.Normal, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	if got := next(t, q, 99); !slices.Equal(got, []uint64{12, 11}) {
		t.Errorf("the sample alone: %v", got)
	}
}

// A crop is a valid PNG, and its note is read back unchanged. A corrupt or truncated note is
// ignored.
func TestNote(t *testing.T) {
	p := aPicture(12, 0.25, review.Uncertain, review.Sample)
	p.Station = "werk ä/bånd/ス"
	data, err := review.Encode(pixelsOf(12), spec.Width, p)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := img.(*image.Gray); !ok || !bytes.Equal(g.Pix, pixelsOf(12)) || g.Rect.Dx() != spec.Width {
		t.Errorf("%T of %v", img, img.Bounds())
	}
	got, err := review.ParseNote(data)
	if err != nil {
		t.Fatal(err)
	}
	p.Input = inputOf(12)
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	end := bytes.Index(data, []byte("IDAT")) - 4
	for i := 33; i < end; i++ {
		broken := bytes.Clone(data)
		broken[i] ^= 1
		if _, err := review.ParseNote(broken); !errors.Is(err, review.ErrNoNote) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := review.ParseNote(data[:i]); !errors.Is(err, review.ErrNoNote) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	p.Station = strings.Repeat("x", 4096)
	if _, err := review.Encode(pixelsOf(12), spec.Width, p); err == nil {
		t.Error("a note that is too long to be read was written")
	}
}

func FuzzParseNote(f *testing.F) {
	data, err := review.Encode(pixelsOf(12), spec.Width, aPicture(12, 0.25, review.Sample))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:40])
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := review.ParseNote(data); err == nil {
			p.Doubt()
		}
	})
}

// An export is a data set that the trainer opens. Its pixels are the network's input bytes, and its
// runs stay together.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	q := keep(t, filepath.Join(dir, "crops"), aPicture(1, 0.9, review.Rejected),
		aPicture(2, 0.5, review.Uncertain), aPicture(30, 0.1, review.Sample),
		aPicture(31, 0.1, review.Sample), aPicture(32, 0.1, review.Sample))
	if _, _, err := q.Export(t.Context(), filepath.Join(dir, "none"), false); !errors.Is(err, review.ErrNothingLabelled) {
		t.Errorf("without labels: %v", err)
	}
	label(t, q, review.Crack, 1, 30)
	label(t, q, review.Normal, 2)
	label(t, q, review.Unsure, 31)
	out := filepath.Join(dir, "line1")
	m, unmarked, err := q.Export(t.Context(), out, false)
	if err != nil || unmarked != nil {
		t.Fatal(err, unmarked)
	}
	var written review.Manifest
	text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &written)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Pictures {
		m.Pictures[i].Picture.Label, m.Pictures[i].Path = "", "" // not in the manifest
		data, err := os.ReadFile(filepath.Join(out, p.File))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.SHA256 {
			t.Errorf("%s is not the file of the manifest", p.File)
		}
		if note, err := review.ParseNote(data); err != nil || note.Seq != p.Seq {
			t.Errorf("%s has the note %+v, %v", p.File, note, err)
		}
	}
	if diff := cmp.Diff(m, written); diff != "" {
		t.Errorf("returned -, written +:\n%s", diff)
	}

	set, err := dataset.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, it := range set.Train {
		paths = append(paths, set.Rel(it.Path))
	}
	if want := []string{
		"crack/hamburg+line1+station3_20260302T060100Z_000000000001.png",
		"crack/hamburg+line1+station3_20260302T063000Z_000000000030.png",
		"normal/hamburg+line1+station3_20260302T060200Z_000000000002.png",
	}; !slices.Equal(paths, want) {
		t.Errorf("data set %q", paths)
	}
	store := pixels.NewStore(dir, 1<<20, len(set.Train), spec.Size())
	defer store.Close()
	images, bad, err := set.Load(t.Context(), set.Train, spec, store, nil)
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	for i, seq := range []uint64{1, 30, 2} {
		if pix, err := images[i].Pix.Load(nil); err != nil || !bytes.Equal(pix, pixelsOf(seq)) {
			t.Errorf("%s does not hold the judged bytes: %v", images[i].Path, err)
		}
	}
	// 1 and 2, a minute apart, are one run
	if a, err := dataset.Check(t.Context(), set, nil); err != nil || a.Runs != 1 {
		t.Errorf("%d runs, %v", a.Runs, err)
	}

	// Exported crops are marked, and a later export has them again unless it is fresh. A person may
	// still change their labels.
	if c, err := q.Count(); err != nil || c != (review.Counts{Waiting: 1, Crack: 2, Normal: 1, Unsure: 1, Exported: 3}) {
		t.Errorf("%+v, %v", c, err)
	}
	label(t, q, review.Normal, 1, 32)
	if m, _, err := q.Export(t.Context(), filepath.Join(dir, "new"), true); err != nil || len(m.Pictures) != 2 {
		t.Errorf("%d new crops, %v", len(m.Pictures), err)
	}
	if m, _, err := q.Export(t.Context(), filepath.Join(dir, "all"), false); err != nil || len(m.Pictures) != 4 {
		t.Errorf("%d crops, %v", len(m.Pictures), err)
	}
}

// A station whose network judges tiles asks about tiles and exports tiles. Whole tires, which could
// not be cut or are from an older station, are kept, counted and left out, even if labelled.
func TestTilesAndWholeTiresDoNotMix(t *testing.T) {
	dir := t.TempDir()
	of := func(seq uint64, v verdict.Verdict) review.Picture {
		v.Time, v.Threshold = time.Date(2026, 3, 2, 6, int(seq), 0, 0, time.UTC), 0.5
		return review.Of(&v, station, seq, []review.Reason{review.Rejected})
	}
	tiling := &verdict.Tiling{View: "sidewall"}
	old := of(6, verdict.Verdict{Label: verdict.Crack, Probability: 0.9})
	old.Shows = "" // from an older station
	keep(t, dir,
		of(1, verdict.Verdict{Label: verdict.Crack, Probability: 0.9, Tiling: tiling}),
		of(2, verdict.Verdict{Label: verdict.NoDecision, Reason: cut.ErrNoRing.Error()}),
		of(3, verdict.Verdict{Label: verdict.NoDecision, Reason: "decided after 3s, the budget is 1s", Tiling: tiling}),
		of(4, verdict.Verdict{Label: verdict.Crack, Probability: 0.9}),
		of(5, verdict.Verdict{Label: verdict.Crack, Probability: 0.9, Tiling: &verdict.Tiling{View: "tiles"}}),
		old)
	for _, c := range []struct {
		view cut.View
		want []uint64
	}{{cut.SideWall, []uint64{3, 1}}, {cut.Tiles, []uint64{5}}, {cut.Tire, []uint64{2, 6, 4}}, {"", []uint64{2, 6, 4}}} {
		q := review.Open(dir, station, c.view)
		if got := next(t, q, 99); !slices.Equal(got, c.want) {
			t.Errorf("%q: queue %v; want %v", c.view, got, c.want)
		}
		for range 2 { // from the files, then from the cache
			n := len(c.want)
			if got, err := review.Open(dir, station, c.view).Count(); err != nil || got != (review.Counts{Waiting: n, Other: 6 - n}) {
				t.Errorf("%q: %+v, %v", c.view, got, err)
			}
			if got, err := q.Count(); err != nil || got != (review.Counts{Waiting: n, Other: 6 - n}) {
				t.Errorf("%q: %+v, %v", c.view, got, err)
			}
		}
	}
	q := review.Open(dir, station, cut.SideWall)
	label(t, q, review.Crack, 2)
	_, _, err := q.Export(t.Context(), filepath.Join(dir, "whole"), false)
	if !errors.Is(err, review.ErrNothingLabelled) || !strings.Contains(err.Error(), `with locate.view = "sidewall" (labelled crops of another view: 1)`) {
		t.Errorf("only whole tires: %v", err)
	}
	label(t, q, review.Crack, 1, 5)
	m, unmarked, err := q.Export(t.Context(), filepath.Join(dir, "tiles"), false)
	if err != nil || unmarked != nil {
		t.Fatal(err, unmarked)
	}
	if m.View != cut.SideWall || m.LeftOut != 2 || len(m.Pictures) != 1 || m.Pictures[0].Seq != 1 {
		t.Errorf("%+v", m)
	}
	if c, err := q.Count(); err != nil || c != (review.Counts{Waiting: 1, Crack: 3, Exported: 1, Other: 2}) {
		t.Errorf("%+v, %v", c, err)
	}
}

// A failed export leaves no files and marks nothing.
func TestExportIsCompleteOrMissing(t *testing.T) {
	dir := t.TempDir()
	q := keep(t, filepath.Join(dir, "crops"), aPicture(1, 0.9, review.Rejected))
	label(t, q, review.Crack, 1)
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(filepath.Join(full, "photos"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := q.Export(t.Context(), full, false); !errors.Is(err, review.ErrNotEmpty) {
		t.Errorf("into a folder that is not empty: %v", err)
	}
	// a folder in the place of a crop cannot be read
	broken := filepath.Join(dir, "crops", "crack", review.FileName(2))
	if err := os.Mkdir(broken, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := q.Export(t.Context(), filepath.Join(dir, "line1"), false); err == nil {
		t.Error("an unreadable crop was left out without an error")
	}
	if c, err := q.Count(); err != nil || c.Exported != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(entries); got != "[d crops/ d full/]" {
		t.Errorf("left: %s", got)
	}
}

// Names that a FAT stick does not allow, and missing folders.
func TestAwkwardPlaces(t *testing.T) {
	p := aPicture(5, 0.5)
	p.Station = `a:b/c d/e?`
	if got := review.ExportName(p); got != "a-b+c d+e-_20260302T060500Z_000000000005.png" {
		t.Errorf("name %q", got)
	}
	q := review.Open(filepath.Join(t.TempDir(), "nowhere"), station, "")
	if got := next(t, q, 9); got != nil {
		t.Errorf("queue %v", got)
	}
	// an older agent did not create the folders of labels
	dir := filepath.Join(t.TempDir(), "crops")
	q = keep(t, dir, p)
	for _, name := range []string{"crack", "normal", "unsure"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	label(t, q, review.Crack, 5)
	if got, err := q.Picture(5); err != nil || got.Label != review.Crack {
		t.Errorf("%+v, %v", got, err)
	}
}
