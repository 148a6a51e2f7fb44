package graph

import "slices"

// Versions of the words of a network. Files that contain a network have a format version that is
// at least the network's, so that an older program reports an unknown version. Otherwise it would
// find an unknown word in a file whose checksum or signature is right, and call it invalid.
const (
	Version1      = 1 // the first words
	Version2      = 2 // Depthwise2D, MeanPool, TopMean, ReLU6 and Explicit
	NewestVersion = Version2
)

// Version returns the lowest version that has all words of the network. It does not check them.
func (g *Graph) Version() uint32 {
	if slices.ContainsFunc(g.Layers, Layer.needsVersion2) {
		return Version2
	}
	return Version1
}

func (l Layer) needsVersion2() bool {
	switch l.Kind {
	case Depthwise2D, MeanPool, TopMean:
		return true
	}
	return l.Activation == ReLU6 || l.Padding == Explicit || l.Pad != 0 || l.Top != 0
}
