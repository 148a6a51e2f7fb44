package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tirewatch/internal/durable"
)

// ErrNotEmpty says that the folder for a new data set is not empty.
var ErrNotEmpty = errors.New("folder is not empty")

// SplitOptions are the options of Split.
type SplitOptions struct {
	Seed uint64
	Test float64 // share of each class held back for testing, between 0 and 1
	Link bool    // make hard links instead of copies
}

// Split divides all images of the set, from all sides, and writes a new data set to dst:
//
//	dst/training/{crack,normal}  dst/testing/{crack,normal}
//	dst/manifest.csv             with the groups, if Group found some
//
// The set itself is only read. dst must be missing or an empty folder outside the set. After an
// error dst is unchanged. Files that cannot be read are left out and named in the result. Variants
// made by Enlarge are left out of testing. Errors: ErrNotEmpty, ErrTooFew, those of ctx and of the
// file system.
func (s *Set) Split(ctx context.Context, dst string, o SplitOptions,
	progress func(done, total int)) (*Division, error) {
	if err := checkTarget(s.Dir, dst); err != nil {
		return nil, err
	}
	var items []Item
	for _, p := range s.Parts() {
		items = append(items, p.Items...)
	}
	d, err := Divide(ctx, items, o.Seed, o.Test, progress)
	if err != nil {
		return nil, fmt.Errorf("split %s: %w", s.Dir, err)
	}
	// their original photograph is there too
	d.Hold = slices.DeleteFunc(d.Hold, func(it Item) bool { return isVariant(it.Path) })
	if err := s.write(ctx, dst, d, o.Link); err != nil {
		return nil, fmt.Errorf("write data set %s: %w", dst, err)
	}
	return d, nil
}

// checkTarget refuses a dst that is not empty or is inside src.
func checkTarget(src, dst string) error {
	entries, err := os.ReadDir(dst)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("write data set: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("write data set %s: %w; name a new folder", dst, ErrNotEmpty)
	}
	realSrc, err := realPath(src)
	if err != nil {
		return err
	}
	realParent, err := realPath(filepath.Dir(filepath.Clean(dst)))
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(realSrc, filepath.Join(realParent, filepath.Base(dst)))
	if err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return fmt.Errorf("write data set %s: it is inside %s; name a folder outside of it", dst, src)
	}
	return nil
}

func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	abs, err = filepath.EvalSymlinks(abs)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	return abs, nil
}

// write writes the divided set to dst.
func (s *Set) write(ctx context.Context, dst string, d *Division, link bool) error {
	sides := []Part{{PartTrain, d.Keep}, {PartTest, d.Hold}}
	return build(dst, func(temp string) error {
		for _, side := range sides {
			if err := writePart(ctx, filepath.Join(temp, side.Name), side.Items, link); err != nil {
				return err
			}
		}
		return s.writeManifest(temp, sides, nil)
	})
}

// build calls fill to write a data set into a temporary folder beside dst, and renames that to dst
// when it is complete.
func build(dst string, fill func(temp string) error) error {
	dst = filepath.Clean(dst)
	temp, err := os.MkdirTemp(filepath.Dir(dst), "."+filepath.Base(dst)+".unfinished-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // after the rename there is nothing to remove
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := fill(temp); err != nil {
		return err
	}
	if err := durable.SyncDir(temp); err != nil {
		return err
	}
	// dst may be an empty folder. Remove fails for any other.
	if err := os.Remove(dst); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(temp, dst); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(dst))
}

func writePart(ctx context.Context, dir string, items []Item, link bool) error {
	place := copyFile
	if link {
		place = linkFile
	}
	if err := makeClassFolders(dir); err != nil {
		return err
	}
	for i, path := range placesIn(dir, items) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := place(path, items[i].Path); err != nil {
			return err
		}
	}
	return syncClassFolders(dir)
}

// placesIn returns the new path of each image, below dir/crack or dir/normal.
func placesIn(dir string, items []Item) []string {
	paths, taken := make([]string, len(items)), make(map[string]bool)
	for i, it := range items {
		folder := filepath.Join(dir, it.Class.String())
		paths[i] = filepath.Join(folder, freeName(taken, folder, filepath.Base(it.Path)))
	}
	return paths
}

func makeClassFolders(dir string) error {
	for _, class := range Classes {
		if err := os.MkdirAll(filepath.Join(dir, class.String()), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func syncClassFolders(dir string) error {
	for _, class := range Classes {
		if err := durable.SyncDir(filepath.Join(dir, class.String())); err != nil {
			return err
		}
	}
	return durable.SyncDir(dir)
}

// freeName returns a name that is not taken in the folder, because photographs from several folders
// may have the same name: photo.jpg, photo-2.jpg. Names that differ only in case count as equal, as
// on some file systems.
func freeName(taken map[string]bool, folder, name string) string {
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for i := 2; taken[strings.ToLower(filepath.Join(folder, name))]; i++ {
		name = fmt.Sprintf("%s-%d%s", stem, i, ext)
	}
	taken[strings.ToLower(filepath.Join(folder, name))] = true
	return name
}

func copyFile(dst, src string) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := durable.Create(dst, 0o644)
	if err != nil {
		return err
	}
	defer out.Abort()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("copy %s: %w", src, err)
	}
	return out.Commit()
}

func linkFile(dst, src string) error {
	whole, err := filepath.EvalSymlinks(src)
	if err != nil {
		return err
	}
	return os.Link(whole, dst)
}
