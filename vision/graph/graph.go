// Package graph holds the network as data: its layers, their order and their shapes.
//
// The trainer, the quantizer, the int8 runner and the ONNX export all use the same Graph, so the
// network is written once, in thesis.go. Start with [Thesis] and [Graph.Plan], which computes every
// shape and the live regions: the part of each layer's output on which the result depends.
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
)

// Activation is applied to a layer's sum.
type Activation string

const (
	Linear  Activation = "linear"
	ReLU    Activation = "relu"
	Sigmoid Activation = "sigmoid"
)

// Padding is the treatment of windows at the border.
type Padding string

const (
	// windows stay inside; remaining rows and columns at the bottom and right are ignored
	Valid Padding = "valid"
	// ceil(size/stride) windows, zeros around; an odd zero is at the bottom and right (TensorFlow)
	Same Padding = "same"
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
	// output channels of Conv2D, or units of Dense
	Filters int `msg:"filters,omitempty" json:"filters,omitempty"`
	// px, square; Conv2D and MaxPool2D
	Kernel     int        `msg:"kernel,omitempty" json:"kernel,omitempty"`
	Stride     int        `msg:"stride,omitempty" json:"stride,omitempty"` // px, both directions
	Padding    Padding    `msg:"padding,omitempty" json:"padding,omitempty"`
	Activation Activation `msg:"activation,omitempty" json:"activation,omitempty"`
	// share of units that Dropout sets to zero
	Rate float64 `msg:"rate,omitempty" json:"rate,omitempty"`
}

// HasWeights reports whether the layer is trained.
func (l Layer) HasWeights() bool { return l.Kind == Conv2D || l.Kind == Dense }

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
		fmt.Fprintf(&b, "%s %s filters=%d kernel=%d stride=%d padding=%s activation=%s rate=%g\n",
			l.Kind, l.Name, l.Filters, l.Kernel, l.Stride, l.Padding, l.Activation, l.Rate)
	}
	return b.String()
}
