package inspection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// bench is a station with everything around it made of fakes, except the models.
type bench struct {
	*Station
	log      bytes.Buffer
	problems []string // as they were told
	store    *models.Store

	// the journal
	verdicts []verdict.Verdict
	failing  func() error // nil: it works
	pictures [][]byte
	cropErr  error
	cameras  map[uint64][]byte // pictures of the camera by verdict; written by the second goroutine
	// called before a picture of the camera is stored; nil: it works
	storing func() error

	// the source
	film   film
	given  int
	before func(frame int) // called before each frame is given, from 0
	end    error           // behind the last frame; nil: io.EOF
}

var t0 = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)

// newBench makes a station that watches the film. The tires of a film are shades of grey, so that
// crops differ.
func newBench(t *testing.T, f film, serials ...uint64) *bench {
	t.Helper()
	b := &bench{film: f}
	logger := slog.New(slog.NewTextHandler(&b.log, nil))
	store, err := models.Open(models.Options{Dir: t.TempDir(), Verify: models.Verifier(bundletest.Public(1), "a/b/c", nil), Log: logger,
		Probation: models.Probation{Verdicts: 100}})
	if err != nil {
		t.Fatal(err)
	}
	b.store = store
	for _, n := range serials {
		b.install(t, n)
	}
	b.Station = New(Options{
		Source: reel{b}, Locator: b, Models: store, Journal: b, Frames: 3, Cut: cut.Options{Margin: 0.05},
		Observer: Observer{Problem: func(part, text string) { b.problems = append(b.problems, part+":"+text) }},
		Log:      logger,
	})
	return b
}

func (b *bench) install(t *testing.T, serial uint64) {
	t.Helper()
	data, err := bundle.Encode(bundletest.Small(serial), bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Install(data); err != nil {
		t.Fatal(err)
	}
}

// picture is frame i of the film, from 0: a slope whose brightness changes from frame to frame.
func picture(i int) *frame.Frame {
	f := frame.NewGray(testWidth, 120)
	for k := range f.Pix {
		f.Pix[k] = byte(k%testWidth/3 + k/testWidth + 7*i)
	}
	f.Seq, f.Time = uint64(i+1), t0.Add(time.Duration(i)*40*time.Millisecond)
	return f
}

// reel makes the bench a source.
type reel struct{ *bench }

func (b reel) Next(ctx context.Context) (*frame.Frame, error) {
	if b.before != nil {
		b.before(b.given)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.given == len(b.film) {
		if b.end != nil {
			return nil, b.end
		}
		return nil, io.EOF
	}
	b.given++
	return picture(b.given - 1), nil
}

func (b *bench) Close() error { return nil }

// Find makes the bench a locator: it knows the film.
func (b *bench) Find(f *frame.Frame) (tires []locate.Tire) {
	for _, x := range b.film[f.Seq-1] {
		tires = append(tires, locate.Tire{Centre: locate.Point{X: x, Y: 60}, Radius: testRadius, Score: 1})
	}
	return tires
}

// Append makes the bench a journal.
func (b *bench) Append(v *verdict.Verdict) error {
	if b.failing != nil {
		if err := b.failing(); err != nil {
			return err
		}
	}
	v.Station, v.Seq = "a/b/c", uint64(len(b.verdicts)+1)
	b.verdicts = append(b.verdicts, *v)
	return nil
}

func (b *bench) Next() uint64 { return uint64(len(b.verdicts) + 1) }

// SaveCrop makes the bench store crops.
func (b *bench) SaveCrop(data []byte) (string, error) { return b.SaveCropOf(b.Next(), data) }

func (b *bench) SaveCropOf(_ uint64, data []byte) (string, error) {
	if b.cropErr != nil {
		return "", b.cropErr
	}
	b.pictures = append(b.pictures, data)
	return fmt.Sprintf("crops/%d", len(b.pictures)), nil
}

func (b *bench) SaveCamera(seq uint64, data []byte) error {
	if b.storing != nil {
		if err := b.storing(); err != nil {
			return err
		}
	}
	if b.cameras == nil {
		b.cameras = map[uint64][]byte{}
	}
	b.cameras[seq] = data
	return nil
}

// score computes a vote by hand: the model's logit for a region of the picture.
func (b *bench) score(t *testing.T, i int, crop [4]int) float64 {
	t.Helper()
	small := bundletest.Small(1)
	pix := make([]byte, small.Spec.Size())
	if err := small.Spec.Apply(pix, picture(i), image.Rect(crop[0], crop[1], crop[2], crop[3])); err != nil {
		t.Fatal(err)
	}
	r, err := small.SelfTest()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := r.Run(pix)
	if err != nil {
		t.Fatal(err)
	}
	return small.Model.Logit(sum)
}

// checkVotes recomputes a verdict from its votes.
func (b *bench) checkVotes(t *testing.T, v verdict.Verdict) {
	t.Helper()
	mean := 0.0
	for k, vote := range v.Votes {
		if want := b.score(t, int(vote.Frame)-1, vote.Crop); vote.Logit != want {
			t.Errorf("verdict %d: frame %d has logit %v; want %v", v.Seq, vote.Frame, vote.Logit, want)
		}
		if k > 0 && v.Votes[k-1].Frame >= vote.Frame {
			t.Errorf("verdict %d: votes are not in the order of time", v.Seq)
		}
		mean += vote.Logit / float64(len(v.Votes))
	}
	if p := verdict.Probability(mean); math.Abs(p-v.Probability) > 1e-12 || (v.Label == verdict.Crack) != (p >= v.Threshold) {
		t.Errorf("verdict %d: %s with probability %v; want %v", v.Seq, v.Label, v.Probability, p)
	}
}

func TestPresence(t *testing.T) {
	b := newBench(t, passing(60, steady(12), 0, -150), 1)
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.verdicts) != 2 {
		t.Fatalf("%d verdicts; want 2", len(b.verdicts))
	}
	active, err := b.store.Active()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range b.verdicts {
		if v.Schema != verdict.SchemaVersion || v.ModelSerial != 1 || v.ModelHash != active.Bundle.ID() || v.Threshold != 0.5 || v.Image != "" {
			t.Errorf("verdict %+v", v)
		}
		if len(v.Votes) != 3 {
			t.Errorf("%d votes; want 3", len(v.Votes))
		}
		b.checkVotes(t, v)
		// The first tire is nearest to the middle at 12*17 = 204, the second at 12*29-150 = 198.
		frame := []int{17, 29}[i]
		if want := t0.Add(time.Duration(frame) * 40 * time.Millisecond); !v.Time.Equal(want) {
			t.Errorf("verdict %d is of %v; want the middle frame's %v", v.Seq, v.Time, want)
		}
		for _, vote := range v.Votes {
			if d := int(vote.Frame) - 1 - frame; d < -1 || d > 1 {
				t.Errorf("verdict %d votes with frame %d; want those around %d", v.Seq, vote.Frame-1, frame)
			}
			if c := vote.Crop; c[2]-c[0] != 110 || c[3]-c[1] != 110 {
				t.Errorf("crop %v; want a square of 110 px: the diameter and 5 %% on each side", c)
			}
		}
	}
}

func TestEachFrameIsATire(t *testing.T) {
	b := newBench(t, film{{200}, nil, {120, 320}}, 1)
	b.o.Each = true
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := [][4]int{{145, 5, 255, 115}, {0, 0, testWidth, 120}, {65, 5, 175, 115}}
	if len(b.verdicts) != len(want) {
		t.Fatalf("%d verdicts; want %d", len(b.verdicts), len(want))
	}
	for i, v := range b.verdicts {
		b.checkVotes(t, v)
		if len(v.Votes) != 1 || v.Votes[0].Crop != want[i] || v.Votes[0].Frame != uint64(i+1) {
			t.Errorf("frame %d: votes %+v; want the crop %v", i+1, v.Votes, want[i])
		}
	}
}

func TestStopFinishesTheTireInHand(t *testing.T) {
	b := newBench(t, passing(60, steady(12), 100, -50), 1)
	ctx, cancel := context.WithCancel(t.Context())
	b.before = func(i int) {
		if i == 15 {
			cancel()
		}
	}
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(b.verdicts) != 2 {
		t.Errorf("%d verdicts; want 2: both tires were in the picture", len(b.verdicts))
	}
}

func TestReflectionGetsNoVerdict(t *testing.T) {
	b := newBench(t, film{nil, {200}, nil, nil, nil, nil}, 1)
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.verdicts) != 0 || !strings.Contains(b.log.String(), "one frame only") {
		t.Errorf("%d verdicts, log %s", len(b.verdicts), &b.log)
	}
}

func TestModelChangesBetweenTires(t *testing.T) {
	b := newBench(t, passing(80, steady(12), 0, -120), 1)
	b.before = func(i int) {
		if i == 8 { // the first tire is in the picture, the second is not yet
			b.install(t, 2)
		}
	}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var serials []uint64
	for _, v := range b.verdicts {
		serials = append(serials, v.ModelSerial)
	}
	if !slices.Equal(serials, []uint64{1, 2}) {
		t.Errorf("verdicts by the models %v; want 1, 2", serials)
	}
}

func TestStationWithoutModelWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, passing(60, steady(12), 0))
		done := make(chan error)
		go func() { done <- b.Run(t.Context()) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if b.given != 0 {
			t.Errorf("%d frames were read without a model", b.given)
		}
		if !slices.Equal(b.problems, []string{"model:no model is installed"}) {
			t.Errorf("problems %q", b.problems)
		}
		b.install(t, 3)
		if err := <-done; err != nil || len(b.verdicts) != 1 || b.verdicts[0].ModelSerial != 3 {
			t.Errorf("%v, verdicts %+v", err, b.verdicts)
		}
		if b.problems[len(b.problems)-1] != "model:" {
			t.Errorf("problems %q", b.problems)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, passing(60, steady(12), 0))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Run(ctx); err != nil {
			t.Errorf("stopped while it waits: %v", err)
		}
	})
}

func TestJournalFailsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, passing(80, steady(12), 0, -150), 1)
		full := fmt.Errorf("append to journal x: %w", journal.ErrFull)
		attempts, read := 0, 0
		b.failing = func() error {
			attempts++
			switch {
			case attempts == 1:
				read = b.given
			case attempts <= 40 && b.given != read:
				t.Errorf("attempt %d: the belt was watched on, %d frames after %d", attempts, b.given, read)
			}
			if attempts <= 40 {
				return full
			}
			return nil
		}
		start := time.Now()
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(b.verdicts) != 2 || attempts != 42 {
			t.Errorf("%d verdicts in %d attempts; want 2 in 42", len(b.verdicts), attempts)
		}
		if took := time.Since(start); took < 30*time.Second || took > 40*lastStorePause {
			t.Errorf("40 failures took %v: attempts must pause, and not longer than %v", took, lastStorePause)
		}
		first, last := b.problems[0], b.problems[len(b.problems)-1]
		if !strings.Contains(first, "inspection stopped") || !strings.Contains(first, "disk is full") || last != "journal:" {
			t.Errorf("problems from %q to %q", first, last)
		}
	})
}

func TestVerdictIsNeverLostSilently(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		stop bool          // the station is told to stop while the journal fails
		took time.Duration // until it ends
	}{
		{"the disk stays full to the end", journal.ErrFull, true, lastChance},
		{"the journal is damaged", &journal.DamagedError{Path: "x", Detail: "y"}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, passing(60, steady(12), 0), 1)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var stopped time.Time
				b.failing = func() error {
					if stopped.IsZero() {
						stopped = time.Now()
						if c.stop {
							cancel()
						}
					}
					return c.err
				}
				err := b.Run(ctx)
				var fatal *FatalError
				if !errors.As(err, &fatal) || !errors.Is(err, c.err) {
					t.Fatalf("got %v; want a *FatalError with %v", err, c.err)
				}
				if took := time.Since(stopped); took != c.took {
					t.Errorf("it ended after %v; want %v", took, c.took)
				}
				if log := b.log.String(); !strings.Contains(log, "verdict: not stored") || !strings.Contains(log, `probability`) {
					t.Errorf("the log does not hold the verdict: %s", log)
				}
			})
		})
	}
}

func TestSourceThatCannotGoOn(t *testing.T) {
	b := newBench(t, passing(20, steady(12), 100), 1)
	b.end = errors.New("video is broken")
	err := b.Run(t.Context())
	var fatal *FatalError
	if !errors.As(err, &fatal) || !errors.Is(err, b.end) {
		t.Errorf("got %v; want a *FatalError with %v", err, b.end)
	}
	if len(b.verdicts) != 1 {
		t.Errorf("%d verdicts; want 1 for the tire in the picture", len(b.verdicts))
	}
}

func TestBrokenFrameIsSkipped(t *testing.T) {
	b := newBench(t, passing(5, steady(12), 100), 1)
	broken := picture(0)
	broken.Pix = broken.Pix[:99]
	if err := b.inspect(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.log.String(), "frame: skipped") {
		t.Errorf("log %s", &b.log)
	}
}

// The stored crop holds the pixels that decided. A crop that cannot be stored delays nothing.
func TestPicturesAreKept(t *testing.T) {
	b := newBench(t, passing(80, steady(12), 0, -150, -300), 1)
	b.o.Keep = &review.Policy{Every: true}
	b.before = func(int) {
		if len(b.verdicts) == 2 {
			b.cropErr = journal.ErrFull
		}
	}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.verdicts) != 3 || b.verdicts[0].Crop != "crops/1" || b.verdicts[1].Crop != "crops/2" || b.verdicts[2].Crop != "" || len(b.pictures) != 2 {
		t.Fatalf("%d pictures, verdicts %+v", len(b.pictures), b.verdicts)
	}
	img, err := png.Decode(bytes.NewReader(b.pictures[0]))
	if err != nil {
		t.Fatal(err)
	}
	v := b.verdicts[0]
	spec := bundletest.Small(1).Spec
	want := make([]byte, spec.Size())
	c := v.Votes[1].Crop // the middle one of three
	if err := spec.Apply(want, picture(int(v.Votes[1].Frame)-1), image.Rect(c[0], c[1], c[2], c[3])); err != nil {
		t.Fatal(err)
	}
	if got := img.(*image.Gray); got.Rect.Dx() != spec.Width || !bytes.Equal(got.Pix, want) {
		t.Error("the picture is not what the network saw")
	}
	if !slices.Contains(b.problems, "pictures:the disk is full") {
		t.Errorf("problems %q", b.problems)
	}
}

// Observer.Stored is called with every stored verdict and the pixels that the deciding vote was
// computed from.
func TestJudgedIsToldOfEachVerdict(t *testing.T) {
	b := newBench(t, film{{150}, {160}, {170}, {}, {}, {}, {}, {}, {}, {}}, 7)
	var told []verdict.Verdict
	looked := 0
	b.o.Observer.Frame = func() { looked++ }
	b.o.Observer.Stored = func(j Judgement) {
		told = append(told, *j.Verdict)
		sum, err := j.Model.Runner.Run(j.Pix)
		if err != nil {
			t.Fatal(err)
		}
		near := false
		for _, v := range j.Verdict.Votes {
			near = near || v.Logit == j.Model.Bundle.Model.Logit(sum)
		}
		if !near {
			t.Errorf("the crop gives %g, the votes are %+v", j.Model.Bundle.Model.Logit(sum), j.Verdict.Votes)
		}
	}
	if err := b.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || len(b.verdicts) != 1 || told[0].Seq != b.verdicts[0].Seq || looked != len(b.film) {
		t.Errorf("%d verdicts reported, %d stored; %d frames", len(told), len(b.verdicts), looked)
	}
}
