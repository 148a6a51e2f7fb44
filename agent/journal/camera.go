package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tirewatch/agent/review"
)

// A camera picture belongs to a crop and exists only beside it: it is stored after the crop and
// deleted before it. The size limit counts both.

// SaveCamera stores the camera's picture for a crop that is stored already. It may be called from
// any goroutine. If the crop was deleted meanwhile, the picture is not kept.
func (j *Journal) SaveCamera(seq uint64, jpeg []byte) error {
	path := j.cameraPath(seq)
	// without cropMu: a slow card must not delay the crop of the next tire
	if err := j.env.writeFile(path, jpeg, 0o640); err != nil {
		return fmt.Errorf("save the camera picture of verdict %d: %w", seq, explainFile(err))
	}
	j.cropMu.Lock()
	defer j.cropMu.Unlock()
	for i := range j.cropFolders {
		if j.cropFolders[i].setCamera(seq, int64(len(jpeg))) {
			return nil
		}
	}
	if _, err := j.reviewQueue().Picture(seq); !errors.Is(err, review.ErrGone) {
		return nil // a person has just labelled it; the next listing counts it
	}
	return os.Remove(path)
}

// Camera returns the camera's picture of a verdict as JPEG. The error is fs.ErrNotExist if there is
// none.
func (j *Journal) Camera(seq uint64) ([]byte, error) { return os.ReadFile(j.cameraPath(seq)) }

func (j *Journal) cameraPath(seq uint64) string {
	return filepath.Join(j.cropsDir(), review.CameraFolder, review.CameraName(seq))
}

// reviewQueue returns the folder of crops as a queue.
func (j *Journal) reviewQueue() *review.Queue { return review.Open(j.cropsDir(), j.station, "") }

// setCamera stores the size of the camera picture of a crop and reports whether the folder has the
// crop.
func (s *cropFolder) setCamera(seq uint64, size int64) bool {
	i, found := s.find(seq)
	if found {
		s.bytes += size - s.crops[i].camera
		s.crops[i].camera = size
	}
	return found
}

// cameraSizes lists the camera pictures with their sizes in bytes.
func (j *Journal) cameraSizes() (map[uint64]int64, error) {
	entries, err := os.ReadDir(filepath.Join(j.cropsDir(), review.CameraFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	sizes := make(map[uint64]int64, len(entries))
	for _, e := range entries {
		seq, ok := review.ParseCameraName(e.Name())
		if info, err := e.Info(); ok && err == nil {
			sizes[seq] = info.Size()
		}
	}
	return sizes, nil
}

// dropOrphans deletes the camera pictures without a crop: a person or a crash deleted the crop. The
// caller holds cropMu.
func (j *Journal) dropOrphans() error {
	sizes, err := j.cameraSizes()
	if err != nil {
		return err
	}
	for i := range j.cropFolders {
		for _, c := range j.cropFolders[i].crops {
			delete(sizes, c.seq)
		}
	}
	q := j.reviewQueue()
	for seq := range sizes { // few; a person may have moved the crop during the listing
		if _, err := q.Picture(seq); errors.Is(err, review.ErrGone) {
			if err := os.Remove(j.cameraPath(seq)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeCrop deletes a crop of a folder, after its camera picture. A person may have deleted
// either.
func (j *Journal) removeCrop(folder string, seq uint64) error {
	for _, path := range []string{j.cameraPath(seq), filepath.Join(j.cropsDir(), folder, review.FileName(seq))} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
