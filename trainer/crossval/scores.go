package crossval

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"tirewatch/internal/durable"
)

// Score is an image with its out-of-fold score.
type Score struct {
	File  string  `json:"file"` // below the data set, with "/"
	Group string  `json:"group"`
	Fold  string  `json:"fold"`
	Crack bool    `json:"crack"` // true class
	Score float64 `json:"score"` // probability of a crack
}

// The columns of a file of scores. Their order is that of WriteScores; ReadScores finds them by
// name and ignores others.
//
//	file,group,fold,label,score
//	crack/IMG_0001.jpg,tire 12,3,crack,0.8731
var columns = []string{"file", "group", "fold", "label", "score"}

// Labels of the file.
const (
	labelCrack  = "crack"
	labelNormal = "normal"
)

// WriteScores writes a file of scores. A score keeps all its digits.
func WriteScores(path string, scores []Score) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(columns)
	for _, s := range scores {
		label := labelNormal
		if s.Crack {
			label = labelCrack
		}
		w.Write([]string{s.File, s.Group, s.Fold, label, strconv.FormatFloat(s.Score, 'g', -1, 64)})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return durable.WriteFile(path, b.Bytes(), 0o644)
}

// ErrNotScores marks a file that is not one of out-of-fold scores.
var ErrNotScores = errors.New("not a file of out-of-fold scores")

// ReadScores reads a file of scores.
func ReadScores(path string) ([]Score, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read scores: %w", err)
	}
	r := csv.NewReader(bytes.NewReader(data))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: %v", path, ErrNotScores, err)
	}
	at := make(map[string]int)
	for _, name := range columns {
		i := slices.Index(header, name)
		if i < 0 {
			return nil, fmt.Errorf("read %s: %w: it has no column %s", path, ErrNotScores, name)
		}
		at[name] = i
	}
	var scores []Score
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w: %v", path, ErrNotScores, err)
		}
		s := Score{File: row[at["file"]], Group: row[at["group"]], Fold: row[at["fold"]],
			Crack: row[at["label"]] == labelCrack}
		s.Score, err = strconv.ParseFloat(row[at["score"]], 64)
		if label := row[at["label"]]; err != nil || !(s.Score >= 0 && s.Score <= 1) || !s.Crack && label != labelNormal {
			return nil, fmt.Errorf("read %s: %w: line %d has the label %q and the score %q, "+
				"want crack or normal and 0 to 1", path, ErrNotScores, len(scores)+2, label, row[at["score"]])
		}
		scores = append(scores, s)
	}
	if len(scores) == 0 {
		return nil, fmt.Errorf("read %s: %w: it has no images", path, ErrNotScores)
	}
	return scores, nil
}

// PairError says that two files do not score the same images.
type PairError struct {
	OnlyOld, OnlyNew int // images that only one of them scores
	Differ           int // images with another label or group
	Example          string
}

func (e *PairError) Error() string {
	return fmt.Sprintf("the two files do not score the same images: %d only in the old one, %d only in the new one, "+
		"%d with another label or group, for example %s", e.OnlyOld, e.OnlyNew, e.Differ, e.Example)
}

// Hint is the advice, for package hint.
func (e *PairError) Hint() string {
	return "make both with tirewatch evaluate --folds on the same data set and with the same groups"
}

// Pair returns the new scores in the order of the old ones. Both must have the same images, labels
// and groups; the error is a *PairError. Folds may differ.
func Pair(old, new []Score) ([]Score, error) {
	at := make(map[string]int, len(new))
	for i, s := range new {
		at[s.File] = i
	}
	var e PairError
	paired := make([]Score, 0, len(old))
	for _, o := range old {
		i, ok := at[o.File]
		delete(at, o.File)
		switch {
		case !ok:
			e.OnlyOld++
		case new[i].Crack != o.Crack || new[i].Group != o.Group:
			e.Differ++
		default:
			paired = append(paired, new[i])
			continue
		}
		if e.Example == "" {
			e.Example = o.File
		}
	}
	e.OnlyNew = len(at)
	for file := range at {
		if e.Example == "" || e.OnlyOld+e.Differ == 0 && file < e.Example {
			e.Example = file
		}
	}
	if e.OnlyOld+e.OnlyNew+e.Differ > 0 {
		return nil, &e
	}
	return paired, nil
}
