package synth

import (
	"math"
	"math/rand/v2"
)

// purpose separates the random streams of one image. Tire, cracks and camera have separate streams,
// so that adding cracks changes neither the tire nor the photograph.
type purpose uint64

const (
	forTire purpose = 1 + iota
	forDirt
	forCrack
	forCamera
	forLabels
	forBelt
	forClip
	forNoise
	forTear
)

// stream is a random generator with the distributions that pictures need.
type stream struct{ *rand.Rand }

// newStream returns the stream of (seed, index, purpose). Equal arguments give equal numbers on
// every machine.
func newStream(seed, index uint64, p purpose) stream {
	return stream{rand.New(rand.NewPCG(mix(seed+uint64(p)*0x9e3779b97f4a7c15), mix(index^uint64(p)<<56)))}
}

// mix is the finalizer of SplitMix64. Neighbouring seeds and indices must not give related streams.
// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// between returns a uniform number in [a, b).
func (s stream) between(a, b float32) float32 { return a + (b-a)*s.Float32() }

// around returns a normal number, limited to two deviations so that no picture is extreme.
func (s stream) around(mean, dev float32) float32 {
	return mean + dev*clamp(float32(s.NormFloat64()), -2, 2)
}

// chance returns true with probability p.
func (s stream) chance(p float32) bool { return s.Float32() < p }

// angle returns a random direction in radians.
func (s stream) angle() float32 { return s.between(-math.Pi, math.Pi) }

// sign returns -1 or +1.
func (s stream) sign() float32 {
	if s.chance(0.5) {
		return -1
	}
	return 1
}

// count returns a whole number from a to b, both included.
func (s stream) count(a, b int) int { return a + s.IntN(b-a+1) }
