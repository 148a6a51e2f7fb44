package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tirewatch/trainer/dataset"
	"tirewatch/trainer/metrics"
)

// The training that is compared: so many images of each class, in the order of their file names,
// are trained on for so many epochs. Those behind them test, which is harder than a random choice
// where neighbouring files are pieces of one photograph.
const (
	trainedOn      = 200
	trainingEpochs = 50
)

// outcome is what a training reached on images that it was not trained on, and what it took.
type outcome struct {
	accuracy, precision, recall float64 // of cracks
	images                      int     // tested
	took                        time.Duration
}

func (o outcome) String() string {
	return fmt.Sprintf("accuracy %.4f  precision %.4f  recall %.4f  of %d images  %.1f s", o.accuracy, o.precision, o.recall, o.images, o.took.Seconds())
}

// technician trains and evaluates by the program that is shipped, on folders as they lie on a
// technician's disk.
type technician struct {
	tirewatch string // the program
	// folder of data sets made of links, runs with their reports, and logs; what stands there is
	// not replaced
	out   string
	flags []string // of tirewatch train, behind our own
}

// train trains on some images and evaluates on others, in a folder of that name. The clock runs
// from the start of the first program to the end of the second: reading, searching near-duplicates
// and writing the report are part of a coffee break.
func (t *technician) train(name string, training, testing []dataset.Item) (o outcome, err error) {
	set, run := filepath.Join(t.out, name, "photos"), filepath.Join(t.out, name, "run")
	if err := link(filepath.Join(set, "training"), training); err != nil {
		return o, err
	}
	if err := link(filepath.Join(set, "testing"), testing); err != nil {
		return o, err
	}
	began := time.Now()
	if _, err := t.run(name, append([]string{"train", set, "--out", run, "--epochs", strconv.Itoa(trainingEpochs)}, t.flags...)...); err != nil {
		return o, err
	}
	printed, err := t.run(name, "evaluate", filepath.Join(run, "best.ckpt"), set, "--json")
	if err != nil {
		return o, err
	}
	o.took = time.Since(began)
	var r metrics.Report
	if err := json.Unmarshal(printed, &r); err != nil {
		return o, fmt.Errorf("read what tirewatch evaluate printed: %w", err)
	}
	o.accuracy, o.precision, o.recall, o.images = r.Accuracy, r.Crack.Precision, r.Crack.Recall, r.Matrix.Total()
	return o, nil
}

// run calls tirewatch and returns what it printed. What it says while it works is appended to the
// log beside the run.
func (t *technician) run(name string, args ...string) ([]byte, error) {
	path := filepath.Join(t.out, name, "log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	var out bytes.Buffer
	cmd := exec.Command(t.tirewatch, args...)
	cmd.Stdout, cmd.Stderr = &out, log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("tirewatch %s: %w; %s says why", strings.Join(args, " "), err, path)
	}
	return out.Bytes(), nil
}

// link makes the class folders of a part of a data set, with links to the images.
func link(dir string, items []dataset.Item) error {
	for _, it := range items {
		folder := filepath.Join(dir, it.Class.String())
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		path, err := filepath.Abs(it.Path)
		if err != nil {
			return err
		}
		if err := os.Symlink(path, filepath.Join(folder, filepath.Base(path))); err != nil {
			return err
		}
	}
	return nil
}

// behind cuts a set in two: the first trainedOn images of each class, and the rest.
func behind(set *dataset.Set) (training, testing []dataset.Item, err error) {
	var seen [2]int
	for _, it := range set.Train {
		if seen[it.Class]++; seen[it.Class] <= trainedOn {
			training = append(training, it)
		} else {
			testing = append(testing, it)
		}
	}
	if seen[dataset.Crack] <= trainedOn || seen[dataset.Normal] <= trainedOn {
		return nil, nil, fmt.Errorf("%s has %d crack and %d normal images, want more than %d of each",
			set.Dir, seen[dataset.Crack], seen[dataset.Normal], trainedOn)
	}
	return training, testing, nil
}

// last trains on the first images of each class of the photographs in dir and tests on the last.
func last(w io.Writer, t *technician, dir string) (outcome, error) {
	set, err := dataset.Open(dir)
	if err != nil {
		return outcome{}, err
	}
	training, testing, err := behind(set)
	if err != nil {
		return outcome{}, err
	}
	o, err := t.train("last", training, testing)
	if err == nil {
		fmt.Fprintf(w, "tirewatch, first %d of each class, tested on the rest: %v\n", trainedOn, o)
	}
	return o, err
}
