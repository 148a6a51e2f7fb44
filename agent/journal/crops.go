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

// Crops are pictures beside the journal: what the network saw of a tire, for the person who has to
// explain a verdict or to say whether it was right. Each is a file of the folder journal.db-crops
// that is durable before the row that names it, so that a row never names what was not there. The
// other way round is repaired: a picture without a row goes at the next start. A picture that is
// missing is no error, because pictures go first when room is needed.
//
// People label pictures by moving them into folders of that folder, with or without the agent
// (agent/review). What lies there is theirs: it needs no row, and only the want of room takes it.

// cropFolder is one folder of pictures.
type cropFolder struct {
	folder  string    // one of review.Folders
	changed time.Time // of the folder, when it was listed
	crops   []crop    // in the order of their numbers
	bytes   int64     // of all of them
}

// crop is a file of a cropFolder.
type crop struct {
	seq  uint64 // of the verdict; the file's name
	size int64  // bytes
}

// cropsForRoom is how many pictures go when an append finds the disk full: about a megabyte.
const cropsForRoom = 16

// CropFolder is where the pictures of the journal at path lie.
func CropFolder(path string) string { return path + "-crops" }

func (j *Journal) cropsDir() string { return CropFolder(j.path) }

// SaveCrop stores the picture of the verdict that is appended next and returns what its field Crop
// should say. A second picture before that replaces the first, so the goroutine that saves is the
// one that appends. The verdict does not depend on it: after an error there is no picture.
func (j *Journal) SaveCrop(png []byte) (name string, err error) { return j.SaveCropOf(j.Next(), png) }

// SaveCropOf is SaveCrop for a verdict that is stored already, of which more is known than was
// then. It replaces the picture.
func (j *Journal) SaveCropOf(seq uint64, png []byte) (name string, err error) {
	j.cropMu.Lock()
	defer j.cropMu.Unlock()
	if err := j.writeCrop(seq, png); err != nil {
		return "", fmt.Errorf("save the picture of verdict %d: %w", seq, explainFile(err))
	}
	j.waiting().put(crop{seq, int64(len(png))})
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

// waiting is the folder of the pictures that nobody has labelled.
func (j *Journal) waiting() *cropFolder { return &j.cropFolders[slices.Index(review.Folders, "")] }

// put adds a picture, or replaces it.
func (s *cropFolder) put(c crop) {
	i, found := slices.BinarySearchFunc(s.crops, c.seq, func(a crop, seq uint64) int { return cmp.Compare(a.seq, seq) })
	if found {
		s.bytes -= s.crops[i].size
		s.crops[i] = c
	} else {
		s.crops = slices.Insert(s.crops, i, c)
	}
	s.bytes += c.size
}

// loadCrops lists the folders, and removes what no row can name from where nobody has labelled
// anything. Files that are not the journal's are left alone.
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
	if err := errors.Join(review.MakeFolders(j.cropsDir()), durable.Clean(j.cropsDir())); err != nil {
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
			if err := os.Remove(filepath.Join(j.cropsDir(), review.FileName(c.seq))); err != nil {
				return err
			}
			s.crops = slices.DeleteFunc(s.crops, func(d crop) bool { return d == c })
			s.bytes -= c.size
		case err != nil:
			return err
		}
	}
	return nil
}

// listCrops lists all folders. The caller holds cropMu.
func (j *Journal) listCrops() error {
	for i := range j.cropFolders {
		s := &j.cropFolders[i]
		dir := filepath.Join(j.cropsDir(), s.folder)
		// the time first: what changes meanwhile is seen the next time
		s.changed, s.crops, s.bytes = modified(dir), nil, 0
		if time.Since(s.changed) < timeResolution {
			s.changed = time.Time{}
		}
		entries, err := os.ReadDir(dir) // in the order of the numbers
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			seq, ok := review.ParseFileName(e.Name())
			if !ok {
				continue
			}
			if info, err := e.Info(); err == nil { // otherwise it was moved meanwhile
				s.put(crop{seq, info.Size()})
			}
		}
	}
	return nil
}

// timeResolution is how exact times of files are at least: two changes may have one time, so that a folder
// that has just changed is listed again.
const timeResolution = 2 * time.Second

// foldersChanged says whether pictures came to a label, or went from it, since the folders were
// listed. The caller holds cropMu.
func (j *Journal) foldersChanged() bool {
	return slices.ContainsFunc(j.cropFolders, func(s cropFolder) bool {
		return s.folder != "" && !s.changed.Equal(modified(filepath.Join(j.cropsDir(), s.folder)))
	})
}

// modified is when a name in the folder was last made or removed, zero without a folder.
func modified(dir string) time.Time {
	info, err := os.Stat(dir)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// sweepCrops deletes pictures of verdicts that are gone, and those above the limit.
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

// dropCrops removes pictures, at most most of them: those of verdicts below lowest that nobody has
// labelled, and of all together what is above limit bytes, folder by folder and in each the oldest
// first. It returns how many.
func (j *Journal) dropCrops(lowest uint64, limit int64, most int) (n int, err error) {
	j.cropMu.Lock()
	defer j.cropMu.Unlock()
	if j.foldersChanged() {
		if err := j.listCrops(); err != nil {
			return 0, fmt.Errorf("look through the pictures: %w", explainFile(err))
		}
	}
	bytes := int64(0)
	for _, s := range j.cropFolders {
		bytes += s.bytes
	}
	for i := range j.cropFolders {
		s := &j.cropFolders[i]
		for n < most && len(s.crops) > 0 && (bytes > limit || s.folder == "" && s.crops[0].seq < lowest) {
			c := s.crops[0]
			err := os.Remove(filepath.Join(j.cropsDir(), s.folder, review.FileName(c.seq)))
			// somebody may have removed it by hand
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return n, fmt.Errorf("delete an old picture: %w", explainFile(err))
			}
			bytes -= c.size
			s.bytes -= c.size
			s.crops = s.crops[1:]
			n++
		}
	}
	return n, nil
}
