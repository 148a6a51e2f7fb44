package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tirewatch/trainer/dataset"
	"tirewatch/trainer/pixels"
	"tirewatch/trainer/synth"
	"tirewatch/vision/preprocess"
)

// The training that is measured from start to end: JPEG close-ups of 640 px, like those of a
// station's camera or scaled photographs. train holds back a fifth for validation.
const (
	endImages = 640
	endSide   = 640 // px
	endEpochs = 4
	endHeld   = endImages / 5
	endRounds = 5

	usualEpochs = 100 // default of tirewatch train
)

// course holds the times at which the phases of one `tirewatch train` ended.
type course struct {
	start  time.Duration // until the first epoch: fingerprint, near-duplicates, decoding
	epochs time.Duration // augmentation, steps, validation, checkpoints
	end    time.Duration // the report
}

// endToEnd compares `tirewatch train` on a data set on disk with the bare loop: the same
// photographs the same number of times, for steps and for validation, on the same number of cores,
// but ready in memory. The two alternate.
func endToEnd(w io.Writer, tirewatch, dir string) error {
	photos := filepath.Join(dir, "photos")
	if _, err := os.Stat(photos); os.IsNotExist(err) {
		o := synth.Options{View: synth.CloseUp, Size: endSide, Seed: seed, Train: endImages, CrackFraction: 0.5}
		if err := synth.WriteDataset(context.Background(), photos, o, nil); err != nil {
			return err
		}
	}
	samples, err := loadSamples(photos)
	if err != nil {
		return err
	}
	var courses []course
	var bare, steps []time.Duration
	for round := range endRounds {
		measureTrain := func() error {
			c, err := trainOnce(tirewatch, photos, filepath.Join(dir, "run"))
			courses = append(courses, c)
			return err
		}
		measureLoop := func() error {
			all, training, err := loopOnce(samples)
			bare, steps = append(bare, all), append(steps, training)
			return err
		}
		order := []func() error{measureTrain, measureLoop}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, measure := range order {
			if err := measure(); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, endRounds)
	}
	tellEndToEnd(w, courses, bare, steps)
	return nil
}

func tellEndToEnd(w io.Writer, courses []course, bare, steps []time.Duration) {
	shown := float64(endEpochs * (endImages - endHeld))
	rate := func(of func(i int) time.Duration) string {
		return spread(func(i int) float64 { return shown / of(i).Seconds() }, "%.1f")
	}
	share := func(of func(i int) time.Duration) string {
		return spread(func(i int) float64 { return 100 * bare[i].Seconds() / of(i).Seconds() }, "%.1f")
	}
	fmt.Fprintf(w, "%d close-ups of %d px (JPEG), %d of them for validation, %d epochs, %d rounds: median (smallest to largest)\n",
		endImages, endSide, endHeld, endEpochs, endRounds)
	fmt.Fprintf(w, "bare loop, only steps: %s images/s; with the validation images: %s images/s\n",
		rate(func(i int) time.Duration { return steps[i] }), rate(func(i int) time.Duration { return bare[i] }))
	fmt.Fprintf(w, "tirewatch train, epochs only: %s images/s, %s %% of the bare loop with validation\n",
		rate(func(i int) time.Duration { return courses[i].epochs }),
		share(func(i int) time.Duration { return courses[i].epochs }))
	fmt.Fprintf(w, "start: %s s, report at the end: %s s\n",
		spread(func(i int) float64 { return courses[i].start.Seconds() }, "%.2f"),
		spread(func(i int) float64 { return courses[i].end.Seconds() }, "%.2f"))
	fmt.Fprintf(w, "with the start: %s %% over these %d epochs; %s %% over the default of %d epochs, computed from the same times\n",
		share(func(i int) time.Duration { return courses[i].start + courses[i].epochs }), endEpochs,
		share(func(i int) time.Duration { return courses[i].start*endEpochs/usualEpochs + courses[i].epochs }), usualEpochs)
}

// loadSamples reads the photographs in random order, as a training does.
func loadSamples(photos string) (s sampleSet, err error) {
	set, err := dataset.Open(photos)
	if err != nil {
		return s, err
	}
	spec := preprocess.Thesis()
	store := pixels.NewStore("", math.MaxInt64, len(set.Train), spec.Size()) // all in memory
	loaded, bad, err := set.Load(context.Background(), set.Train, spec, store, nil)
	if err := errors.Join(append(bad, err)...); err != nil {
		return s, err
	}
	if len(loaded) != endImages {
		return s, fmt.Errorf("%s holds %d photographs, want %d; remove the folder to draw them again",
			photos, len(loaded), endImages)
	}
	for _, i := range rand.New(rand.NewPCG(seed, 3)).Perm(len(loaded)) {
		pix, err := loaded[i].Pix.Load(nil)
		if err != nil {
			return s, err
		}
		s.pix, s.crack = append(s.pix, pix), append(s.crack, loaded[i].Class == dataset.Crack)
	}
	return s, nil
}

// spread formats the median over the rounds, with the smallest and the largest value.
func spread(of func(round int) float64, format string) string {
	var v []float64
	for i := range endRounds {
		v = append(v, of(i))
	}
	slices.Sort(v)
	return fmt.Sprintf(strings.ReplaceAll("F (F to F)", "F", format), v[len(v)/2], v[0], v[len(v)-1])
}

// trainOnce runs the command and reads its output. A line with a loss appears when an epoch ends;
// other lines appear during a slow epoch.
func trainOnce(tirewatch, photos, run string) (c course, err error) {
	if err := os.RemoveAll(run); err != nil {
		return c, err
	}
	cmd := exec.Command(tirewatch, "train", photos, "--out", run, "--epochs", strconv.Itoa(endEpochs))
	said, err := cmd.StderrPipe()
	if err != nil {
		return c, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return c, err
	}
	var over []time.Duration // end of each epoch
	last := ""
	for lines := bufio.NewScanner(said); lines.Scan(); {
		last = lines.Text()
		if strings.HasPrefix(last, "epoch ") && strings.Contains(last, " validation loss ") {
			over = append(over, time.Since(began))
		}
	}
	if err := cmd.Wait(); err != nil {
		return c, fmt.Errorf("tirewatch train %s: %w: %s", photos, err, last)
	}
	ended := time.Since(began)
	first, err := firstEpoch(filepath.Join(run, "metrics.csv"))
	if err != nil {
		return c, err
	}
	if len(over) != endEpochs {
		return c, fmt.Errorf("tirewatch train %s reported %d epochs, want %d", photos, len(over), endEpochs)
	}
	c.start = over[0] - first
	c.epochs = over[endEpochs-1] - c.start
	c.end = ended - over[endEpochs-1]
	return c, nil
}

// firstEpoch returns how long the first epoch took.
func firstEpoch(path string) (time.Duration, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	column := slices.Index(rows[0], "seconds")
	if column < 0 || len(rows) < 2 {
		return 0, fmt.Errorf("%s has no duration of an epoch", path)
	}
	s, err := strconv.ParseFloat(rows[1][column], 64)
	return time.Duration(s * float64(time.Second)), err
}

// loopOnce runs the bare loop the same number of times as trainOnce: batches of the same sizes, and
// a forward pass for each validation image.
func loopOnce(s sampleSet) (all, steps time.Duration, err error) {
	l, err := freshLoop(s, true)
	if err != nil {
		return 0, 0, err
	}
	l.step(0, trainingBatch) // brings the memory into use
	began := time.Now()
	for range endEpochs {
		t := time.Now()
		for from := 0; from < endImages-endHeld; from += trainingBatch {
			l.step(from, min(from+trainingBatch, endImages-endHeld))
		}
		steps += time.Since(t)
		if err := predictAll(s.pix[endImages-endHeld:], l.net); err != nil {
			return 0, 0, err
		}
	}
	return time.Since(began), steps, nil
}
