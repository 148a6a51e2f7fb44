// Package crossval measures how good a network is on tires that it was not trained on.
//
//	folds -> train on the others -> score the fold -> CROSSVAL: out-of-fold scores -> figures
//
// A data set is divided into folds (trainer/dataset). Each fold is judged by a network that was
// trained on the others, so every image is judged once, by a network that saw neither it nor its
// group. These are the out-of-fold scores. All figures come from them, the threshold too.
//
// Start with [Open], which keeps the results on disk, and [Summarize].
package crossval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"tirewatch/internal/durable"
)

// Folder holds a cross-validation on disk, so that it continues after an interruption:
//
//	setup.json       what it was started with
//	fold-NAME/       run folder of the training for a fold
//	fold-NAME.json   Result of a finished fold
//	scores.csv       out-of-fold scores, when all folds are finished
//
// One cross-validation at a time uses it: it holds a lock on the file "lock" in the folder.
type Folder struct {
	Dir  string
	lock *os.File
}

// ErrBusy marks a folder that another cross-validation uses.
var ErrBusy = errors.New("another cross-validation runs in this folder")

// Setting is something that changes the result: a flag, or the fingerprint of the data set.
type Setting struct {
	Name  string `json:"name"` // "--epochs"
	Value string `json:"value"`
}

// SetupError says that a folder holds a cross-validation with other settings.
type SetupError struct {
	Dir     string
	Changes []string // "--epochs is 60, was 100"
}

func (e *SetupError) Error() string {
	return fmt.Sprintf("%s holds another cross-validation: %s", e.Dir, strings.Join(e.Changes, "; "))
}

// Hint is the advice, for package hint.
func (e *SetupError) Hint() string {
	return "choose another --out, or repeat the settings to continue it"
}

// Open makes the folder of a cross-validation, or opens one that has the same settings. Errors: a
// *SetupError if they differ, ErrBusy, and those of the file system.
func Open(dir string, setup []Setting) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	f := &Folder{dir, lock}
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		err = fmt.Errorf("%s: %w", dir, ErrBusy)
	} else if err = durable.Clean(dir); err == nil {
		err = f.begin(setup)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// begin writes the settings, or compares them with those of the folder.
func (f *Folder) begin(setup []Setting) error {
	path := filepath.Join(f.Dir, "setup.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return writeJSON(path, setup)
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	var before []Setting
	if err := json.Unmarshal(data, &before); err != nil {
		return fmt.Errorf("read settings %s: %w", path, err)
	}
	if changes := compare(before, setup); len(changes) > 0 {
		return &SetupError{f.Dir, changes}
	}
	return nil
}

// Close releases the folder.
func (f *Folder) Close() error { return f.lock.Close() }

// compare lists the settings that changed.
func compare(before, now []Setting) (changes []string) {
	values := make(map[string]string)
	for _, s := range before {
		values[s.Name] = s.Value
	}
	for _, s := range now {
		if was := values[s.Name]; was != s.Value {
			changes = append(changes, fmt.Sprintf("%s is %s, was %s", s.Name, orNone(s.Value), orNone(was)))
		}
		delete(values, s.Name)
	}
	for _, s := range before {
		if was := values[s.Name]; was != "" {
			changes = append(changes, fmt.Sprintf("%s is none, was %s", s.Name, was))
		}
	}
	return changes
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// Result is a finished fold.
type Result struct {
	Scores []Score `json:"scores"`
	// the baseline's probability of a crack for each of the scores; nil if it was not measured
	Grey []float64 `json:"grey,omitempty"`
	// the float network's probability for each of the scores, which are those of the int8 network
	Float []float64 `json:"float,omitempty"`
}

// Result returns the result of a fold, nil when it is not finished.
func (f *Folder) Result(fold string) (*Result, error) {
	path := f.path(fold) + ".json"
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read result of fold %s: %w", fold, err)
	}
	r := new(Result)
	err = json.Unmarshal(data, r)
	for _, others := range [][]float64{r.Grey, r.Float} {
		if n := len(others); err == nil && n != 0 && n != len(r.Scores) {
			err = fmt.Errorf("%d scores for comparison with those of %d images", n, len(r.Scores))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read result of fold %s: %s is damaged: %w; delete it, and the fold is measured again",
			fold, path, err)
	}
	return r, nil
}

// Save writes the result of a fold.
func (f *Folder) Save(fold string, r *Result) error { return writeJSON(f.path(fold)+".json", r) }

// Run returns the run folder for the training of a fold.
func (f *Folder) Run(fold string) string { return f.path(fold) }

// ScoresPath is the file of the out-of-fold scores.
func (f *Folder) ScoresPath() string { return filepath.Join(f.Dir, "scores.csv") }

// path returns where the files of a fold are. The name of a fold may be any text.
func (f *Folder) path(fold string) string { return filepath.Join(f.Dir, "fold-"+url.PathEscape(fold)) }

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'), 0o644)
}
