package kernel

func init() {
	guardWeights = func(g *guardPages, r rower, upper bool) rower {
		p, ok := r.(*armRows)
		if !ok {
			return r
		}
		return &armRows{p.dot, guarded(g, p.w, upper), guarded(g, p.bias, upper)}
	}
}
