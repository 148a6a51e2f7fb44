// Package dataset opens folders of labelled tire photographs, checks them and splits them without
// leaks.
//
//	images -> DATASET (open, check, split) -> augment -> train -> checkpoint
//
// Photographs of one tire often follow each other, and turned or mirrored copies lie beside their
// originals. When one of a pair is in training and the other in testing, the test measures memory.
// So every split here keeps near-duplicates on one side, and with [Set.Group] the images that
// somebody says belong together.
//
// Start with [Open], which finds the images and their classes, and [Set.Read], which reads them for
// training. [Reading.Validation] holds back a part of them; [Reading.Folds] divides them for a
// cross-validation.
package dataset

import (
	"crypto/sha256"
	"errors"
	"fmt"
)

// Class is what a photograph shows. Crack is the positive class everywhere.
type Class uint8

const (
	Normal Class = iota
	Crack
)

// Classes lists all classes in numerical order.
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
	Path  string // starts with Set.Dir, so it can be opened
	Class Class
	Group string // images with the same name belong together; empty: with no other. See Set.Group
	Fold  string // of a cross-validation, from manifest.csv; empty: none
}

// Set is a data set on disk. Images are read only when needed. Each part is sorted by path.
type Set struct {
	Dir   string
	Train []Item
	Val   []Item // from a validation folder; most sets have none, then Validation splits it off
	Test  []Item
	Other []string // files in class folders without an image extension; hidden files are not listed

	// SHA-256 of the files, by path, as computed by Fingerprint; nil before
	sums   map[string][sha256.Size]byte
	groups *Groups // result of Group; nil before, or when nothing says what belongs together
}

// Errors of Open and of the splits, for callers that handle them differently.
var (
	// ErrLayout marks a folder that does not look like a data set.
	ErrLayout = errors.New("not a data set")
	// ErrEmptyClass marks a part of a data set in which one class has no image. The error is an
	// *EmptyClassError.
	ErrEmptyClass = errors.New("class without images")
	// ErrTooFew marks a data set with too few independent images to split.
	ErrTooFew = errors.New("too few images")
)

// EmptyClassError names the class without images. Open returns it together with the set, which can
// still be checked.
type EmptyClassError struct {
	Part  string // PartTrain, PartVal or PartTest
	Class Class
	Dir   string // the folder where its images should be
}

func (e *EmptyClassError) Error() string {
	return fmt.Sprintf("%s: no %s images for %s, but a classifier needs both classes", e.Dir, e.Class, e.Part)
}

func (e *EmptyClassError) Is(target error) bool { return target == ErrEmptyClass }

// Names of the parts in reports and errors.
const (
	PartTrain = "training"
	PartVal   = "validation"
	PartTest  = "testing"
)

// Part is one side of a set, for code that treats all sides the same.
type Part struct {
	Name  string
	Items []Item
}

// Parts returns the sides that have images: training, validation, testing.
func (s *Set) Parts() []Part {
	var parts []Part
	for _, p := range []Part{{PartTrain, s.Train}, {PartVal, s.Val}, {PartTest, s.Test}} {
		if len(p.Items) > 0 {
			parts = append(parts, p)
		}
	}
	return parts
}

// Count returns the number of images of each class, indexed by Class.
func Count(items []Item) [2]int {
	var n [2]int
	for _, it := range items {
		n[it.Class]++
	}
	return n
}
