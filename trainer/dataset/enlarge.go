package dataset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"tirewatch/internal/durable"
	"tirewatch/internal/each"
	"tirewatch/vision/frame"
	"tirewatch/vision/imagefile"
)

// ErrTestPart marks a folder that is the testing or validation side of a data set. Test images must
// be real photographs, so they are never changed. The error is a *TestPartError.
var ErrTestPart = errors.New("test images are never augmented")

// TestPartError names the folder and its side.
type TestPartError struct {
	Dir  string
	Part string // PartVal or PartTest
}

func (e *TestPartError) Error() string {
	return fmt.Sprintf("%s is a %s folder: %v", e.Dir, e.Part, ErrTestPart)
}

func (e *TestPartError) Is(target error) bool { return target == ErrTestPart }

// Variant makes copy number k, counted from 1, of an image. It returns the content of the new file
// and its extension, such as ".jpg". name is the image's path below Set.Dir.
type Variant func(f *frame.Frame, name string, k int) (data []byte, ext string, err error)

// Enlarged is the result of Enlarge.
type Enlarged struct {
	Copied map[string][2]int // copied images, by part and Class
	Made   [2]int            // variants of training images, by Class
	Bad    []error           // one error per training image that cannot be read; such images are left out

	unread map[string]bool // paths of the images in Bad
}

// Enlarge writes the set to dst, with copies-1 variants of each training image:
//
//	dst/training/{crack,normal}  with photo.jpg, photo~aug1.jpg, photo~aug2.jpg ...
//	dst/testing, dst/validation  copied unchanged, if the set has them
//	dst/manifest.csv             with the groups of the originals, if Group found some
//
// Splits recognise these names and keep an image and its variants on one side. The set itself is
// only read. dst must be missing or an empty folder outside the set. After an error it is
// unchanged. Errors: ErrTestPart when the set is itself the testing or validation side of another,
// ErrNotEmpty, those of ctx, of variant and of the file system.
func (s *Set) Enlarge(ctx context.Context, dst string, copies int, variant Variant,
	progress func(done, total int)) (*Enlarged, error) {
	if err := refuseTestPart(s.Dir); err != nil {
		return nil, err
	}
	if copies < 2 {
		return nil, fmt.Errorf("enlarge %s: factor %d, want at least 2", s.Dir, copies)
	}
	if err := checkTarget(s.Dir, dst); err != nil {
		return nil, err
	}
	e := &Enlarged{Copied: make(map[string][2]int), unread: make(map[string]bool)}
	err := build(dst, func(temp string) error {
		for _, p := range s.Parts() {
			dir := filepath.Join(temp, p.Name)
			if p.Name == PartTrain {
				if err := s.enlarge(ctx, dir, copies, variant, e, progress); err != nil {
					return err
				}
				continue
			}
			if err := writePart(ctx, dir, p.Items, false); err != nil {
				return err
			}
			e.Copied[p.Name] = Count(p.Items)
		}
		return s.writeManifest(temp, s.Parts(), e.unread)
	})
	if err != nil {
		return nil, fmt.Errorf("write data set %s: %w", dst, err)
	}
	return e, nil
}

// enlarge writes the training side to dir.
func (s *Set) enlarge(ctx context.Context, dir string, copies int, variant Variant, e *Enlarged,
	progress func(done, total int)) error {
	if err := makeClassFolders(dir); err != nil {
		return err
	}
	paths, bad := placesIn(dir, s.Train), make([]error, len(s.Train))
	write := func(_ struct{}, i int) error {
		f, err := imagefile.Read(s.Train[i].Path)
		if err != nil {
			bad[i] = err
			return nil
		}
		if err := copyFile(paths[i], s.Train[i].Path); err != nil {
			return err
		}
		for k := 1; k < copies; k++ {
			data, ext, err := variant(f, s.Rel(s.Train[i].Path), k)
			if err != nil {
				return fmt.Errorf("augment %s: %w", s.Train[i].Path, err)
			}
			stem := strings.TrimSuffix(paths[i], filepath.Ext(paths[i]))
			if err := durable.WriteFile(fmt.Sprintf("%s%s%d%s", stem, variantMark, k, ext), data, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	stateless := func() (struct{}, error) { return struct{}{}, nil }
	err := each.Run(ctx, len(paths), stateless, write, nil, func(done int) {
		if progress != nil {
			progress(done, len(paths))
		}
	})
	if err != nil {
		return err
	}
	var copied [2]int
	for i, it := range s.Train {
		if bad[i] != nil {
			e.Bad, e.unread[it.Path] = append(e.Bad, bad[i]), true
			continue
		}
		copied[it.Class]++
		e.Made[it.Class] += copies - 1
	}
	e.Copied[PartTrain] = copied
	return syncClassFolders(dir)
}

// refuseTestPart checks the folder's name, as given and with links resolved.
func refuseTestPart(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", dir, err)
	}
	real, err := realPath(dir)
	if err != nil {
		return err
	}
	for _, path := range []string{abs, real} {
		found, err := byMeaning(filepath.Dir(path), []string{filepath.Base(path)}, partNames)
		if err != nil {
			return err
		}
		for _, part := range []string{PartVal, PartTest} {
			if found[part] != "" {
				return &TestPartError{Dir: dir, Part: part}
			}
		}
	}
	return nil
}

// variantMark is part of the names of variants, before their number. Camera file names rarely
// contain "~".
const variantMark = "~aug"

// origin returns the path, without extension, of the image that a variant was made from. For other
// images it is their own path.
func origin(path string) string {
	dir, name := filepath.Split(path)
	stem, _, _ := strings.Cut(strings.TrimSuffix(name, filepath.Ext(name)), variantMark)
	return dir + stem
}

// isVariant reports by its name whether an image was made by Enlarge.
func isVariant(path string) bool { return strings.Contains(filepath.Base(path), variantMark) }

// families pairs each variant with its origin, so that a split keeps them together. An image turned
// by 30 degrees is not found as a near-duplicate, but it shows the same crack.
func families(photos []photo) []pair {
	var found []pair
	first := make(map[string]int)
	for i, p := range photos {
		o := origin(p.item.Path)
		if a, ok := first[o]; !ok {
			first[o] = i
		} else if isVariant(photos[a].item.Path) || isVariant(p.item.Path) {
			found = append(found, pair{a: a, b: i, overlap: overlap{corr: 1}, made: true})
		}
	}
	return found
}
