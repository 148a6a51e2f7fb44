package dataset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"tirewatch/internal/each"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/frame"
	"tirewatch/vision/imagefile"
	"tirewatch/vision/preprocess"
)

// Image is a photograph with the pixels that the network sees.
type Image struct {
	Item
	Pix pixels.Image
}

// Reading is the result of one pass over the files of a set. Later changes of the files do not
// affect it.
type Reading struct {
	Fingerprint string // as from Set.Fingerprint, computed from the bytes that were read
	// one error per training or validation image that cannot be read; such images are left out
	Bad []error

	set        *Set
	train, val []photo
}

// ErrChanged marks a file that was written to while the set was read.
var ErrChanged = errors.New("the file changed while the data set was read; " +
	"wait until copying has finished, then start again")

// Read reads the training and validation images for spec into store, each file once and in
// parallel. progress may be nil; its calls do not overlap. Errors: ErrChanged, that of ctx, that of
// an invalid spec, and those of the store.
func (s *Set) Read(ctx context.Context, spec preprocess.Spec, store *pixels.Store,
	progress func(done, total int)) (*Reading, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	photos, err := survey(ctx, append(s.Train[:len(s.Train):len(s.Train)], s.Val...), func(p *photo, f *frame.Frame) error {
		if len(s.Val) == 0 { // Validation will split the set
			examine(p, f)
		}
		return p.keep(f, spec, store)
	}, progress)
	if err != nil {
		return nil, err
	}
	r := &Reading{set: s, train: photos[:len(s.Train)], val: photos[len(s.Train):]}
	for _, p := range photos {
		if p.err != nil {
			r.Bad = append(r.Bad, p.err)
		}
	}
	test := make([]photo, len(s.Test))
	err = parallel(ctx, len(test), nil, func(i int) error {
		test[i].item = s.Test[i]
		test[i].size, test[i].sum, _ = hashFile(s.Test[i].Path) // as in Set.Fingerprint
		return nil
	})
	r.Fingerprint = s.fingerprint(append(photos, test...))
	return r, err
}

// Validation holds back a share of the training images for validation. Near-duplicates stay on one
// side, and both classes keep their proportion. The same seed gives the same images. A set with a
// validation folder keeps it unchanged. progress reports the search for near-duplicates and may be
// nil. Errors: ErrTooFew when a class cannot be on both sides, and that of ctx.
func (r *Reading) Validation(ctx context.Context, seed uint64, share float64,
	progress func(done, total int)) (train, val []Image, err error) {
	if len(r.set.Val) > 0 {
		return images(r.train), images(r.val), nil
	}
	d, err := divide(ctx, r.train, seed, share, progress)
	if err != nil {
		return nil, nil, fmt.Errorf("split off validation images of %s: %w", r.set.Dir, err)
	}
	held := make(map[string]bool, len(d.Hold))
	for _, it := range d.Hold {
		held[it.Path] = true
	}
	for _, im := range images(r.train) {
		if held[im.Path] {
			val = append(val, im)
		} else {
			train = append(train, im)
		}
	}
	return train, val, nil
}

// images returns the photos that could be read.
func images(photos []photo) []Image {
	out := make([]Image, 0, len(photos))
	for _, p := range photos {
		if p.err == nil {
			out = append(out, Image{p.item, p.pix})
		}
	}
	return out
}

// Load reads images of the set for spec into store, each file once and in parallel. Files that
// cannot be read are left out, and bad has one error for each. The others keep their order.
// progress may be nil; its calls do not overlap.
//
// Errors: ErrChanged, also when a file differs from an earlier Fingerprint; that of ctx, that of an
// invalid spec, and those of the store.
func (s *Set) Load(ctx context.Context, items []Item, spec preprocess.Spec, store *pixels.Store,
	progress func(done, total int)) (loaded []Image, bad []error, err error) {
	if err := spec.Validate(); err != nil {
		return nil, nil, err
	}
	photos, err := survey(ctx, items, func(p *photo, f *frame.Frame) error { return p.keep(f, spec, store) }, progress)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range photos {
		if sum, ok := s.sums[p.item.Path]; ok && sum != p.sum {
			return nil, nil, fmt.Errorf("%s: %w", p.item.Path, ErrChanged)
		}
		if p.err != nil {
			bad = append(bad, p.err)
		}
	}
	return images(photos), bad, nil
}

// photo is the result of reading an image file once.
type photo struct {
	item   Item
	sum    [sha256.Size]byte // SHA-256 of the file
	size   int64             // bytes
	err    error             // why it cannot be read
	width  int               // px
	height int               // px
	light  float64           // mean grey value, 0 to 255; set together with look
	// nil when the image cannot be read, or when no comparison is planned
	look *look
	pix  pixels.Image // network input, when it was requested
}

// survey reads all images, in parallel and in order. It passes each readable one to see, which adds
// the needed data to the photo. Errors of damaged files are stored in their photos. Errors of see,
// of a file that changes, and the end of ctx end the survey.
func survey(ctx context.Context, items []Item, see func(p *photo, f *frame.Frame) error,
	progress func(done, total int)) ([]photo, error) {
	photos := make([]photo, len(items))
	err := parallel(ctx, len(items), progress, func(i int) error {
		p := &photos[i]
		p.item = items[i]
		h := sha256.New()
		f, size, err := readFile(items[i].Path, h)
		if errors.Is(err, ErrChanged) {
			return err
		}
		if size >= 0 { // otherwise the size counts as 0, as in Set.Fingerprint
			p.size = size
			h.Sum(p.sum[:0])
		}
		if p.err = err; err != nil {
			return nil
		}
		p.width, p.height = f.Width, f.Height
		return see(p, f)
	})
	return photos, err
}

// examine adds the data for the search for near-duplicates.
func examine(p *photo, f *frame.Frame) error {
	if p.look, p.err = newLook(f); p.err == nil {
		p.light = p.look.light
	}
	return nil
}

// keep preprocesses the image and stores the result.
func (p *photo) keep(f *frame.Frame, spec preprocess.Spec, store *pixels.Store) (err error) {
	if p.err != nil {
		return nil
	}
	pix := make([]byte, spec.Size())
	if p.err = spec.Apply(pix, f, f.Bounds()); p.err != nil {
		return nil
	}
	p.pix, err = store.Put(pix)
	return err
}

// readFile decodes an image file in grey and hashes all of it. size is -1 when the file could not
// be read to its end. A damaged image has a size and a hash too.
func readFile(path string, h hash.Hash) (f *frame.Frame, size int64, err error) {
	// Stat comes first because opening a named pipe waits for a writer.
	before, err := os.Stat(path)
	if err != nil {
		return nil, -1, fmt.Errorf("read image: %w", err)
	}
	if !before.Mode().IsRegular() {
		return nil, -1, fmt.Errorf("%s: %w: it is not a regular file; name an image file", path, imagefile.ErrNotImage)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, -1, fmt.Errorf("read image: %w", err)
	}
	defer file.Close()
	if before, err = file.Stat(); err != nil {
		return nil, -1, fmt.Errorf("read image: %w", err)
	}
	r := io.TeeReader(file, h)
	f, err = imagefile.DecodeGray(r, path)
	// the rest of the file, when it is too large to decode
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, -1, fmt.Errorf("read image %s: %w", path, err)
	}
	// Half of an old and half of a new photograph may decode without an error.
	after, statErr := file.Stat()
	if statErr != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return nil, -1, fmt.Errorf("%s: %w", path, errors.Join(ErrChanged, statErr))
	}
	return f, after.Size(), err
}

// parallel calls do(0) .. do(n-1) on all processors. After all calls have ended, it returns the
// first error or that of ctx.
func parallel(ctx context.Context, n int, progress func(done, total int), do func(i int) error) error {
	stateless := func() (struct{}, error) { return struct{}{}, nil }
	return each.Run(ctx, n, stateless, func(_ struct{}, i int) error { return do(i) }, nil, func(done int) {
		if progress != nil {
			progress(done, n)
		}
	})
}
