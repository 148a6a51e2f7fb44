package graph

// Thesis returns the network of the thesis: 108,657 parameters and 199.4 million
// multiply-accumulates.
//
//	379 x 379 x 1 -> 4 x (conv 3x3 stride 2, ReLU, max pool 2x2) -> 16 -> 128 -> 64 -> 1
func Thesis() *Graph {
	g := &Graph{Input: Shape{H: 379, W: 379, C: 1}}
	names := []struct {
		conv, pool string
		filters    int
	}{{"conv1", "pool1", 128}, {"conv2", "pool2", 64}, {"conv3", "pool3", 32}, {"conv4", "pool4", 16}}
	for _, n := range names {
		g.Layers = append(g.Layers,
			Layer{Kind: Conv2D, Name: n.conv, Filters: n.filters, Kernel: 3, Stride: 2, Padding: Valid,
				Activation: ReLU},
			Layer{Kind: MaxPool2D, Name: n.pool, Kernel: 2, Stride: 2, Padding: Valid})
	}
	g.Layers = append(g.Layers,
		Layer{Kind: Flatten, Name: "flatten"},
		Layer{Kind: Dense, Name: "dense1", Filters: 128, Activation: ReLU},
		Layer{Kind: Dropout, Name: "dropout1", Rate: 0.2},
		Layer{Kind: Dense, Name: "dense2", Filters: 64, Activation: ReLU},
		Layer{Kind: Dropout, Name: "dropout2", Rate: 0.2},
		Layer{Kind: Dense, Name: "dense3", Filters: 1, Activation: Sigmoid})
	return g
}
