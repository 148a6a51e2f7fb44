package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tirewatch/vision/imagefile"
)

// classNames and partNames are the folder names for a class or a part, in lower case: those of the
// thesis, those of the data set on Kaggle (training_data/cracked) and those of other tools.
var (
	classNames = map[Class][]string{
		Crack:  {"crack", "cracked", "cracks", "defective", "defect", "bad"},
		Normal: {"normal", "good", "sound", "ok"},
	}
	partNames = map[string][]string{
		PartTrain: {"training", "train", "training_data", "train_data"},
		PartVal:   {"validation", "valid", "val", "validation_data"},
		PartTest:  {"testing", "test", "testing_data", "test_data"},
	}
)

const accepted = `accepted layouts:
  DIR/crack and DIR/normal
  DIR/training/{crack,normal} and optionally DIR/testing/{crack,normal} and DIR/validation/{crack,normal}
other accepted names: train, test, val, training_data, testing_data;
  cracked, cracks, defective, defect, bad; good, sound, ok; in upper or lower case`

// Open finds the images of a data set. It reads only folders; Check, Set.Read and Set.Load report
// damaged files.
//
// For a folder that is not a data set, the error wraps ErrLayout and lists what was found and what
// is accepted. When a class has no image, Open returns the set together with an *EmptyClassError,
// which wraps ErrEmptyClass.
func Open(dir string) (*Set, error) {
	folders, err := subfolders(dir)
	if err != nil {
		return nil, err
	}
	s := &Set{Dir: dir}
	parts, err := byMeaning(dir, folders, partNames)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		parts = map[string]string{PartTrain: dir} // DIR/crack and DIR/normal
	} else if parts[PartTrain] == "" {
		return nil, layoutError(dir, folders, "it has no training folder")
	}
	var empty error
	for _, part := range []string{PartTrain, PartVal, PartTest} {
		if parts[part] == "" {
			continue
		}
		items, err := s.openPart(parts[part], part)
		if _, ok := err.(*EmptyClassError); ok {
			if empty == nil {
				empty = err
			}
		} else if err != nil {
			return nil, err
		}
		switch part {
		case PartTrain:
			s.Train = items
		case PartVal:
			s.Val = items
		case PartTest:
			s.Test = items
		}
	}
	return s, empty
}

// openPart lists the images of the class folders in dir.
func (s *Set) openPart(dir, part string) ([]Item, error) {
	folders, err := subfolders(dir)
	if err != nil {
		return nil, err
	}
	classes, err := byMeaning(dir, folders, classNames)
	if err != nil {
		return nil, err
	}
	if len(classes) == 0 {
		return nil, layoutError(dir, folders, "it has no class folders")
	}
	var items []Item
	var empty error
	for _, class := range Classes {
		before := len(items)
		if folder := classes[class]; folder != "" {
			err := walk(folder, func(path string) {
				if imagefile.IsImageName(path) {
					items = append(items, Item{Path: path, Class: class})
				} else {
					s.Other = append(s.Other, path)
				}
			})
			if err != nil {
				return nil, err
			}
		}
		if len(items) == before && empty == nil {
			at := classes[class]
			if at == "" {
				at = filepath.Join(dir, class.String())
			}
			empty = &EmptyClassError{Part: part, Class: class, Dir: at}
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Path, b.Path) })
	return items, empty
}

// byMeaning finds the folder for each meaning. It refuses two folders with the same meaning,
// because using only one would silently drop images.
func byMeaning[K comparable](dir string, folders []string, names map[K][]string) (map[K]string, error) {
	found := make(map[K]string)
	for _, f := range folders {
		for meaning, words := range names {
			if !slices.Contains(words, strings.ToLower(f)) {
				continue
			}
			if other := found[meaning]; other != "" {
				return nil, fmt.Errorf("%s: %w: the folders %s and %s mean the same; merge them",
					dir, ErrLayout, filepath.Base(other), f)
			}
			found[meaning] = filepath.Join(dir, f)
		}
	}
	return found, nil
}

// subfolders lists the visible folders in dir, sorted, including links to folders.
func subfolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open data set: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// walk calls visit for every visible file below dir, in order. It visits links to files but does
// not follow links to folders inside a class, which may lead in circles.
func walk(dir string, visit func(path string)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("open data set: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), ".") || isSystemFile(e.Name()):
		case e.IsDir():
			if err := walk(path, visit); err != nil {
				return err
			}
		case e.Type()&fs.ModeSymlink != 0:
			if info, err := os.Stat(path); err != nil || !info.IsDir() {
				visit(path)
			}
		default:
			visit(path)
		}
	}
	return nil
}

// isSystemFile reports whether Windows creates files of this name in picture folders.
func isSystemFile(name string) bool {
	return strings.EqualFold(name, "thumbs.db") || strings.EqualFold(name, "desktop.ini")
}

// maxNamed limits how many folders an error lists.
const maxNamed = 10

func layoutError(dir string, folders []string, why string) error {
	found := "no folders"
	if n := len(folders); n > maxNamed {
		found = fmt.Sprintf("the folders %s and %d more", strings.Join(folders[:maxNamed], ", "), n-maxNamed)
	} else if n > 0 {
		found = "the folders " + strings.Join(folders, ", ")
	}
	return fmt.Errorf("%s: %w: %s; found %s; %s", dir, ErrLayout, why, found, accepted)
}
