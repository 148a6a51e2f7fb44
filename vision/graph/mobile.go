package graph

import "fmt"

// MobileBlocks is the number of blocks of MobileNetV1.
const MobileBlocks = 13

// mobileBlocks lists the blocks of MobileNetV1 with three quarters of the filters: a depthwise
// 3x3 convolution with a stride, then a 1x1 convolution. Source: Howard et al. 2017, table 1. The
// last two blocks are those of PoseNet: they keep one position for 16 px, and the filters.
var mobileBlocks = [MobileBlocks]struct{ stride, filters int }{
	{1, 48}, {2, 96}, {1, 96}, {2, 192}, {1, 192}, {2, 384}, {1, 384}, {1, 384}, {1, 384},
	{1, 384}, {1, 384}, {1, 384}, {1, 384},
}

// manyPositions is the size of a map, each way, whose scores are computed for cells of 2x2
// positions. Single positions of such a map show too little of a crack.
const manyPositions = 28

// Mobile returns the first blocks of MobileNetV1-0.75 for grey images of size x size px, with a
// score for each position and the mean of the highest tenth of the scores:
//
//	size x size x 1 -> conv 3x3/2 -> blocks x (depthwise 3x3, conv 1x1) -> score 1x1
//	  -> mean of the highest tenth -> 1
//
// All layers but the last have ReLU6 and TensorFlow's padding. Mobile panics if blocks is not
// between 1 and MobileBlocks.
func Mobile(size, blocks int) *Graph {
	if blocks < 1 || blocks > MobileBlocks {
		panic(fmt.Sprintf("internal error: %d blocks of MobileNetV1, want 1 to %d", blocks, MobileBlocks))
	}
	g := &Graph{Input: Shape{H: size, W: size, C: 1}}
	conv := func(kind Kind, name string, filters, kernel, stride int) {
		g.Layers = append(g.Layers, Layer{Kind: kind, Name: name, Filters: filters, Kernel: kernel, Stride: stride,
			Padding: Same, Activation: ReLU6})
	}
	channels, side := 24, (size+1)/2
	conv(Conv2D, "conv", channels, 3, 2)
	for i, b := range mobileBlocks[:blocks] {
		conv(Depthwise2D, fmt.Sprint("depthwise", i+1), channels, 3, b.stride)
		conv(Conv2D, fmt.Sprint("pointwise", i+1), b.filters, 1, 1)
		channels, side = b.filters, (side+b.stride-1)/b.stride
	}
	if side >= manyPositions {
		g.Layers = append(g.Layers, Layer{Kind: MeanPool, Name: "cells", Kernel: 2, Stride: 2, Padding: Valid})
		side /= 2
	}
	g.Layers = append(g.Layers,
		Layer{Kind: Conv2D, Name: "score", Filters: 1, Kernel: 1, Stride: 1, Padding: Valid, Activation: Linear},
		Layer{Kind: TopMean, Name: "top", Top: max(1, (side*side+5)/10), Activation: Sigmoid})
	return g
}
