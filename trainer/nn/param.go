package nn

//go:generate go tool msgp -io=false -tests=false

// Param is one tensor of parameters as it stands in files: "conv1/w" (outC, kh, kw, inC), "conv1/b" (outC), "dense1/w" (units, inC).
type Param struct {
	Name  string    `msg:"name"`
	Shape []int     `msg:"shape"`
	Data  []float32 `msg:"data"`
}
