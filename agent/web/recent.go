package web

import (
	"bytes"
	"image"
	"image/jpeg"
	"sync"
)

// recent keeps the crops of the latest verdicts in memory while a browser shows the page. The
// journal keeps the crops of rejected tires only.
type recent struct {
	mu    sync.Mutex
	crops [keptCrops]recentCrop // guarded by mu; a ring: seq modulo keptCrops
}

// keptCrops is how many of the latest verdicts have a crop.
const keptCrops = 24

type recentCrop struct {
	seq   uint64
	pix   []byte // grey, rows of width px
	width int    // px
}

func (r *recent) add(seq uint64, pix []byte, width int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.crops[seq%keptCrops]
	c.seq, c.pix, c.width = seq, append(c.pix[:0], pix...), width
}

// jpeg returns the crop of a verdict, or nil if it is not kept.
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
		// a buffer accepts every write, and a crop is within the size limit of JPEG
		panic("internal error: " + err.Error())
	}
	return out.Bytes()
}
