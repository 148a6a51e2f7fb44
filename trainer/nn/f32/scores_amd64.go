package f32

//go:noescape
func scoresAVX2(dst *float32, x *byte, v *float32, n, channels int, base float32)

func scores(dst []float32, x []byte, v []float32, base float32) {
	if level >= levelAVX2 && len(v)%scoreLanes == 0 {
		scoresAVX2(&dst[0], &x[0], &v[0], len(dst), len(v), base)
		return
	}
	scoresGeneric(dst, x, v, base)
}
