package trainer

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"tirewatch/internal/durable"
	"tirewatch/trainer/checkpoint"
)

// RunDir is a run folder. It holds everything that a training leaves on disk:
//
//	config.json   configuration of the training
//	metrics.csv   one line per epoch; "validated" says which weights: "average" or "last"
//	best.ckpt     weights with the best validation result, those that were validated
//	last.ckpt     state to resume from
//	report.html   evaluation of the best weights, with images; written by package report
//
// One training at a time uses it: it holds a lock on the file "lock" in the folder.
type RunDir struct {
	Dir  string
	lock *os.File
}

var (
	// ErrRunExists marks a run folder that already holds a training.
	ErrRunExists = errors.New("the run folder already holds a training")
	// ErrRunBusy marks a run folder that another training uses.
	ErrRunBusy = errors.New("another training runs in this folder")
	// ErrNoRun marks a folder without a training to resume.
	ErrNoRun = errors.New("no training to resume in this folder")
)

// CreateRun makes a run folder for a new training.
func CreateRun(dir string) (*RunDir, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create run folder: %w", err)
	}
	r, err := lockRun(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(r.path("last.ckpt")); !errors.Is(err, fs.ErrNotExist) {
		r.Close()
		return nil, fmt.Errorf("%s: %w", dir, ErrRunExists)
	}
	return r, nil
}

// OpenRun opens the run folder of a training to resume. It returns the last checkpoint and, when an
// epoch has ended, the best one.
func OpenRun(dir string) (r *RunDir, last, best *checkpoint.Checkpoint, err error) {
	if _, err := os.Stat(filepath.Join(dir, "last.ckpt")); err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w: %v", dir, ErrNoRun, err)
	}
	if r, err = lockRun(dir); err != nil {
		return nil, nil, nil, err
	}
	if last, err = checkpoint.Read(r.path("last.ckpt")); err == nil && last.BestEpoch > 0 {
		best, err = checkpoint.Read(r.BestPath())
	}
	if err != nil {
		r.Close()
		return nil, nil, nil, err
	}
	return r, last, best, nil
}

func lockRun(dir string) (*RunDir, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock run folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", dir, ErrRunBusy)
	}
	r := &RunDir{Dir: dir, lock: f}
	if err := durable.Clean(dir); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close releases the folder.
func (r *RunDir) Close() error { return r.lock.Close() }

func (r *RunDir) path(name string) string { return filepath.Join(r.Dir, name) }

// BestPath is the file of the best checkpoint.
func (r *RunDir) BestPath() string { return r.path("best.ckpt") }

// WriteConfig writes config.json.
func (r *RunDir) WriteConfig(c checkpoint.Config) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return durable.WriteFile(r.path("config.json"), append(data, '\n'), 0o644)
}

// Save writes the checkpoints and the metrics. The best checkpoint is written before the last one,
// which names it. The metrics can be written again from the last one.
func (r *RunDir) Save(last, best *checkpoint.Checkpoint) error {
	if best != nil {
		if err := checkpoint.Write(r.BestPath(), best); err != nil {
			return err
		}
	}
	if err := checkpoint.Write(r.path("last.ckpt"), last); err != nil {
		return err
	}
	return r.writeMetrics(last)
}

func (r *RunDir) writeMetrics(c *checkpoint.Checkpoint) error {
	f, err := durable.Create(r.path("metrics.csv"), 0o644)
	if err != nil {
		return err
	}
	defer f.Abort()
	w := csv.NewWriter(f)
	w.Write([]string{"epoch", "rate", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "validated",
		"seconds"})
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	validated := "last"
	if c.Config.EMADecay > 0 {
		validated = "average"
	}
	for _, e := range c.History {
		w.Write([]string{strconv.Itoa(e.Epoch), number(e.Rate), number(e.TrainLoss), number(e.TrainAccuracy),
			number(e.ValLoss), number(e.ValAccuracy), validated, number(e.Seconds)})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return f.Commit()
}
