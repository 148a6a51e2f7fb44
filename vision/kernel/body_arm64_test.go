package kernel

// built are the bodies for this architecture, whatever the CPU.
var built = []*Body{sdotBody, neonBody, Generic}

func init() {
	guardWeights = func(g *guardPages, r rower, upper bool) rower {
		p, ok := r.(*armRows)
		if !ok {
			return r
		}
		return &armRows{p.dot, guarded(g, p.w, upper), guarded(g, p.bias, upper)}
	}
	guardLayer = func(g *guardPages, layer any, upper bool) any {
		switch p := layer.(type) {
		case *sdotFirster:
			return &sdotFirster{guarded(g, p.layers, upper), p.fast}
		case *neonFirster:
			return &neonFirster{guarded(g, p.layers, upper), p.fast}
		case *plainArm:
			return &plainArm{depthwiseNEON{guarded(g, p.records, upper), p.fast, p.channels},
				guarded(g, p.dot, upper), guarded(g, p.neon, upper), p.outputs}
		case *narrowArm:
			rows := &armRows{p.dot != nil, guarded(g, p.w, upper), p.bias}
			return &narrowArm{rows, p.taps, guarded(g, p.dot, upper), guarded(g, p.neon, upper)}
		case *depthwiseSDOT:
			return &depthwiseSDOT{guarded(g, p.records, upper), p.fast, p.channels}
		case *depthwiseNEON:
			return &depthwiseNEON{guarded(g, p.records, upper), p.fast, p.channels}
		}
		return layer
	}
}
