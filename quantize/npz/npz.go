// Package npz writes and reads weights as NumPy archives in the layout of Keras, which Python tools
// have in common.
//
//	checkpoint -> Encode -> weights.npz -> numpy.load
//	numpy.savez -> weights.npz -> Decode -> checkpoint
//
// Start with [Encode] and [Decode]. An archive is a zip file with one array per member. For each
// trained layer NAME there are two float32 arrays:
//
//	NAME_kernel  (kh, kw, in, out) of a convolution, (in, out) of a dense layer
//	NAME_bias    (out)
//
// A dense layer after a flatten reads its inputs in the order (H, W, C), in Keras as in this
// project. So Encode and Decode only move weights: a round trip keeps every bit.
//
// Arrays do not contain strides, pools and activations. So the archive's comment, which NumPy
// ignores, holds the network as JSON. An archive without it is read as the network of the thesis.
package npz

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

var (
	// ErrDamaged marks bytes that are not a complete archive of arrays.
	ErrDamaged = errors.New("not an .npz archive, or a damaged one")
	// ErrArrays marks an archive whose arrays do not belong to the network.
	ErrArrays = errors.New("the arrays do not fit the network")
	// ErrUnsupported marks a network that has no archive here. ONNX can hold it.
	ErrUnsupported = errors.New("no archive form for a network of version 2 (depthwise convolutions, means)")
)

// Content is the content of an archive.
type Content struct {
	Graph     graph.Graph
	Params    []nn.Param
	Threshold float64 // probability from which a tire is cracked; 0 if the archive has none
}

// comment is the archive's comment, as JSON.
type comment struct {
	Tool      string      `json:"tool"` // toolName
	Graph     graph.Graph `json:"graph"`
	Threshold float64     `json:"threshold,omitempty"`
}

const (
	toolName   = "tirewatch"
	maxComment = 1<<16 - 1 // bytes; the length field of zip has 16 bits
)

// MaxSize is the limit for the size of a file, in bytes.
const MaxSize = 1 << 28

// Encode returns the bytes of an archive. The same content always has the same bytes. If the
// parameters do not fit the graph, the error wraps nn.ErrParams; if the network is of version 2, it
// wraps ErrUnsupported.
func Encode(c *Content) ([]byte, error) {
	if c.Graph.Version() != graph.Version1 {
		return nil, ErrUnsupported
	}
	if _, err := nn.FromParams(&c.Graph, c.Params); err != nil {
		return nil, err
	}
	text, err := json.Marshal(comment{toolName, c.Graph, c.Threshold})
	if err != nil {
		return nil, fmt.Errorf("describe the network: %w", err)
	}
	if len(text) > maxComment {
		return nil, fmt.Errorf("describe the network: %d bytes, an archive has space for %d", len(text), maxComment)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if err := w.SetComment(string(text)); err != nil {
		return nil, err
	}
	for _, p := range c.Params {
		// stored, not compressed, as numpy.savez does it
		m, err := w.CreateHeader(&zip.FileHeader{Name: arrayName(p.Name) + ".npy", Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := m.Write(encodeArray(outputsLast(p.Data, p.Shape), kerasShape(p.Shape))); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Decode reads an archive. It must contain each array of the network once, with the right shape,
// and no other array. The error wraps ErrDamaged, ErrArrays or ErrUnsupported and names the array.
func Decode(data []byte) (*Content, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrDamaged, len(data), MaxSize)
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	c := describe(r.Comment)
	if c.Graph.Version() != graph.Version1 {
		return nil, ErrUnsupported
	}
	if c.Params, err = blank(&c.Graph); err != nil {
		return nil, err
	}
	members := map[string]*zip.File{}
	for _, f := range r.File {
		if members[f.Name] != nil {
			return nil, fmt.Errorf("%w: the archive contains %s twice", ErrArrays, f.Name)
		}
		members[f.Name] = f
	}
	for i := range c.Params {
		p := &c.Params[i]
		name := arrayName(p.Name)
		f := members[name+".npy"]
		if f == nil {
			return nil, fmt.Errorf("%w: array %s is missing", ErrArrays, name)
		}
		delete(members, f.Name)
		if p.Data, err = readArray(f, p.Shape); err != nil {
			return nil, fmt.Errorf("array %s: %w", name, err)
		}
	}
	for name := range members { // left over
		return nil, fmt.Errorf("%w: the network has no array %s", ErrArrays, strings.TrimSuffix(name, ".npy"))
	}
	if _, err := nn.FromParams(&c.Graph, c.Params); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArrays, err)
	}
	return c, nil
}

// describe reads the comment. Without a comment of this package it returns the network of the
// thesis.
func describe(text string) *Content {
	var d comment
	if json.Unmarshal([]byte(text), &d) != nil || d.Tool != toolName {
		return &Content{Graph: *graph.Thesis()}
	}
	c := &Content{Graph: d.Graph}
	if d.Threshold > 0 && d.Threshold < 1 {
		c.Threshold = d.Threshold
	}
	return c
}

// blank returns the parameters of a network with names and shapes but without numbers.
func blank(g *graph.Graph) ([]nn.Param, error) {
	steps, err := g.Plan()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArrays, err)
	}
	var params []nn.Param
	if total, _, _ := graph.Totals(steps); total > MaxSize/4 {
		return nil, fmt.Errorf("%w: the network has %d weights, the limit is %d", ErrArrays, total, MaxSize/4)
	}
	for _, s := range steps {
		if !s.HasWeights() {
			continue
		}
		shape := []int{s.Filters, s.In.C}
		if s.Kind == graph.Conv2D {
			shape = []int{s.Filters, s.Kernel, s.Kernel, s.In.C}
		}
		params = append(params, nn.Param{Name: s.Name + "/w", Shape: shape},
			nn.Param{Name: s.Name + "/b", Shape: []int{s.Filters}})
	}
	return params, nil
}

// arrayName turns conv1/w into conv1_kernel.
func arrayName(param string) string {
	if layer, ok := strings.CutSuffix(param, "/w"); ok {
		return layer + "_kernel"
	}
	return strings.TrimSuffix(param, "/b") + "_bias"
}

// kerasShape turns (out, kh, kw, in) into (kh, kw, in, out).
func kerasShape(shape []int) []int { return slices.Concat(shape[1:], shape[:1]) }

// outputsLast turns v (out, ...) into (..., out).
func outputsLast(v []float32, shape []int) []float32 {
	moved := make([]float32, len(v))
	outs := shape[0]
	per := len(v) / outs
	for o := range outs {
		for i := range per {
			moved[i*outs+o] = v[o*per+i]
		}
	}
	return moved
}

// outputsFirst reverses outputsLast.
func outputsFirst(v []float32, shape []int) []float32 {
	moved := make([]float32, len(v))
	outs := shape[0]
	per := len(v) / outs
	for o := range outs {
		for i := range per {
			moved[o*per+i] = v[i*outs+o]
		}
	}
	return moved
}

// readArray reads a parameter of the given shape. It unpacks no more bytes than this shape needs,
// whatever size the archive claims.
func readArray(f *zip.File, shape []int) ([]float32, error) {
	want := kerasShape(shape)
	size := 4
	for _, d := range want {
		size *= d
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, int64(maxHeader+size+1)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	v, err := decodeArray(data, want)
	if err != nil {
		return nil, err
	}
	return outputsFirst(v, shape), nil
}
