// Package graph holds the network as data: which layers, in which order, of which shape.
//
// The trainer, the quantizer, the int8 runner and the ONNX export all walk the same Graph, so the
// network is written once, in thesis.go. Newcomers need Thesis and Graph.Plan, which infers every
// shape and finds the live regions: the part of each layer's output that the result depends on.
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
	Dropout   Kind = "dropout" // acts in training only
)

// Activation is applied to a layer's sum.
type Activation string

const (
	Linear  Activation = "linear"
	ReLU    Activation = "relu"
	Sigmoid Activation = "sigmoid"
)

// Padding says what a window does at the border.
type Padding string

const (
	// windows stay inside; what is left over at the right and bottom is ignored
	Valid Padding = "valid"
	// ceil(size/stride) windows; zeros around, the odd one at the right and bottom (TensorFlow)
	Same Padding = "same"
)

// Shape is the extent of an activation, stored as (H, W, C) with C varying fastest.
type Shape struct {
	H int `msg:"h" json:"h"`
	W int `msg:"w" json:"w"`
	C int `msg:"c" json:"c"`
}

// Size is the number of values.
func (s Shape) Size() int { return s.H * s.W * s.C }

func (s Shape) String() string { return fmt.Sprintf("%d x %d x %d", s.H, s.W, s.C) }

// Layer is one operation with its constants. Fields that its kind does not use are zero.
type Layer struct {
	Kind Kind   `msg:"kind" json:"kind"`
	Name string `msg:"name" json:"name"`
	// output channels of Conv2D, units of Dense
	Filters int `msg:"filters,omitempty" json:"filters,omitempty"`
	// px, square; Conv2D and MaxPool2D
	Kernel     int        `msg:"kernel,omitempty" json:"kernel,omitempty"`
	Stride     int        `msg:"stride,omitempty" json:"stride,omitempty"` // px, both directions
	Padding    Padding    `msg:"padding,omitempty" json:"padding,omitempty"`
	Activation Activation `msg:"activation,omitempty" json:"activation,omitempty"`
	// share of units that Dropout zeroes
	Rate float64 `msg:"rate,omitempty" json:"rate,omitempty"`
}

// HasWeights tells whether the layer is trained.
func (l Layer) HasWeights() bool { return l.Kind == Conv2D || l.Kind == Dense }

// Graph is a sequential network from one image to one probability.
type Graph struct {
	Input  Shape   `msg:"input" json:"input"`
	Layers []Layer `msg:"layers" json:"layers"`
}

// ErrGraph marks a network that this program cannot run.
var ErrGraph = errors.New("unusable network")

// MismatchError says that weights belong to another network than the one at hand.
type MismatchError struct{ Have, Want Hash }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("weights belong to network %s, not to %s", e.Have, e.Want)
}

// Hash identifies a network by its layers and constants.
type Hash [sha256.Size]byte

// String shows the first eight bytes, enough for people.
func (h Hash) String() string { return hex.EncodeToString(h[:8]) }

// Hash is the SHA-256 of a canonical text, one line a layer; String of two equal graphs is equal
// and so is their hash.
func (g *Graph) Hash() Hash { return sha256.Sum256([]byte(g.String())) }

// String is the canonical text of the network.
func (g *Graph) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "input %v\n", g.Input)
	for _, l := range g.Layers {
		fmt.Fprintf(&b, "%s %s filters=%d kernel=%d stride=%d padding=%s activation=%s rate=%g\n",
			l.Kind, l.Name, l.Filters, l.Kernel, l.Stride, l.Padding, l.Activation, l.Rate)
	}
	return b.String()
}
