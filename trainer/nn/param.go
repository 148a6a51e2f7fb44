package nn

//go:generate go tool msgp -io=false -tests=false

// Param is one tensor of parameters as it stands in files: "conv1/w" (outC, kh, kw, inC), "conv1/b"
// (outC), "dense1/w" (units, inC).
type Param struct {
	Name  string    `msg:"name"`
	Shape []int     `msg:"shape"`
	Data  []float32 `msg:"data"`
}

// OtherClass makes params, which end in the weights and the bias of one sigmoid unit, give the
// probability of the other class: what is left of one, 1 - sigmoid(x) = sigmoid(-x).
func OtherClass(params []Param) {
	for _, p := range params[len(params)-2:] {
		for i, v := range p.Data {
			p.Data[i] = -v
		}
	}
}
