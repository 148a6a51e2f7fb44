package dataset

import (
	"context"

	"tirewatch/trainer/each"
	"tirewatch/vision/imagefile"
	"tirewatch/vision/preprocess"
)

// LoadPixels reads and preprocesses the images, whole and in parallel: pix[i] is kept[i] as spec.Size() bytes for the
// network. Files that cannot be read are left out, each with an error in bad that names it; the rest keep their order,
// whatever the number of processors. progress may be nil; its calls do not overlap.
//
// err is the context's when it ends early, or that of a spec which cannot be carried out.
func LoadPixels(ctx context.Context, items []Item, spec preprocess.Spec, progress func(done, total int)) (pix [][]byte, bad []error, kept []Item, err error) {
	if err := spec.Validate(); err != nil {
		return nil, nil, nil, err
	}
	all := make([][]byte, len(items))
	errs := make([]error, len(items))
	err = parallel(ctx, len(items), progress, func(i int) {
		all[i], errs[i] = loadOne(items[i].Path, spec)
	})
	if err != nil {
		return nil, nil, nil, err
	}
	for i, it := range items {
		if errs[i] != nil {
			bad = append(bad, errs[i])
			continue
		}
		pix, kept = append(pix, all[i]), append(kept, it)
	}
	return pix, bad, kept, nil
}

func loadOne(path string, spec preprocess.Spec) ([]byte, error) {
	f, err := imagefile.Read(path)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, spec.Size())
	return dst, spec.Apply(dst, f, f.Bounds())
}

// parallel calls do(0) .. do(n-1) on all processors. It returns when all calls have ended, early when ctx ends.
func parallel(ctx context.Context, n int, progress func(done, total int), do func(i int)) error {
	stateless := func() (struct{}, error) { return struct{}{}, nil }
	one := func(_ struct{}, i int) error { do(i); return nil }
	return each.Run(ctx, n, stateless, one, nil, func(done int) {
		if progress != nil {
			progress(done, n)
		}
	})
}
