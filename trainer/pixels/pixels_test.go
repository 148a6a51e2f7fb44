package pixels_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"tirewatch/trainer/pixels"
)

func noise(rng *rand.Rand, n int) []byte {
	pix := make([]byte, n)
	for i := range pix {
		pix[i] = byte(rng.Uint32())
	}
	return pix
}

// Images are read back unchanged from memory and from the file. The file leaves no name in the
// folder.
func TestStore(t *testing.T) {
	const count, size = 100, 1000
	for name, memory := range map[string]int64{"all in the file": 0, "half": count * size / 2, "all in memory": count * size} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := pixels.NewStore(dir, memory, count, size)
			defer s.Close()
			want, images := make([][]byte, count), make([]pixels.Image, count)
			for i := range want {
				want[i] = noise(rand.New(rand.NewPCG(uint64(i), 0)), size)
			}
			var wg sync.WaitGroup
			for k := range 4 {
				wg.Go(func() {
					for i := k; i < count; i += 4 {
						var err error
						if images[i], err = s.Put(bytes.Clone(want[i])); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			inBuf := 0
			buf := make([]byte, size+7)
			for i, im := range images {
				got, err := im.Load(buf)
				if err != nil || !bytes.Equal(got, want[i]) || im.Size() != size {
					t.Fatalf("image %d changed (%v)", i, err)
				}
				if &got[0] == &buf[0] {
					inBuf++
				}
				if got, err := im.Load(nil); err != nil || !bytes.Equal(got, want[i]) {
					t.Fatalf("image %d changed when loaded without a buffer (%v)", i, err)
				}
			}
			if inFile := count - int(memory)/size; inBuf != inFile {
				t.Errorf("%d images were read into the buffer, want %d", inBuf, inFile)
			}
			if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
				t.Errorf("%v is left in the folder (%v)", names, err)
			}
		})
	}
}

func TestLoadDoesNotAllocate(t *testing.T) {
	s := pixels.NewStore(t.TempDir(), 0, 1, 1000)
	defer s.Close()
	im, err := s.Put(make([]byte, 1000))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() { im.Load(buf) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// After Close, loading an image from the file returns an error, not wrong bytes.
func TestLoadAfterClose(t *testing.T) {
	s := pixels.NewStore(t.TempDir(), 0, 1, 10)
	im, err := s.Put(make([]byte, 10))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := im.Load(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestNoFolder(t *testing.T) {
	dir := t.TempDir() + "/missing"
	if _, err := pixels.NewStore(dir, 0, 1, 10).Put(make([]byte, 10)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := pixels.NewStore(dir, 10, 1, 10).Put(make([]byte, 10)); err != nil {
		t.Errorf("an image that fits in memory needs no folder: %v", err)
	}
}
