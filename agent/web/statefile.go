package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"time"

	"tirewatch/internal/durable"
)

// saveInterval is how often the counts are saved. A crash loses no more than that, and the memory
// card is not worn out.
const saveInterval = time.Minute

// maxStart limits the start of a shift, Unix s. It may be negative: a board without a clock starts
// in 1970, and its shift may have begun the day before.
const maxStart = 1 << 40

// stateFile keeps the trigger errors of the shifts over a restart, in a small JSON file beside the
// journal, which does not record them. It belongs to one goroutine.
type stateFile struct {
	path  string
	write func(path string, data []byte, perm fs.FileMode) error
	saved map[int64]int // content of the file: trigger errors by the Unix time of the shift's start
}

// savedShifts is the content of the file.
type savedShifts struct {
	TriggerErrors map[int64]int `json:"trigger_errors"` // by the Unix time of the shift's start
}

// openStateFile reads the file at path and adds its counts to the shifts, which may start at other
// times than when the file was written. A missing file is not an error.
func openStateFile(path string, s *shifts) (*stateFile, error) {
	f := &stateFile{path: path, write: durable.WriteFile}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	var r savedShifts
	if err == nil {
		if err = json.Unmarshal(data, &r); err != nil {
			err = fmt.Errorf("damaged file: %w", err)
		}
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	for start, n := range r.TriggerErrors {
		if start < -maxStart || start > maxStart || n < 1 {
			return f, fmt.Errorf("read %s: invalid count: %d trigger errors in the shift at %d", path, n, start)
		}
	}
	for start, n := range r.TriggerErrors {
		s.addTriggerErrors(time.Unix(start, 0), n)
	}
	f.saved = s.triggerErrors()
	return f, nil
}

// save writes the file if the counts have changed.
func (f *stateFile) save(s *shifts) error {
	now := s.triggerErrors()
	if maps.Equal(now, f.saved) {
		return nil
	}
	data, err := json.Marshal(savedShifts{now})
	if err != nil {
		panic("internal error: " + err.Error())
	}
	if err := f.write(f.path, append(data, '\n'), 0o640); err != nil {
		return fmt.Errorf("save trigger errors to %s: %w", f.path, err)
	}
	f.saved = now
	return nil
}

// run saves every saveInterval until ctx ends, and then a last time.
func (f *stateFile) run(ctx context.Context, s *shifts, log *slog.Logger) {
	tick := time.NewTicker(saveInterval)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		if err := f.save(s); err != nil {
			log.Warn("page: trigger error counts not saved", "error", err)
		}
	}
}
