package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Fingerprint returns 64 hex digits that identify the content of the set, so that a checkpoint can
// name its training data. It covers part, class, path below Dir, size and SHA-256 of every image,
// and nothing else. So a copy of the folder has the same fingerprint; changing, renaming,
// relabelling or moving one image changes it. Files that cannot be opened count by name alone,
// because damaged files are part of the set too. progress may be nil. Later calls of Load compare
// the files with this state.
//
// The hashed bytes are, for each image in the order of Parts:
//
//	length of part (8, little-endian), part, class (1), length of path (8), path with "/",
//	size (8), SHA-256 of content (32)
func (s *Set) Fingerprint(ctx context.Context, progress func(done, total int)) (string, error) {
	var photos []photo
	for _, p := range s.Parts() {
		for _, it := range p.Items {
			photos = append(photos, photo{item: it})
		}
	}
	err := parallel(ctx, len(photos), progress, func(i int) error {
		// An error means an unreadable file, which counts as one of size 0.
		photos[i].size, photos[i].sum, _ = hashFile(photos[i].item.Path)
		return nil
	})
	if err != nil {
		return "", err
	}
	s.sums = make(map[string][sha256.Size]byte, len(photos))
	for _, p := range photos {
		s.sums[p.item.Path] = p.sum
	}
	return s.fingerprint(photos), nil
}

// fingerprint is Fingerprint for photos, which are all images of the set in the order of Parts.
func (s *Set) fingerprint(photos []photo) string {
	h := sha256.New()
	var b []byte
	for _, part := range s.Parts() {
		for _, p := range photos[:len(part.Items)] {
			rel := s.Rel(p.item.Path)
			b = binary.LittleEndian.AppendUint64(b[:0], uint64(len(part.Name)))
			b = append(b, part.Name...)
			b = append(b, byte(p.item.Class))
			b = binary.LittleEndian.AppendUint64(b, uint64(len(rel)))
			b = append(b, rel...)
			b = binary.LittleEndian.AppendUint64(b, uint64(p.size))
			b = append(b, p.sum[:]...)
			h.Write(b)
		}
		photos = photos[len(part.Items):]
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Rel returns a path below Dir with "/". Reports use this form on every system.
func (s *Set) Rel(path string) string {
	rel, err := filepath.Rel(s.Dir, path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	return filepath.ToSlash(rel)
}

// hashFile reads the file once and returns its size and SHA-256.
func hashFile(path string) (size int64, sum [sha256.Size]byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, sum, err
	}
	if !info.Mode().IsRegular() {
		return 0, sum, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, sum, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	if err != nil {
		return 0, [sha256.Size]byte{}, fmt.Errorf("read %s: %w", path, err)
	}
	h.Sum(sum[:0])
	return size, sum, nil
}
