package synth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"tirewatch/internal/each"
)

// Names of the classes and of their folders in a data set.
const (
	labelCrack  = "crack"
	labelNormal = "normal"
)

func labelOf(cracked bool) string {
	if cracked {
		return labelCrack
	}
	return labelNormal
}

// testBase is the index of the first test image. It is far above the training images, so that their
// number does not change the test set.
const testBase = 1 << 30

// job is one picture to draw and write.
type job struct {
	index   int
	cracked bool
	path    string // below the data set's folder
}

// jobs lists all pictures of a data set. The cracked ones are shuffled, so that the order does not
// show the class.
func (o Options) jobs() []job {
	var out []job
	for _, part := range []struct {
		folder      string
		count, base int
	}{{"training", o.Train, 0}, {"testing", o.Test, testBase}} {
		for i, cracked := range shuffled(part.count, o.CrackFraction, newStream(o.Seed, uint64(part.base), forLabels)) {
			name := fmt.Sprintf("tire_%05d.jpg", i)
			out = append(out, job{part.base + i, cracked, filepath.Join(part.folder, labelOf(cracked), name)})
		}
	}
	return out
}

// shuffled returns n labels in random order; the given fraction, rounded, is true.
func shuffled(n int, fraction float64, s stream) []bool {
	out := make([]bool, n)
	for i := range int(math.Round(float64(n) * fraction)) {
		out[i] = true
	}
	s.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// WriteDataset draws o.Train pictures into dir/training/{crack,normal} and o.Test into
// dir/testing/{crack,normal}, as JPEG. Equal options give equal bytes on any number of cores.
//
// dir is created or must be empty; otherwise the error wraps ErrNotEmpty. After an error, or when
// ctx ends, dir is unchanged. progress may be nil; it is called after every picture, from one
// goroutine at a time.
func WriteDataset(ctx context.Context, dir string, o Options, progress func(done, total int)) error {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return err
	}
	created, err := claim(dir)
	if err != nil {
		return fmt.Errorf("write data set: %w", err)
	}
	if err := fill(ctx, dir, o, progress); err != nil {
		if created {
			os.Remove(dir)
		}
		return fmt.Errorf("write data set %s: %w", dir, err)
	}
	return nil
}

// claim creates dir or checks that it is empty. created reports whether it was missing.
func claim(dir string) (created bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, os.MkdirAll(dir, 0o755)
	case err != nil:
		return false, err
	case len(entries) > 0:
		return false, fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	return false, nil
}

// fill draws into a temporary folder inside dir and then renames the finished parts.
func fill(ctx context.Context, dir string, o Options, progress func(done, total int)) (err error) {
	temp, err := os.MkdirTemp(dir, ".unfinished-")
	if err != nil {
		return err
	}
	parts := []string{"training", "testing"}
	if o.Test == 0 {
		parts = parts[:1]
	}
	defer func() {
		if err != nil {
			for _, p := range parts {
				os.RemoveAll(filepath.Join(dir, p))
			}
		}
		os.RemoveAll(temp)
	}()
	for _, p := range parts {
		for _, class := range []string{labelCrack, labelNormal} {
			if err := os.MkdirAll(filepath.Join(temp, p, class), 0o755); err != nil {
				return err
			}
		}
	}
	if err := drawAll(ctx, temp, o, progress); err != nil {
		return err
	}
	for _, p := range parts {
		if err := os.Rename(filepath.Join(temp, p), filepath.Join(dir, p)); err != nil {
			return err
		}
	}
	return nil
}

// drawAll draws the pictures on all cores.
func drawAll(ctx context.Context, dir string, o Options, progress func(done, total int)) error {
	jobs := o.jobs()
	buffer := func() (*bytes.Buffer, error) { return new(bytes.Buffer), nil }
	draw := func(buf *bytes.Buffer, i int) error {
		return writePicture(filepath.Join(dir, jobs[i].path), buf, o, jobs[i])
	}
	return each.Run(ctx, len(jobs), buffer, draw, nil, func(done int) {
		if progress != nil {
			progress(done, len(jobs))
		}
	})
}

func writePicture(path string, buf *bytes.Buffer, o Options, j job) error {
	buf.Reset()
	img := Draw(o.View, o.Size, o.Seed, j.index, j.cracked)
	if err := jpeg.Encode(buf, img, &jpeg.Options{Quality: o.Quality}); err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, buf.Bytes(), 0o644)
}
