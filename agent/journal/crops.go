package journal

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tirewatch/agent/review"
	"tirewatch/internal/durable"
)

// A crop shows what the network saw of a tire. People use it to explain a verdict or to label it.
// Each crop is a file in the folder journal.db-crops and is durable before the row that names it,
// so a row never names a file that did not exist. A crop without a row is deleted at the next
// start. A missing crop is not an error: crops are deleted first when room is needed.
//
// People label crops by moving them into subfolders, with or without the agent (agent/review). A
// labelled crop needs no row and is deleted only when room is needed. camera.go stores the picture
// of the camera for a crop.

// cropFolder is one folder of crops.
type cropFolder struct {
	folder  string    // one of review.Folders
	changed time.Time // modification time of the folder when it was listed
	crops   []crop    // sorted by number
	bytes   int64     // of all crops and their camera pictures
}

// crop is one file of a cropFolder.
type crop struct {
	seq    uint64 // of the verdict; it is also the file name
	size   int64  // bytes
	camera int64  // bytes of the camera picture, 0 for none
}

// cropsForRoom is how many crops are deleted when an append finds the disk full: about a megabyte.
const cropsForRoom = 16

// CropFolder returns the folder of crops of the journal at path.
func CropFolder(path string) string { return path + "-crops" }

func (j *Journal) cropsDir() string { return CropFolder(j.path) }

// SaveCrop stores the crop of the next verdict to be appended and returns the value for its field
// Crop. A second call before that Append replaces the crop, so the same goroutine must save and
// append. After an error there is no crop; the verdict can still be appended.
func (j *Journal) SaveCrop(png []byte) (name string, err error) { return j.SaveCropOf(j.Next(), png) }

// SaveCropOf stores or replaces the crop of a verdict that is already stored.
func (j *Journal) SaveCropOf(seq uint64, png []byte) (name string, err error) {
	j.cropMu.Lock()
	defer j.cropMu.Unlock()
	if err := j.writeCrop(seq, png); err != nil {
		return "", fmt.Errorf("save the crop of verdict %d: %w", seq, explainFile(err))
	}
	j.waiting().put(seq, int64(len(png)))
	return filepath.Base(j.cropsDir()) + "/" + review.FileName(seq), nil
}

func (j *Journal) writeCrop(seq uint64, png []byte) error {
	if !exists(j.cropsDir()) {
		if err := review.MakeFolders(j.cropsDir()); err != nil {
			return err
		}
	}
	return j.env.writeFile(filepath.Join(j.cropsDir(), review.FileName(seq)), png, 0o640)
}

// waiting returns the folder of the crops that nobody has labelled.
func (j *Journal) waiting() *cropFolder { return &j.cropFolders[slices.Index(review.Folders, "")] }

// find returns the place of a crop.
func (s *cropFolder) find(seq uint64) (i int, found bool) {
	return slices.BinarySearchFunc(s.crops, seq, func(a crop, seq uint64) int { return cmp.Compare(a.seq, seq) })
}

// put adds or replaces a crop. The camera picture of a replaced one stays.
func (s *cropFolder) put(seq uint64, size int64) {
	i, found := s.find(seq)
	if found {
		s.bytes -= s.crops[i].size
		s.crops[i].size = size
	} else {
		s.crops = slices.Insert(s.crops, i, crop{seq: seq, size: size})
	}
	s.bytes += size
}

// loadCrops lists the folders and deletes unlabelled crops that have no row. Other files stay.
func (j *Journal) loadCrops() error {
	j.cropMu.Lock()
	defer j.cropMu.Unlock()
	j.cropFolders = make([]cropFolder, len(review.Folders))
	for i, folder := range review.Folders {
		j.cropFolders[i].folder = folder
	}
	if !exists(j.cropsDir()) {
		return nil
	}
	err := errors.Join(review.MakeFolders(j.cropsDir()), durable.Clean(j.cropsDir()),
		durable.Clean(filepath.Join(j.cropsDir(), review.CameraFolder)))
	if err != nil {
		return err
	}
	if err := j.listCrops(); err != nil {
		return err
	}
	s := j.waiting()
	for _, c := range slices.Clone(s.crops) {
		var found int
		switch err := j.db.QueryRow(`SELECT 1 FROM verdicts WHERE seq = ?`, int64(c.seq)).Scan(&found); {
		case errors.Is(err, sql.ErrNoRows):
			if err := j.removeCrop(s.folder, c.seq); err != nil {
				return err
			}
			s.crops = slices.DeleteFunc(s.crops, func(d crop) bool { return d == c })
			s.bytes -= c.size + c.camera
		case err != nil:
			return err
		}
	}
	return j.dropOrphans()
}

// listCrops lists all folders. The caller holds cropMu.
func (j *Journal) listCrops() error {
	camera, err := j.cameraSizes()
	if err != nil {
		return err
	}
	for i := range j.cropFolders {
		s := &j.cropFolders[i]
		dir := filepath.Join(j.cropsDir(), s.folder)
		// read the time first: a change during the listing is then seen the next time
		s.changed, s.crops, s.bytes = modified(dir), nil, 0
		if time.Since(s.changed) < timeResolution {
			s.changed = time.Time{}
		}
		entries, err := os.ReadDir(dir) // sorted by number
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			seq, ok := review.ParseFileName(e.Name())
			if !ok {
				continue
			}
			if info, err := e.Info(); err == nil { // otherwise it has just been moved
				s.put(seq, info.Size())
				s.setCamera(seq, camera[seq])
			}
		}
	}
	return nil
}

// timeResolution bounds the resolution of file times. Two changes within it may have the same time,
// so a folder that has just changed is listed again.
const timeResolution = 2 * time.Second

// foldersChanged reports whether a labelled folder has changed since it was listed. The caller
// holds cropMu.
func (j *Journal) foldersChanged() bool {
	return slices.ContainsFunc(j.cropFolders, func(s cropFolder) bool {
		return s.folder != "" && !s.changed.Equal(modified(filepath.Join(j.cropsDir(), s.folder)))
	})
}

// modified returns when the folder last changed, zero if there is no folder.
func modified(dir string) time.Time {
	info, err := os.Stat(dir)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// sweepCrops deletes unlabelled crops of deleted verdicts, and the crops above the limit.
func (j *Journal) sweepCrops(l Limits) (int, error) {
	var lowest int64
	if err := j.db.QueryRow(`SELECT coalesce(min(seq), 0) FROM verdicts`).Scan(&lowest); err != nil {
		return 0, fmt.Errorf("read journal %s: %w", j.path, j.diagnose(err))
	}
	limit := l.Crops
	if limit <= 0 {
		limit = math.MaxInt64
	}
	return j.dropCrops(uint64(lowest), limit, step)
}

// dropCrops deletes at most maxCrops crops and returns how many it deleted: unlabelled ones of
// verdicts below lowest, then whatever exceeds limit bytes in total, in the order of the folders
// and in each the oldest first.
func (j *Journal) dropCrops(lowest uint64, limit int64, maxCrops int) (n int, err error) {
	j.cropMu.Lock()
	defer j.cropMu.Unlock()
	if j.foldersChanged() {
		if err := j.listCrops(); err != nil {
			return 0, fmt.Errorf("list the crops: %w", explainFile(err))
		}
	}
	bytes := int64(0)
	for _, s := range j.cropFolders {
		bytes += s.bytes
	}
	for i := range j.cropFolders {
		s := &j.cropFolders[i]
		for n < maxCrops && len(s.crops) > 0 && (bytes > limit || s.folder == "" && s.crops[0].seq < lowest) {
			c := s.crops[0]
			if err := j.removeCrop(s.folder, c.seq); err != nil {
				return n, fmt.Errorf("delete an old crop: %w", explainFile(err))
			}
			bytes -= c.size + c.camera
			s.bytes -= c.size + c.camera
			s.crops = s.crops[1:]
			n++
		}
	}
	return n, nil
}
