package kernel

// built are the bodies for this architecture, whatever the CPU.
var built = []*Body{avx512vnni, avx2, Generic}

func init() {
	guardWeights = func(g *guardPages, r rower, upper bool) rower {
		switch p := r.(type) {
		case *rowsVNNI:
			return &rowsVNNI{guarded(g, p.w, upper), guarded(g, p.bias, upper)}
		case *rowsAVX2:
			return &rowsAVX2{guarded(g, p.w, upper), guarded(g, p.bias, upper)}
		}
		return r
	}
	guardLayer = func(g *guardPages, layer any, upper bool) any {
		switch p := layer.(type) {
		case *firstVNNILayer:
			return &firstVNNILayer{guarded(g, p.records, upper), p.channels}
		case *firstAVX2Layer:
			return &firstAVX2Layer{guarded(g, p.records, upper), p.channels}
		case *narrowVNNI:
			return &narrowVNNI{guarded(g, p.w, upper), guarded(g, p.records, upper), p.channels, p.taps}
		case *depthwiseVNNI:
			return &depthwiseVNNI{guarded(g, p.records, upper), guarded(g, p.columns, upper), p.channels}
		case *depthwiseAVX2:
			return &depthwiseAVX2{guarded(g, p.records, upper), p.channels}
		case *plainVNNI:
			return &plainVNNI{depthwiseVNNI{guarded(g, p.records, upper), p.columns, p.channels}}
		case *plainAVX2:
			return &plainAVX2{guarded(g, p.records, upper), p.channels}
		case *sharedAVX2:
			c := &sharedAVX2{inC: p.inC, mult: guarded(g, p.mult, upper)}
			for s := range p.sums {
				c.sums[s] = rowsAVX2{guarded(g, p.sums[s].w, upper), guarded(g, p.sums[s].bias, upper)}
			}
			return c
		}
		return layer
	}
}
