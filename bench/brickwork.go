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

// The training that is compared. The first images of each class, in the order of their file names,
// are for training; the rest are for testing. Where neighbouring files are pieces of one
// photograph, this is harder than a random choice.
const (
	trainedOn      = 200 // images of each class
	trainingEpochs = 50
)

// outcome is the result of a training on test images, and its duration.
type outcome struct {
	accuracy, precision, recall float64 // of cracks
	images                      int     // test images
	took                        time.Duration
}

func (o outcome) String() string {
	return fmt.Sprintf("accuracy %.4f  precision %.4f  recall %.4f  of %d images  %.1f s",
		o.accuracy, o.precision, o.recall, o.images, o.took.Seconds())
}

// technician trains and evaluates with the shipped program, on folders as a technician has them.
type technician struct {
	tirewatch string // path of the program
	// folder for data sets made of links, run folders with reports, and logs; existing files are
	// not replaced
	out   string
	flags []string // for tirewatch train, after our own flags
}

// train trains on some images and evaluates on others, in a folder of that name. The time runs from
// the start of the first program to the end of the second, so it includes reading, the search for
// near-duplicates and the report.
func (t *technician) train(name string, training, testing []dataset.Item) (o outcome, err error) {
	set, run := filepath.Join(t.out, name, "photos"), filepath.Join(t.out, name, "run")
	if err := link(filepath.Join(set, "training"), training); err != nil {
		return o, err
	}
	if err := link(filepath.Join(set, "testing"), testing); err != nil {
		return o, err
	}
	began := time.Now()
	train := []string{"train", set, "--out", run, "--epochs", strconv.Itoa(trainingEpochs)}
	if _, err := t.run(name, append(train, t.flags...)...); err != nil {
		return o, err
	}
	printed, err := t.run(name, "evaluate", filepath.Join(run, "best.ckpt"), set, "--json")
	if err != nil {
		return o, err
	}
	o.took = time.Since(began)
	var r metrics.Report
	if err := json.Unmarshal(printed, &r); err != nil {
		return o, fmt.Errorf("read the output of tirewatch evaluate: %w", err)
	}
	o.accuracy, o.precision, o.recall, o.images = r.Accuracy, r.Crack.Precision, r.Crack.Recall, r.Matrix.Total()
	return o, nil
}

// run calls tirewatch and returns its standard output. Its standard error is appended to the log
// beside the run.
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
		return nil, fmt.Errorf("tirewatch %s: %w; see %s", strings.Join(args, " "), err, path)
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

// firstAndRest divides a set in two: the first trainedOn images of each class, and the rest.
func firstAndRest(set *dataset.Set) (training, testing []dataset.Item, err error) {
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

// last trains on the first images of each class of the photographs in dir and tests on the rest.
func last(w io.Writer, t *technician, dir string) (outcome, error) {
	set, err := dataset.Open(dir)
	if err != nil {
		return outcome{}, err
	}
	training, testing, err := firstAndRest(set)
	if err != nil {
		return outcome{}, err
	}
	o, err := t.train("last", training, testing)
	if err == nil {
		fmt.Fprintf(w, "tirewatch, first %d of each class, tested on the rest: %v\n", trainedOn, o)
	}
	return o, err
}
