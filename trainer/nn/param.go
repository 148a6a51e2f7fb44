package nn

//go:generate go tool msgp -io=false -tests=false

// Param is one tensor of parameters, as in the files: "conv1/w" (outC, kh, kw, inC), "conv1/b"
// (outC), "dense1/w" (units, inC).
type Param struct {
	Name  string    `msg:"name"`
	Shape []int     `msg:"shape"`
	Data  []float32 `msg:"data"`
}

// OtherClass changes params, whose last two tensors are the weights and the bias of one sigmoid
// unit of a dense layer, so that the network returns the probability of the other class: 1 -
// sigmoid(x) = sigmoid(-x).
func OtherClass(params []Param) {
	for _, p := range params[len(params)-2:] {
		for i, v := range p.Data {
			p.Data[i] = -v
		}
	}
}
