package camera

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"tirewatch/vision/frame"
	"tirewatch/vision/imagefile"
)

// folder returns the images of a folder in the order of their names, each once.
type folder struct {
	dir     string
	names   []string // images not read yet
	read    func(path string) (*frame.Frame, error)
	skipped func(path string, err error)
	seq     uint64 // frames returned
	missed  int    // images that could not be read
}

func openFolder(dir string, colour bool, skipped func(path string, err error)) (*folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, openError(Location{Folder, dir}, err)
	}
	// locators, networks and the page use grey values only, and reading them takes less time
	s := &folder{dir: dir, read: imagefile.ReadGray, skipped: skipped}
	if colour {
		s.read = imagefile.Read
	}
	for _, e := range entries {
		if !e.IsDir() && imagefile.IsImageName(e.Name()) {
			s.names = append(s.names, e.Name())
		}
	}
	if len(s.names) == 0 {
		return nil, openError(Location{Folder, dir}, ErrNoImages)
	}
	return s, nil
}

// Next returns the next image that can be read. The others are reported and skipped: one damaged
// photograph does not end a run.
func (s *folder) Next(ctx context.Context) (*frame.Frame, error) {
	for len(s.names) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		path := filepath.Join(s.dir, s.names[0])
		s.names = s.names[1:]
		f, err := s.read(path)
		if err != nil {
			s.missed++
			if s.skipped != nil {
				s.skipped(path, err)
			}
			continue
		}
		s.seq++
		f.Seq, f.Time = s.seq, time.Now().UTC()
		return f, nil
	}
	if s.seq == 0 {
		return nil, fmt.Errorf("read folder %s: %w: none of its %d files can be read", s.dir, ErrNoImages, s.missed)
	}
	return nil, io.EOF
}

func (s *folder) Close() error { return nil }
