package kernel

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
}
