package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tirewatch/vision/durable"
)

// Crops are pictures beside the journal: what the network saw of a tire, for the person who has to explain a verdict. Each is a file
// of the folder journal.db-crops that is durable before the row that names it, so that a row never names what was not there. The other
// way round is repaired: a picture without a row goes at the next start. A picture that is missing is no error, because pictures go first
// when room is needed.

// crop is a file of the folder.
type crop struct {
	seq  uint64 // of the verdict; the file's name
	size int64  // bytes
}

// relief is how many pictures go when an append finds the disk full: about a megabyte.
const relief = 16

func (j *Journal) cropFolder() string { return j.path + "-crops" }

func cropName(seq uint64) string { return fmt.Sprintf("%012d.png", seq) }

// SaveCrop stores the picture of the verdict that is appended next and returns what its field Crop should say. A second picture before that
// replaces the first, so the goroutine that saves is the one that appends. The verdict does not depend on it: after an error there is
// no picture.
func (j *Journal) SaveCrop(png []byte) (name string, err error) {
	seq := j.Next()
	j.cropMu.Lock()
	defer j.cropMu.Unlock()
	if err := j.writeCrop(seq, png); err != nil {
		return "", fmt.Errorf("save the picture of verdict %d: %w", seq, explainFile(err))
	}
	if n := len(j.crops); n > 0 && j.crops[n-1].seq == seq {
		j.cropBytes -= j.crops[n-1].size
		j.crops = j.crops[:n-1]
	}
	j.crops = append(j.crops, crop{seq, int64(len(png))})
	j.cropBytes += int64(len(png))
	return filepath.Base(j.cropFolder()) + "/" + cropName(seq), nil
}

func (j *Journal) writeCrop(seq uint64, png []byte) error {
	if !exists(j.cropFolder()) {
		if err := os.Mkdir(j.cropFolder(), 0o750); err != nil {
			return err
		}
		if err := durable.SyncDir(j.folder()); err != nil {
			return err
		}
	}
	return j.env.writeFile(filepath.Join(j.cropFolder(), cropName(seq)), png, 0o640)
}

// loadCrops lists the folder and removes what no row can name. Files that are not the journal's are left alone.
func (j *Journal) loadCrops() error {
	entries, err := os.ReadDir(j.cropFolder()) // in the order of the numbers
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := durable.Clean(j.cropFolder()); err != nil {
		return err
	}
	for _, e := range entries {
		seq, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), ".png"), 10, 63)
		if err != nil || e.Name() != cropName(seq) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var found int
		switch err := j.db.QueryRow(`SELECT 1 FROM verdicts WHERE seq = ?`, int64(seq)).Scan(&found); {
		case errors.Is(err, sql.ErrNoRows):
			if err := os.Remove(filepath.Join(j.cropFolder(), e.Name())); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			j.crops = append(j.crops, crop{seq, info.Size()})
			j.cropBytes += info.Size()
		}
	}
	return nil
}

// dropCrops removes the oldest pictures: those of verdicts below lowest, and those above limit bytes together, at most most of them. It
// returns how many.
func (j *Journal) dropCrops(lowest uint64, limit int64, most int) (n int, err error) {
	j.cropMu.Lock()
	defer j.cropMu.Unlock()
	for n < most && len(j.crops) > 0 && (j.crops[0].seq < lowest || j.cropBytes > limit) {
		err := os.Remove(filepath.Join(j.cropFolder(), cropName(j.crops[0].seq)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // somebody may have removed it by hand
			return n, fmt.Errorf("delete an old picture: %w", explainFile(err))
		}
		j.cropBytes -= j.crops[0].size
		j.crops = j.crops[1:]
		n++
	}
	return n, nil
}
