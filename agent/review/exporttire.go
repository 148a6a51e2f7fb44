package review

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tirewatch/internal/durable"
	"tirewatch/vision/cut"
)

// tiled reports whether the crops of the station are tiles.
func (q *Queue) tiled() bool { return cmp.Or(q.view, cut.Tire) != cut.Tire }

func (q *Queue) makeExportFolders(dir string) error {
	folders := []string{string(Crack), string(Normal)}
	if q.tiled() {
		folders = append(folders, tiresFolder)
	} else {
		folders = append(folders, inputsFolder, inputsFolder+"/"+string(Crack), inputsFolder+"/"+string(Normal))
	}
	for _, f := range folders {
		if err := os.Mkdir(filepath.Join(dir, filepath.FromSlash(f)), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// writeTire writes the files of a tire to the data set in dir. The error wraps fs.ErrNotExist if
// the crop has just been moved or deleted.
func (q *Queue) writeTire(dir string, p Picture) (ManifestPicture, error) {
	crop, err := os.ReadFile(p.Path)
	if err != nil {
		return ManifestPicture{}, err
	}
	picture, err := os.ReadFile(filepath.Join(q.dir, CameraFolder, CameraName(p.Seq)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ManifestPicture{}, err
	}
	label, name := string(p.Label), ExportName(p)
	cropTo, pictureTo := inputsFolder+"/"+label, label
	if q.tiled() {
		cropTo, pictureTo = label, tiresFolder
	}
	m := ManifestPicture{Label: p.Label, Picture: p}
	if m.Network, err = writeExport(dir, cropTo+"/"+name, crop); err != nil {
		return m, err
	}
	first := m.Network
	if picture != nil {
		f, err := writeExport(dir, pictureTo+"/"+strings.TrimSuffix(name, ".png")+".jpg", picture)
		if err != nil {
			return m, err
		}
		if m.Camera = &f; !q.tiled() {
			first = f
		}
	} else if !q.tiled() {
		if first, err = writeExport(dir, label+"/"+name, crop); err != nil {
			return m, err
		}
	}
	m.File, m.SHA256 = first.File, first.SHA256
	return m, nil
}

// writeExport writes a file of the data set in dir.
func writeExport(dir, file string, data []byte) (ManifestFile, error) {
	sum := sha256.Sum256(data)
	m := ManifestFile{File: file, SHA256: hex.EncodeToString(sum[:])}
	if c, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil { // otherwise the size is unknown
		m.Width, m.Height = c.Width, c.Height
	}
	if err := durable.WriteFile(filepath.Join(dir, filepath.FromSlash(file)), data, 0o644); err != nil {
		return m, fmt.Errorf("write %s: %w", file, err)
	}
	return m, nil
}
