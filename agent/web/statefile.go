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

// saveInterval is how often it is noted on the card what was wrong with triggers: a crash forgets
// no more.
const saveInterval = time.Minute

// maxStart is behind every shift, Unix s, and as long before 1970 it is before every one: a board
// without a clock starts there, and the shift may have begun the day before.
const maxStart = 1 << 40

// memory is what the journal does not have of the shifts, a small JSON file beside it. It belongs
// to one goroutine.
type stateFile struct {
	path  string
	write func(path string, data []byte, perm fs.FileMode) error
	saved map[int64]int // what the file says
}

// noted is the file: how many triggers were wrong, by the Unix time of the shift's start.
type savedShifts struct {
	TriggerErrors map[int64]int `json:"trigger_errors"`
}

// recall adds what the file at path has to the shifts, which may begin at other times by now.
// Without a file there is nothing to add.
func openStateFile(path string, s *shifts) (*stateFile, error) {
	f := &stateFile{path: path, write: durable.WriteFile}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	var r savedShifts
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	for start, n := range r.TriggerErrors {
		if start < -maxStart || start > maxStart || n < 1 {
			return f, fmt.Errorf("read %s: %d trigger errors at %d make no sense", path, n, start)
		}
	}
	for start, n := range r.TriggerErrors {
		s.addTriggerErrors(time.Unix(start, 0), n)
	}
	f.saved = s.triggerErrors()
	return f, nil
}

// save writes the file if it would change.
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
		return fmt.Errorf("remember trigger errors in %s: %w", f.path, err)
	}
	f.saved = now
	return nil
}

// run saves until ctx ends, and then once more.
func (f *stateFile) run(ctx context.Context, s *shifts, log *slog.Logger) {
	pause := time.NewTicker(saveInterval)
	defer pause.Stop()
	for over := false; !over; {
		select {
		case <-pause.C:
		case <-ctx.Done():
			over = true
		}
		if err := f.save(s); err != nil {
			log.Warn("page: after the next start trigger errors are missing", "error", err)
		}
	}
}
