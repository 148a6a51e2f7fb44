package review

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tirewatch/internal/durable"
	"tirewatch/vision/cut"
)

// An export is a data set:
//
//	DIR/crack/STATION_TIME_SEQ.jpg          STATION with + for /; TIME like 20260102T030405Z
//	DIR/normal/...
//	DIR/inputs/crack/STATION_TIME_SEQ.png   what the network saw of the same tires
//	DIR/inputs/normal/...
//	DIR/manifest.json                       a Manifest
//
// crack and normal hold what can teach any network: the picture of the camera, or the crop (.png)
// where there is none. inputs is a second data set. From a station with tiles, crack and normal
// hold the tiles, because a label belongs to the tile that a person saw, and the folder camera
// holds the whole tires. So each tire is once in a data set.
//
// No name of a station contains +. The files are the station's own, byte for byte. Their names hold
// station and time, because trainer/dataset never splits crops that a station took within minutes
// between training and testing, even after several exports were merged.
const (
	inputsFolder = "inputs" // with crack and normal
	tiresFolder  = "camera"
)

// Manifest describes the crops of an export.
type Manifest struct {
	Station  string            `json:"station"`
	Made     time.Time         `json:"made"`
	View     cut.View          `json:"view"`     // of the crops: whole tires or tiles
	LeftOut  int               `json:"left_out"` // labelled crops that show another view
	Pictures []ManifestPicture `json:"pictures"`
}

// ManifestPicture is one tire of a Manifest.
type ManifestPicture struct {
	File   string `json:"file"`   // in crack or normal; relative to the manifest, with "/"
	Label  Label  `json:"label"`  // given by a person
	SHA256 string `json:"sha256"` // of the file
	Picture

	Network ManifestFile  `json:"network"`          // the crop, which the network saw
	Camera  *ManifestFile `json:"camera,omitempty"` // nil: the station has no picture of the camera
}

// ManifestFile is one of the two files of a tire.
type ManifestFile struct {
	File   string `json:"file"` // relative to the manifest, with "/"
	SHA256 string `json:"sha256"`
	Width  int    `json:"width"`  // px
	Height int    `json:"height"` // px
}

// Errors of Export.
var (
	ErrNotEmpty        = errors.New("the folder exists and is not empty")
	ErrNothingLabelled = errors.New("no crop is labelled")
)

// ExportName returns the file name of a crop in an export.
func ExportName(p Picture) string {
	station := strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return '+'
		case strings.ContainsRune(`<>:"|?*\`, r): // not allowed in names on a FAT stick
			return '-'
		}
		return r
	}, p.Station)
	return fmt.Sprintf("%s_%s_%s", station, p.Time.UTC().Format("20060102T150405Z"), FileName(p.Seq))
}

// Export writes the labelled crops with the view of the queue to dir, which must be empty or
// missing, and marks them as exported, so that they are deleted first. fresh leaves out those of
// earlier exports. After an error there is no data set. unmarked is why some crops could not be
// marked; the data set is still complete.
func (q *Queue) Export(ctx context.Context, dir string, fresh bool) (m Manifest, unmarked, err error) {
	all, err := q.Labelled(!fresh)
	if err != nil {
		return m, nil, err
	}
	labelled := len(all)
	all = slices.DeleteFunc(all, func(p Picture) bool { return !q.fits(p) })
	m = Manifest{Station: q.station, Made: time.Now().UTC().Truncate(time.Second),
		View: cmp.Or(q.view, cut.Tire), LeftOut: labelled - len(all)}
	if len(all) == 0 {
		err := fmt.Errorf("export %s: %w", q.dir, ErrNothingLabelled)
		if m.LeftOut > 0 {
			err = fmt.Errorf("%w with locate.view = %q (labelled crops of another view: %d)", err, m.View, m.LeftOut)
		}
		return Manifest{}, nil, err
	}
	if err := q.write(ctx, filepath.Clean(dir), all, &m); err != nil {
		return m, nil, fmt.Errorf("export to %s: %w", dir, err)
	}
	for _, p := range all {
		if to := folderOf(p.Label, true); filepath.Dir(p.Path) != filepath.Join(q.dir, to) {
			// ErrGone: a person has just changed its label
			if err := q.move(p, to); err != nil && !errors.Is(err, ErrGone) && unmarked == nil {
				unmarked = err
			}
		}
	}
	return m, unmarked, nil
}

// write makes the data set under a temporary name beside dir and renames it when it is complete and
// durable.
func (q *Queue) write(ctx context.Context, dir string, all []Picture, m *Manifest) error {
	switch entries, err := os.ReadDir(dir); {
	case err == nil && len(entries) > 0:
		return ErrNotEmpty
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".unfinished-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // after the rename there is nothing to remove
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := q.makeExportFolders(temp); err != nil {
		return err
	}
	for _, p := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		entry, err := q.writeTire(temp, p)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was deleted to make room, or a person has just changed its label
		}
		if err != nil {
			return err
		}
		m.Pictures = append(m.Pictures, entry)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(temp, "manifest.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	// an empty folder of this name may exist
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(dir))
}
