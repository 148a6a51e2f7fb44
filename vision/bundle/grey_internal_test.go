package bundle

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// pictures are pixels that try the borders of the code.
func pictures() map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, pixel func(i int) byte) []byte {
		pix := make([]byte, n)
		for i := range pix {
			pix[i] = pixel(i)
		}
		return pix
	}
	return map[string][]byte{
		"one pixel":    {200},
		"black":        draw(420, func(int) byte { return 0 }),
		"white":        draw(420, func(int) byte { return 255 }),
		"noise":        draw(420, func(int) byte { return byte(rng.Uint32()) }),
		"noise of two": draw(420, func(int) byte { return byte(rng.IntN(2) * 255) }),
		"a ramp":       draw(420, func(i int) byte { return byte(i) }),
		"steps of 128": draw(420, func(i int) byte { return byte(i % 2 * 128) }),
		"flat, then a surprise": draw(2100, func(i int) byte { // the escape of the code
			if i < 2000 {
				return 7
			}
			return byte(rng.Uint32())
		}),
		"a drawing": Draw(3, 60, 42),
	}
}

func TestPack(t *testing.T) {
	for name, pix := range pictures() {
		for _, width := range []int{1, 2, 3, 21, 60, len(pix)} {
			if len(pix)%width != 0 {
				continue
			}
			code := pack(pix, width)
			got, err := unpack(code, len(pix), width)
			if err != nil || !bytes.Equal(got, pix) {
				t.Errorf("%s, width %d: %v", name, width, err)
			}
			if max := len(pix)*5 + 4; len(code) > max { // 24 ones and 8 bits are 4 bytes
				t.Errorf("%s, width %d: %d bytes, want at most %d", name, width, len(code), max)
			}
		}
	}
	if n := len(pack(make([]byte, 8000), 80)); n > 1100 {
		t.Errorf("8000 black pixels take %d bytes, want a bit for each", n)
	}
}

// A code that is too short or too long is refused, and so is one whose last byte is filled with
// ones. No code needs more memory than its pixels.
func TestUnpackRefuses(t *testing.T) {
	pix := Draw(1, 20, 21)
	code := pack(pix, 20)
	for n := range code {
		if _, err := unpack(code[:n], len(pix), 20); !errors.Is(err, errPacked) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(code), err)
		}
	}
	for name, data := range map[string][]byte{
		"a byte after the end":        append(bytes.Clone(code), 0),
		"a last byte with other bits": append(bytes.Clone(code[:len(code)-1]), code[len(code)-1]|1),
	} {
		if _, err := unpack(data, len(pix), 20); !errors.Is(err, errPacked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := testing.AllocsPerRun(5, func() { unpack(code, math.MaxInt, 1) }); n > 0 {
		t.Errorf("a few bytes for %d pixels: %v allocations", math.MaxInt, n)
	}
}

// The format's drawing never changes: every bundle has the sums for it.
func TestDraw(t *testing.T) {
	pix := Draw(1, 40, 33)
	if len(pix) != 40*33 {
		t.Fatalf("%d pixels", len(pix))
	}
	if got := checksum(pix); got != drawn {
		t.Errorf("the drawing has the checksum %#x, want %#x", got, drawn)
	}
	if bytes.Equal(pix, Draw(2, 40, 33)) {
		t.Error("two seeds draw the same")
	}
	low, high := 255, 0
	for _, v := range Draw(1, 224, 224) {
		low, high = min(low, int(v)), max(high, int(v))
	}
	if low > 20 || high < 235 {
		t.Errorf("the drawing has values from %d to %d", low, high)
	}
}

// drawn is the checksum of the drawing when the format was new.
const drawn = 0x619bb615abb0ad6c

func checksum(pix []byte) (sum uint64) {
	for i, v := range pix {
		sum = sum*31 + uint64(v)*uint64(i+1)
	}
	return sum
}

func FuzzUnpack(f *testing.F) {
	for _, pix := range pictures() {
		f.Add(pack(pix, 1), len(pix), 1)
	}
	f.Fuzz(func(t *testing.T, data []byte, n, width int) {
		n, width = n&0xffff, width&0xff+1
		pix, err := unpack(data, n, width)
		if err != nil {
			return
		}
		again, err := unpack(pack(pix, width), n, width)
		if len(pix) != n || err != nil || !bytes.Equal(again, pix) {
			t.Errorf("%d pixels, packed again: %v", len(pix), err)
		}
	})
}
