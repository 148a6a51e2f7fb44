package bundle

import (
	"bytes"
	"fmt"
)

//go:generate go tool msgp -io=false -tests=false

// Golden is an input with the sum that every CPU must compute for it. It is a photograph, or drawn
// from a seed: a drawn input tests a CPU as well and takes 20 bytes. In memory Pix is always set.
type Golden struct {
	// Spec.Size() bytes, from preprocess or from Draw; in a file of version 1 only
	Pix []byte `msg:"pix,omitempty"`
	Sum int32  `msg:"sum"` // of the last layer
	// Pix is Draw(Seed); 0: it is a photograph; since version 2
	Seed uint64 `msg:"seed,omitempty"`
	// the code of a photograph, see grey.go; in a file of version 2 only, never in memory
	Packed []byte `msg:"packed,omitempty"`
}

// Draw returns the golden input of a seed: width * height px. Its hills and valleys are tens of
// pixels wide, like the light on a tire, with some noise. Only integers are used, so every machine
// draws the same.
//
//	hash(n)    = splitmix64 of seed + n * 0x9e3779b97f4a7c15
//	corner i,j = highest byte of hash(j << 32 | i), at pixel 32 i, 32 j
//	pixel x, y = corners interpolated in both directions, rounded down
//	             + the highest 5 bits of hash(1<<63 | y << 32 | x) - 16, within 0 to 255
func Draw(seed uint64, width, height int) []byte {
	const cell = 32
	corner := func(i, j int) int { return int(hash(seed, uint64(j)<<32|uint64(i)) >> 56) }
	pix := make([]byte, 0, width*height)
	for y := range height {
		j, v := y/cell, y%cell
		for i := 0; i*cell < width; i++ {
			left := corner(i, j)*(cell-v) + corner(i, j+1)*v
			right := corner(i+1, j)*(cell-v) + corner(i+1, j+1)*v
			for u := 0; u < cell && i*cell+u < width; u++ {
				noise := int(hash(seed, 1<<63|uint64(y)<<32|uint64(i*cell+u))>>59) - 16
				value := (left*(cell-u)+right*u)/(cell*cell) + noise
				pix = append(pix, byte(min(max(value, 0), 255)))
			}
		}
	}
	return pix
}

// hash is the n-th number of splitmix64. Source: Steele, Lea, Flood 2014, "Fast splittable
// pseudorandom number generators".
func hash(seed, n uint64) uint64 {
	z := seed + n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// packed returns the golden inputs as a file of version 2 has them.
func (b *Bundle) packed() []Golden {
	golden := make([]Golden, len(b.Golden))
	for i, g := range b.Golden {
		golden[i] = Golden{Sum: g.Sum, Seed: g.Seed}
		if g.Seed == 0 {
			golden[i].Packed = pack(g.Pix, b.Spec.Width)
		}
	}
	return golden
}

// unpack fills in Pix of the golden inputs of a file of version 2.
func (b *Bundle) unpack() error {
	if err := b.Spec.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := b.checkGolden(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for i := range b.Golden {
		g := &b.Golden[i]
		if g.Pix != nil || (g.Seed != 0) == (g.Packed != nil) {
			return fmt.Errorf("%w: golden input %d is neither packed nor drawn", ErrMalformed, i+1)
		}
		if g.Seed != 0 {
			g.Pix = Draw(g.Seed, b.Spec.Width, b.Spec.Height)
			continue
		}
		var err error
		if g.Pix, err = unpack(g.Packed, b.Spec.Size(), b.Spec.Width); err != nil {
			return fmt.Errorf("%w: golden input %d: %w", ErrMalformed, i+1, err)
		}
		g.Packed = nil
	}
	return nil
}

// checkGolden limits the number of golden inputs and their size in memory: a few bytes may stand
// for a large drawing.
func (b *Bundle) checkGolden() error {
	if n := len(b.Golden); n < MinGolden || n > MaxGolden {
		return fmt.Errorf("%d golden inputs, want %d to %d", n, MinGolden, MaxGolden)
	}
	if n := len(b.Golden) * b.Spec.Size(); n > MaxSize {
		return fmt.Errorf("golden inputs of %d MiB, the limit is %d MiB", n>>20, MaxSize>>20)
	}
	return nil
}

// checkPixels refuses golden inputs that the network cannot read, or that are not what they state.
func (b *Bundle) checkPixels() error {
	for i, g := range b.Golden {
		if len(g.Pix) != b.Spec.Size() {
			return fmt.Errorf("golden input %d has %d bytes, want %d", i+1, len(g.Pix), b.Spec.Size())
		}
		if g.Seed != 0 && !bytes.Equal(g.Pix, Draw(g.Seed, b.Spec.Width, b.Spec.Height)) {
			return fmt.Errorf("golden input %d is not the drawing of its seed", i+1)
		}
		if g.Packed != nil {
			return fmt.Errorf("golden input %d is packed in a file of version 1", i+1)
		}
	}
	return nil
}
