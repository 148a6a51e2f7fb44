// Package pixels stores preprocessed images while a command runs: as many as fit in memory, the
// others in a file.
//
//	images -> preprocess -> PIXELS -> augment -> train
//
// 20,000 images of the thesis' size are 2.9 GB. They are read from the file in random order, by
// system calls into the reader's own buffer. The kernel caches the file in free memory, and the
// program stays small. The file is not mapped: a mapping would count as the program's memory and
// turn a read error into a crash.
//
// Start with [NewStore] and [Store.Put], which returns an Image, and [Image.Load]. [Of] makes an
// Image from bytes in memory.
package pixels

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"tirewatch/internal/durable"
)

// Image is one preprocessed image, in memory or in a file. The zero value is an image of no bytes.
type Image struct {
	bytes []byte   // the image, when it is in memory
	file  *os.File // otherwise its file and offset
	at    int64
	size  int
}

// Of makes an image in memory. The bytes are not copied.
func Of(pix []byte) Image { return Image{bytes: pix, size: len(pix)} }

// Size returns the number of bytes.
func (im Image) Size() int { return im.size }

// Load returns the bytes, which the caller must not change. They are in buf or in shared memory. A
// buf of Size bytes is always enough; with a shorter one, such as nil, Load allocates. Load is safe
// for concurrent use.
func (im Image) Load(buf []byte) ([]byte, error) {
	if im.file == nil {
		return im.bytes, nil
	}
	if len(buf) < im.size {
		buf = make([]byte, im.size)
	}
	buf = buf[:im.size]
	if _, err := im.file.ReadAt(buf, im.at); err != nil {
		return nil, fmt.Errorf("read back a preprocessed image: %w", err)
	}
	return buf, nil
}

// Memory is how many bytes of images a command keeps in memory: nearly 2,000 images of the thesis'
// size, which is more than a usual set has.
const Memory = 256 << 20

// Store stores images. It is safe for concurrent use.
type Store struct {
	dir string

	mu     sync.Mutex // guards all below
	memory int64      // bytes that may still be kept in memory
	excess int64      // bytes of all images that are not in memory, for FullError
	file   *os.File   // nil before the first image that does not fit
	end    int64      // of file
}

// NewStore makes a store for count images of size bytes each. Images that do not fit into memory
// bytes go to a file in dir; the default is the folder for temporary files. The file has no name,
// so nothing remains of it, however the program ends.
func NewStore(dir string, memory int64, count, size int) *Store {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Store{dir: dir, memory: memory, excess: int64(count) * int64(size)}
}

// FullError says that the disk has no space for the images.
type FullError struct {
	Dir  string
	Need int64 // bytes of all images that do not fit in memory
	Err  error
}

func (e *FullError) Error() string {
	return fmt.Sprintf("store preprocessed images in %s: they need %d MB there: %v",
		e.Dir, (e.Need+999_999)/1_000_000, e.Err)
}

func (e *FullError) Unwrap() error { return e.Err }

// Put stores an image. The store owns its bytes afterwards.
func (s *Store) Put(pix []byte) (Image, error) {
	file, at, err := s.place(len(pix))
	if err != nil {
		return Image{}, fmt.Errorf("store preprocessed images in %s: %w", s.dir, err)
	}
	if file == nil {
		return Of(pix), nil
	}
	if _, err := file.WriteAt(pix, at); errors.Is(err, syscall.ENOSPC) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return Image{}, &FullError{Dir: s.dir, Need: s.excess, Err: syscall.ENOSPC}
	} else if err != nil {
		return Image{}, fmt.Errorf("store preprocessed images in %s: %w", s.dir, err)
	}
	return Image{file: file, at: at, size: len(pix)}, nil
}

// place reserves space for n bytes: in memory when file is nil, otherwise in the file.
func (s *Store) place(n int) (file *os.File, at int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int64(n) <= s.memory {
		s.memory -= int64(n)
		s.excess -= int64(n)
		return nil, 0, nil
	}
	if s.file == nil {
		if s.file, err = durable.Nameless(s.dir); err != nil {
			return nil, 0, err
		}
	}
	at = s.end
	s.end += int64(n)
	return s.file, at, nil
}

// Close releases the file. Images in it can no longer be loaded.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
