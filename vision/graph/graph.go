// Package graph holds the network as data: its layers, their order and their shapes.
//
// The trainer, the quantizer, the int8 runner and the ONNX export all use the same Graph, so a
// network is written once, in thesis.go or mobile.go. Start with [Thesis] and [Graph.Plan], which
// computes every shape and the live regions: the part of each layer's output on which the result
// depends.
package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

//go:generate go tool msgp -io=false -tests=false

// Kind names a layer's operation.
type Kind string

const (
	Conv2D    Kind = "conv2d"
	MaxPool2D Kind = "maxpool2d"
	Flatten   Kind = "flatten"
	Dense     Kind = "dense"
	Dropout   Kind = "dropout" // has an effect in training only

	Depthwise2D Kind = "depthwise2d" // a convolution of each channel by its own filter
	MeanPool    Kind = "meanpool"    // mean of each window, or of the whole map if Kernel is 0
	TopMean     Kind = "topmean"     // mean of the highest Top scores of a map with one channel
)

// Activation is applied to a layer's sum.
type Activation string

const (
	Linear  Activation = "linear"
	ReLU    Activation = "relu"
	ReLU6   Activation = "relu6" // ReLU with the upper limit MaxReLU6
	Sigmoid Activation = "sigmoid"
)

// MaxReLU6 is the largest value of ReLU6.
const MaxReLU6 = 6

// Padding is the treatment of windows at the border.
type Padding string

const (
	// windows stay inside; remaining rows and columns at the bottom and right are ignored
	Valid Padding = "valid"
	// ceil(size/stride) windows, zeros around; an odd zero is at the bottom and right (TensorFlow)
	Same Padding = "same"
	// Layer.Pad zeros on every side (PyTorch)
	Explicit Padding = "explicit"
)

// Shape is the size of an activation, stored as (H, W, C) with C varying fastest.
type Shape struct {
	H int `msg:"h" json:"h"`
	W int `msg:"w" json:"w"`
	C int `msg:"c" json:"c"`
}

// Size returns the number of values.
func (s Shape) Size() int { return s.H * s.W * s.C }

func (s Shape) String() string { return fmt.Sprintf("%d x %d x %d", s.H, s.W, s.C) }

// Layer is one operation with its constants. Fields that are not used by its kind are zero.
type Layer struct {
	Kind Kind   `msg:"kind" json:"kind"`
	Name string `msg:"name" json:"name"`
	// output channels of Conv2D and Depthwise2D, or units of Dense
	Filters int `msg:"filters,omitempty" json:"filters,omitempty"`
	// px, square; Conv2D, Depthwise2D and pools
	Kernel     int        `msg:"kernel,omitempty" json:"kernel,omitempty"`
	Stride     int        `msg:"stride,omitempty" json:"stride,omitempty"` // px, both directions
	Padding    Padding    `msg:"padding,omitempty" json:"padding,omitempty"`
	Activation Activation `msg:"activation,omitempty" json:"activation,omitempty"`
	// share of units that Dropout sets to zero
	Rate float64 `msg:"rate,omitempty" json:"rate,omitempty"`

	// Networks of version 1 do not have the fields below. omitempty keeps their bytes.
	// px of zeros on every side, for Explicit
	Pad int `msg:"pad,omitempty" json:"pad,omitempty"`
	// number of scores that TopMean averages
	Top int `msg:"top,omitempty" json:"top,omitempty"`
}

// HasWeights reports whether the layer is trained.
func (l Layer) HasWeights() bool {
	return l.Kind == Conv2D || l.Kind == Depthwise2D || l.Kind == Dense
}

// HasWindow reports whether the layer slides a window over rows and columns.
func (l Layer) HasWindow() bool {
	switch l.Kind {
	case Conv2D, Depthwise2D, MaxPool2D:
		return true
	case MeanPool:
		return l.Kernel > 0
	}
	return false
}

// Graph is a sequential network from one image to one probability.
type Graph struct {
	Input  Shape   `msg:"input" json:"input"`
	Layers []Layer `msg:"layers" json:"layers"`
}

// ErrGraph marks a network that this program cannot run.
var ErrGraph = errors.New("invalid network")

// MismatchError means that weights belong to another network.
type MismatchError struct{ Have, Want Hash }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("weights belong to network %s, not to %s", e.Have, e.Want)
}

// Hash identifies a network by its layers and constants.
type Hash [sha256.Size]byte

// String returns the first eight bytes, which are enough for people.
func (h Hash) String() string { return hex.EncodeToString(h[:8]) }

// Hash returns the SHA-256 of String. Equal graphs have the same text and the same hash.
func (g *Graph) Hash() Hash { return sha256.Sum256([]byte(g.String())) }

// String returns the canonical text of the network, one line per layer.
func (g *Graph) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "input %v\n", g.Input)
	for _, l := range g.Layers {
		fmt.Fprintf(&b, "%s %s filters=%d kernel=%d stride=%d padding=%s activation=%s rate=%g",
			l.Kind, l.Name, l.Filters, l.Kernel, l.Stride, l.Padding, l.Activation, l.Rate)
		if l.Pad != 0 { // the text of older networks does not change
			fmt.Fprintf(&b, " pad=%d", l.Pad)
		}
		if l.Top != 0 {
			fmt.Fprintf(&b, " top=%d", l.Top)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
