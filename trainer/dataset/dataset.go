// Package dataset opens folders of labelled tire photographs, audits them and splits them without
// leaks.
//
//	images -> DATASET (open, check, split) -> augment -> train -> checkpoint
//
// Photographs of one tire come in runs, and copies that were turned or mirrored stand beside their
// originals. When one of a pair is trained on and the other tests, the test measures memory. So
// every split here keeps near-duplicates on one side.
//
// Newcomers need Open, which finds the images and their classes, and Set.Read, which reads them for
// training; Reading.Validation holds back a part of them.
package dataset

import (
	"crypto/sha256"
	"errors"
	"fmt"
)

// Class is what a photograph shows. Crack is the positive class everywhere: the one that must not
// be missed.
type Class uint8

const (
	Normal Class = iota
	Crack
)

// Classes are all classes, in the order of their numbers.
var Classes = []Class{Normal, Crack}

func (c Class) String() string {
	switch c {
	case Normal:
		return "normal"
	case Crack:
		return "crack"
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// MarshalText writes the name into JSON reports.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Item is one photograph with its label.
type Item struct {
	Path  string // can be opened as it stands: it begins with Set.Dir
	Class Class
}

// Set is a data set on disk. The images are not read before they are needed; each part is sorted by
// path.
type Set struct {
	Dir   string
	Train []Item
	Val   []Item // from a folder of its own; most sets have none and Validation splits it off
	Test  []Item
	Other []string // paths in class folders that have no image name, hidden files left out

	// of the files, by path, as Fingerprint found them; nil before
	sums map[string][sha256.Size]byte
}

// Errors of Open and of the splits, for callers that branch.
var (
	// ErrLayout marks a folder that does not look like a data set.
	ErrLayout = errors.New("not a data set")
	// ErrEmptyClass marks a part of a data set where one class has no image. It comes as an
	// *EmptyClassError.
	ErrEmptyClass = errors.New("class without images")
	// ErrTooFew marks a data set with too few independent images to split.
	ErrTooFew = errors.New("too few images")
)

// EmptyClassError names the class that has no image. Open returns it together with the set, which
// can still be audited.
type EmptyClassError struct {
	Part  string // PartTrain, PartVal or PartTest
	Class Class
	Dir   string // the folder where its images should be
}

func (e *EmptyClassError) Error() string {
	return fmt.Sprintf("%s: no %s images for %s; a classifier needs both classes", e.Dir, e.Class, e.Part)
}

func (e *EmptyClassError) Is(target error) bool { return target == ErrEmptyClass }

// Names of the parts in reports and errors.
const (
	PartTrain = "training"
	PartVal   = "validation"
	PartTest  = "testing"
)

// Part is one side of a set, for code that treats all of them alike.
type Part struct {
	Name  string
	Items []Item
}

// Parts gives the sides that have images: training, validation, testing.
func (s *Set) Parts() []Part {
	var parts []Part
	for _, p := range []Part{{PartTrain, s.Train}, {PartVal, s.Val}, {PartTest, s.Test}} {
		if len(p.Items) > 0 {
			parts = append(parts, p)
		}
	}
	return parts
}

// Count gives the number of images of each class, indexed by Class.
func Count(items []Item) [2]int {
	var n [2]int
	for _, it := range items {
		n[it.Class]++
	}
	return n
}
