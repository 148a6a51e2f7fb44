package synth

import "math"

const (
	turn    = 2 * math.Pi
	quarter = math.Pi / 2
)

func clamp(x, lo, hi float32) float32 { return min(max(x, lo), hi) }

func lerp(a, b, t float32) float32 { return a + (b-a)*t }

// smooth rises from 0 at a to 1 at b with slope 0 at both ends. a may be above b.
func smooth(a, b, x float32) float32 {
	t := clamp((x-a)/(b-a), 0, 1)
	return t * t * (3 - 2*t)
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func sin32(x float32) float32 { return float32(math.Sin(float64(x))) }

func cos32(x float32) float32 { return float32(math.Cos(float64(x))) }

func floor32(x float32) float32 { return float32(math.Floor(float64(x))) }

// atan2 is a polynomial with an error below 2e-6 radians, at a fifth of the cost of math.Atan2;
// every pixel needs one. Coefficients: minimax over [0, 1], degree 11 (Hastings, "Approximations
// for digital computers", 1955).
func atan2(y, x float32) float32 {
	ax, ay := abs32(x), abs32(y)
	if ax+ay == 0 {
		return 0
	}
	a := min(ax, ay) / max(ax, ay)
	s := a * a
	r := ((((-0.01172120*s+0.05265332)*s-0.11643287)*s+0.19354346)*s-0.33262347)*s + 0.99997726
	r *= a
	if ay > ax {
		r = math.Pi/2 - r
	}
	if x < 0 {
		r = math.Pi - r
	}
	if y < 0 {
		r = -r
	}
	return r
}

// mat3 is a homography, row by row.
type mat3 [9]float32

func (m mat3) mul(b mat3) mat3 {
	var out mat3
	for i := range 3 {
		for j := range 3 {
			out[3*i+j] = m[3*i]*b[j] + m[3*i+1]*b[3+j] + m[3*i+2]*b[6+j]
		}
	}
	return out
}

// at maps a point.
func (m *mat3) at(x, y float32) (float32, float32) {
	w := 1 / (m[6]*x + m[7]*y + m[8])
	return (m[0]*x + m[1]*y + m[2]) * w, (m[3]*x + m[4]*y + m[5]) * w
}

// inverse returns the adjugate. A homography has no scale, so the determinant is not needed.
func (m mat3) inverse() mat3 {
	return mat3{
		m[4]*m[8] - m[5]*m[7], m[2]*m[7] - m[1]*m[8], m[1]*m[5] - m[2]*m[4],
		m[5]*m[6] - m[3]*m[8], m[0]*m[8] - m[2]*m[6], m[2]*m[3] - m[0]*m[5],
		m[3]*m[7] - m[4]*m[6], m[1]*m[6] - m[0]*m[7], m[0]*m[4] - m[1]*m[3],
	}
}

func rotation(a float32) mat3 {
	s, c := sin32(a), cos32(a)
	return mat3{c, -s, 0, s, c, 0, 0, 0, 1}
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

func log32(x float32) float32 { return float32(math.Log(float64(x))) }
