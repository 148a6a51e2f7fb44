package web

import (
	"bytes"
	"image"
	"image/jpeg"
	"sync"
)

// recent holds the crops of the last verdicts while somebody looks: the journal keeps those of
// rejected tires only.
type recent struct {
	mu    sync.Mutex
	crops [keptCrops]recentCrop // guarded by mu; a ring by number
}

// keptCrops is how many of the last verdicts have a picture.
const keptCrops = 24

type recentCrop struct {
	seq   uint64
	pix   []byte
	width int
}

func (r *recent) add(seq uint64, pix []byte, width int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.crops[seq%keptCrops]
	c.seq, c.pix, c.width = seq, append(c.pix[:0], pix...), width
}

// jpeg is the picture of a verdict, nil when it is not here.
func (r *recent) jpeg(seq uint64) []byte {
	r.mu.Lock()
	c := r.crops[seq%keptCrops]
	if c.seq != seq || c.width == 0 || len(c.pix) == 0 {
		r.mu.Unlock()
		return nil
	}
	pix := bytes.Clone(c.pix)
	r.mu.Unlock()
	var out bytes.Buffer
	img := &image.Gray{Pix: pix, Stride: c.width, Rect: image.Rect(0, 0, c.width, len(pix)/c.width)}
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 85}); err != nil {
		// a buffer takes everything, and the size is a picture's
		panic("internal error: " + err.Error())
	}
	return out.Bytes()
}
