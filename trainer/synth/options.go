package synth

import (
	"errors"
	"fmt"
	"math"
)

// View is the kind of a picture.
type View uint8

const (
	// CloseUp is a photograph of a part of the side wall, shoulder or tread, as a technician takes
	// it by hand.
	CloseUp View = iota
	// Side is the square crop of a whole tire on the belt, as a station cuts it from a frame.
	Side
)

// ErrNotEmpty says that the folder of a new data set is not empty.
var ErrNotEmpty = errors.New("folder is not empty")

// String returns the name that ParseView reads.
func (v View) String() string {
	switch v {
	case CloseUp:
		return "closeup"
	case Side:
		return "side"
	}
	return fmt.Sprintf("View(%d)", uint8(v))
}

// ParseView returns the view of a name: "closeup" or "side".
func ParseView(s string) (View, error) {
	for _, v := range []View{CloseUp, Side} {
		if s == v.String() {
			return v, nil
		}
	}
	return 0, fmt.Errorf("unknown view %q: want closeup or side", s)
}

// Limits of an image's side. Below the minimum, cracks are thinner than a pixel. The maximum
// prevents that a typing mistake fills the memory.
const (
	minSize     = 96
	maxSize     = 4096
	defaultSize = 512
)

const defaultQuality = 90

// Options describes the data set that WriteDataset draws.
type Options struct {
	View View
	// Size is the side of every image in pixels, 96 to 4096; 0 means 512.
	Size int
	Seed uint64
	// Train and Test are the numbers of images of both classes together. Without test images there
	// is no testing folder.
	Train, Test int
	// CrackFraction is the share of cracked tires in each part, 0 to 1, rounded to whole images.
	CrackFraction float64
	// Quality of the JPEG files, 1 to 100; 0 means 90.
	Quality int
}

func (o Options) withDefaults() Options {
	if o.Size == 0 {
		o.Size = defaultSize
	}
	if o.Quality == 0 {
		o.Quality = defaultQuality
	}
	return o
}

func (o Options) check() error {
	switch {
	case o.View != CloseUp && o.View != Side:
		return fmt.Errorf("synth: unknown view %v", o.View)
	case o.Size < minSize || o.Size > maxSize:
		return fmt.Errorf("synth: image size %d is outside %d to %d pixels", o.Size, minSize, maxSize)
	case o.Train < 0 || o.Test < 0 || o.Train+o.Test == 0:
		return fmt.Errorf("synth: %d training and %d test images: nothing to draw", o.Train, o.Test)
	}
	if err := checkFraction(o.CrackFraction); err != nil {
		return err
	}
	return checkQuality(o.Quality)
}

func checkFraction(f float64) error {
	if math.IsNaN(f) || f < 0 || f > 1 {
		return fmt.Errorf("synth: crack fraction %v is outside 0 to 1", f)
	}
	return nil
}

func checkQuality(q int) error {
	if q < 1 || q > 100 {
		return fmt.Errorf("synth: JPEG quality %d is outside 1 to 100", q)
	}
	return nil
}
