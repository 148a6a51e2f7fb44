package dataset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tirewatch/internal/durable"
)

// ManifestName is the file in the folder of a data set that says which images belong together. It
// is a CSV file with a header; separators are commas, or semicolons as some spreadsheets write
// them. Columns are found by their names, and others are ignored:
//
//	file,group,fold
//	crack/IMG_0001.jpg,tire 12,0      file: below the folder, with "/"
//	normal/IMG_0002.jpg,,1            an empty group: this image belongs to no other
const ManifestName = "manifest.csv"

// Names of the columns, in the order in which they are looked for.
var (
	fileColumns  = []string{"file", "path", "image"}
	groupColumns = []string{"group", "views_of_one_place", "place", "tire"}
)

// manifest is a manifest.csv.
type manifest struct {
	path   string
	header []string
	rows   [][]string // as many cells as the header
}

// readManifest reads the manifest of a folder. It is nil when there is none.
func readManifest(dir string) (*manifest, error) {
	m := &manifest{path: filepath.Join(dir, ManifestName)}
	data, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // the mark of UTF-8 that spreadsheets write
	r := csv.NewReader(bytes.NewReader(data))
	if first, _, _ := bytes.Cut(data, []byte("\n")); !bytes.ContainsRune(first, ',') {
		r.Comma = ';'
	}
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", m.path, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("read manifest %s: the file is empty", m.path)
	}
	m.header, m.rows = rows[0], rows[1:]
	for i, name := range m.header {
		m.header[i] = strings.ToLower(strings.TrimSpace(name))
	}
	return m, nil
}

// column returns the index of the first of the names that the header has, or -1.
func (m *manifest) column(names ...string) int {
	for _, name := range names {
		if i := slices.Index(m.header, strings.ToLower(name)); i >= 0 {
			return i
		}
	}
	return -1
}

// need is column for a column that must exist.
func (m *manifest) need(names ...string) (int, error) {
	if i := m.column(names...); i >= 0 {
		return i, nil
	}
	return 0, &GroupError{
		Why:    fmt.Sprintf("%s has no column %s, only %s", m.path, list(names, "or"), list(m.header, "and")),
		Advice: "name the column in the first line of the file",
	}
}

// byFile returns the row of each file. A file may be named twice only with equal rows.
func (m *manifest) byFile(file int) (map[string][]string, error) {
	rows := make(map[string][]string, len(m.rows))
	for _, row := range m.rows {
		name := path.Clean(strings.ReplaceAll(strings.TrimSpace(row[file]), `\`, "/"))
		if other, ok := rows[name]; ok && !slices.Equal(other, row) {
			return nil, &GroupError{Why: fmt.Sprintf("%s names %s in two different rows", m.path, name),
				Advice: "keep one of the rows"}
		}
		rows[name] = row
	}
	return rows, nil
}

// match returns the row of each image, by path below the set. A variant made by Enlarge may have
// the row of its origin. Every other image needs a row of its own, and every row an image.
func (m *manifest) match(file int, images []string) (map[string][]string, error) {
	rows, err := m.byFile(file)
	if err != nil {
		return nil, err
	}
	ofOrigin := make(map[string][]string)
	for name, row := range rows {
		ofOrigin[origin(name)] = row
	}
	found, unnamed := make(map[string][]string), []string{}
	for _, image := range images {
		row, ok := rows[image]
		if !ok && isVariant(image) {
			row, ok = ofOrigin[origin(image)]
		}
		if !ok {
			unnamed = append(unnamed, image)
			continue
		}
		found[image] = row
		delete(rows, image)
	}
	if n := len(unnamed); n > 0 {
		return nil, &GroupError{
			Why:    fmt.Sprintf("%s does not name %d of %d images, for example %s", m.path, n, len(images), unnamed[0]),
			Advice: "add a row for each of them, or move the manifest away to keep only near-duplicates together",
		}
	}
	if n := len(rows); n > 0 {
		example := ""
		for name := range rows {
			if example == "" || name < example {
				example = name
			}
		}
		return nil, &GroupError{
			Why:    fmt.Sprintf("%s names %d files that are not images of the data set, for example %s", m.path, n, example),
			Advice: "delete these rows, or copy the images back",
		}
	}
	return found, nil
}

// writeManifest writes the groups and folds of a new data set in dir. sides are its parts, with the
// images that they were made from; images in unread were not written. Without groups that somebody
// gave, there is no file: names of stations and tiles are enough.
func (s *Set) writeManifest(dir string, sides []Part, unread map[string]bool) error {
	if s.groups == nil || s.groups.FromNames {
		return nil
	}
	row := func(file, group, fold string) []string { return []string{file, group, fold} }
	if !slices.ContainsFunc(s.all(), func(it *Item) bool { return it.Fold != "" }) {
		row = func(file, group, _ string) []string { return []string{file, group} }
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(row("file", "group", "fold"))
	for _, side := range sides {
		for i, path := range placesIn(side.Name, side.Items) {
			if it := side.Items[i]; !unread[it.Path] {
				w.Write(row(filepath.ToSlash(path), it.Group, it.Fold))
			}
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, ManifestName), b.Bytes(), 0o644)
}

// list is "a, b or c".
func list(words []string, last string) string {
	n := len(words) - 1
	if n < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}
