package review

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tirewatch/internal/durable"
	"tirewatch/vision/cut"
)

// Label is what a person says about a crop. The label of a tile says nothing about the rest of the
// tire.
type Label string

const (
	None   Label = ""       // no label yet: the crop waits
	Crack  Label = "crack"  // it shows a crack
	Normal Label = "normal" // it shows no crack
	Unsure Label = "unsure" // it cannot be decided from the crop; nobody is asked again
)

// Folders are the subfolders of a station's folder of crops:
//
//	000000000012.png           waits for a label
//	crack/000000000013.png     labelled by a person
//	exported/crack/...         labelled and exported
//	camera/000000000013.jpg    the same tire as the camera saw it, see CameraFolder
//
// When room is needed, crops are deleted in the order of Folders: exported ones have a copy, and a
// labelled crop is worth more than an unlabelled one.
var Folders = []string{"exported/crack", "exported/normal", "", "unsure", "crack", "normal"}

// folderOf returns the folder of a label.
func folderOf(l Label, exported bool) string {
	if exported {
		return "exported/" + string(l)
	}
	return string(l)
}

// labelOf returns the label of a folder.
func labelOf(folder string) Label { return Label(strings.TrimPrefix(folder, "exported/")) }

// FileName returns the file name of the crop of a verdict.
func FileName(seq uint64) string { return numbered(seq, ".png") }

// ParseFileName parses a FileName; ok is false for other names.
func ParseFileName(name string) (seq uint64, ok bool) {
	return parseNumbered(name, ".png")
}

// numbered returns the name of a file that belongs to a verdict.
func numbered(seq uint64, extension string) string { return fmt.Sprintf("%012d%s", seq, extension) }

// parseNumbered parses what numbered returns; ok is false for other names.
func parseNumbered(name, extension string) (seq uint64, ok bool) {
	seq, err := strconv.ParseUint(strings.TrimSuffix(name, extension), 10, 63)
	return seq, err == nil && name == numbered(seq, extension)
}

// MakeFolders creates the missing folders. The agent calls it, so that they all belong to the
// agent's user, even if another user labels.
func MakeFolders(dir string) error {
	made := false
	for _, folder := range slices.Concat([]string{"", "exported", CameraFolder}, Folders) {
		switch err := os.Mkdir(filepath.Join(dir, folder), 0o750); {
		case err == nil:
			made = true
		case !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	if !made {
		return nil
	}
	for _, folder := range []string{"exported", ""} {
		if err := durable.SyncDir(filepath.Join(dir, folder)); err != nil {
			return err
		}
	}
	return durable.SyncDir(filepath.Dir(dir))
}

// ErrGone means that there is no crop of a verdict: none was kept, or it was deleted to make room.
var ErrGone = errors.New("there is no crop of this verdict")

// Queue is a station's folder of crops, inside the agent or in another process. Its methods may be
// called from any goroutine, and any number of processes may use the same folder.
type Queue struct {
	dir     string
	station string
	view    cut.View

	mu    sync.Mutex
	notes map[string]cachedNote // by path; guarded by mu
}

// cachedNote is the note of a file with this size and time.
type cachedNote struct {
	Picture
	size int64
	time time.Time
}

// Open returns the queue of a station in dir, which need not exist yet. view is the view of the
// station's network. People are asked only about crops of this view: a network for tiles must not
// learn from whole tires, or the other way round.
func Open(dir, station string, view cut.View) *Queue {
	return &Queue{dir: dir, station: station, view: view, notes: map[string]cachedNote{}}
}

// fits reports whether a crop shows the view of the queue.
func (q *Queue) fits(p Picture) bool { return cmp.Or(p.Shows, cut.Tire) == cmp.Or(q.view, cut.Tire) }

// Next returns at most n crops that wait for a label, the most useful first: disagreements, then
// the least certain. Every fourth one is from the random sample.
func (q *Queue) Next(n int) ([]Picture, error) {
	all, err := q.list("")
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(p Picture) bool { return !q.fits(p) })
	slices.SortFunc(all, byPriority)
	return mix(all)[:min(n, len(all))], nil
}

// sampleEach is how often the queue contains a crop of the random sample.
const sampleEach = 4

// mix puts a crop that was kept only for the random sample, the newest first, in every fourth
// place. The least certain tires are often all of one kind, such as faint cracks, and a network
// that learns only from them becomes biased.
func mix(sorted []Picture) []Picture {
	var drawn, rest []Picture
	for _, p := range sorted {
		if slices.Equal(p.Why, []Reason{Sample}) {
			drawn = append(drawn, p)
		} else {
			rest = append(rest, p)
		}
	}
	slices.SortFunc(drawn, func(a, b Picture) int { return cmp.Compare(b.Seq, a.Seq) })
	mixed := make([]Picture, 0, len(sorted))
	for len(drawn)+len(rest) > 0 {
		from := &rest
		if len(rest) == 0 || len(drawn) > 0 && len(mixed)%sampleEach == sampleEach-1 {
			from = &drawn
		}
		mixed = append(mixed, (*from)[0])
		*from = (*from)[1:]
	}
	return mixed
}

// Labelled returns the crops labelled crack or normal, sorted by number. It includes exported ones
// only if exported is set.
func (q *Queue) Labelled(exported bool) (all []Picture, err error) {
	for _, l := range []Label{Crack, Normal} {
		for _, e := range []bool{false, true} {
			if e && !exported {
				continue
			}
			found, err := q.list(folderOf(l, e))
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	slices.SortFunc(all, func(a, b Picture) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return all, nil
}

// Counts are the numbers of crops of a station.
type Counts struct {
	Waiting  int `json:"waiting"`
	Crack    int `json:"crack"` // labelled crack, exported or not
	Normal   int `json:"normal"`
	Unsure   int `json:"unsure"`
	Exported int `json:"exported"`
	// unlabelled crops of another view, about which nobody is asked
	Other int `json:"other"`
}

// Count counts the crops.
func (q *Queue) Count() (c Counts, err error) {
	for _, folder := range Folders {
		n, other := 0, 0
		entries, err := q.entries(folder)
		if err != nil {
			return c, err
		}
		for _, e := range entries {
			seq, ok := ParseFileName(e.Name())
			if !ok {
				continue
			}
			n++
			if folder == "" && !q.fitsEntry(e, seq) {
				other++
			}
		}
		switch labelOf(folder) {
		case None:
			c.Waiting, c.Other = n-other, other
		case Crack:
			c.Crack += n
		case Normal:
			c.Normal += n
		case Unsure:
			c.Unsure += n
		}
		if strings.HasPrefix(folder, "exported/") {
			c.Exported += n
		}
	}
	return c, nil
}

// Picture returns the crop of a verdict, labelled or not; ErrGone if there is none.
func (q *Queue) Picture(seq uint64) (Picture, error) {
	p, err := q.find(seq)
	if err != nil {
		return Picture{}, fmt.Errorf("crop of verdict %d: %w", seq, err)
	}
	return p, nil
}

func (q *Queue) find(seq uint64) (Picture, error) {
	for _, folder := range slices.Backward(Folders) { // labelled folders first
		path := filepath.Join(q.dir, folder, FileName(seq))
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Picture{}, err
		}
		return q.read(path, folder, seq, info), nil
	}
	return Picture{}, ErrGone
}

// Label stores the label of a crop durably. It may be changed later; with None the crop waits
// again.
func (q *Queue) Label(seq uint64, l Label) error {
	if !slices.Contains([]Label{None, Crack, Normal, Unsure}, l) {
		return fmt.Errorf("label crop %d: unknown label %q", seq, l)
	}
	p, err := q.find(seq)
	if err != nil {
		return fmt.Errorf("label crop %d: %w", seq, err)
	}
	if p.Label == l {
		return nil
	}
	return q.move(p, folderOf(l, false))
}

// move moves a crop into a folder.
func (q *Queue) move(p Picture, folder string) error {
	to := filepath.Join(q.dir, folder, filepath.Base(p.Path))
	err := os.Rename(p.Path, to)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Lstat(p.Path); errors.Is(gone, fs.ErrNotExist) {
			return fmt.Errorf("label crop %d: %w", p.Seq, ErrGone) // just deleted or moved
		}
		if err = MakeFolders(q.dir); err == nil { // an older agent did not create the folders
			err = os.Rename(p.Path, to)
		}
	}
	if err == nil {
		err = errors.Join(durable.SyncDir(filepath.Dir(to)), durable.SyncDir(filepath.Dir(p.Path)))
	}
	if err != nil {
		return fmt.Errorf("label crop %d: %w", p.Seq, err)
	}
	return nil
}

// entries lists a folder; a missing folder is empty.
func (q *Queue) entries(folder string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(filepath.Join(q.dir, folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the crops: %w", err)
	}
	return entries, nil
}

// list returns the crops of a folder and ignores other files.
func (q *Queue) list(folder string) (all []Picture, err error) {
	entries, err := q.entries(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		seq, ok := ParseFileName(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // just labelled or deleted
		}
		all = append(all, q.read(filepath.Join(q.dir, folder, e.Name()), folder, seq, info))
	}
	return all, nil
}

// fitsEntry is fits for a waiting file. The view of a file never changes, so its note is read only
// once: the page counts every two seconds.
func (q *Queue) fitsEntry(e fs.DirEntry, seq uint64) bool {
	path := filepath.Join(q.dir, e.Name())
	q.mu.Lock()
	k, ok := q.notes[path]
	q.mu.Unlock()
	if ok {
		return q.fits(k.Picture)
	}
	info, err := e.Info()
	return err != nil || q.fits(q.read(path, "", seq, info)) // error: just labelled or deleted
}

// maxNotes bounds the cached notes; beyond it they are read again.
const maxNotes = 1 << 16

// read returns what is known about a crop.
func (q *Queue) read(path, folder string, seq uint64, info fs.FileInfo) Picture {
	q.mu.Lock()
	defer q.mu.Unlock()
	if k, ok := q.notes[path]; ok && k.size == info.Size() && k.time.Equal(info.ModTime()) {
		return k.Picture
	}
	p, err := readNote(path)
	if err != nil || p.Seq != seq {
		p = Picture{Station: q.station, Time: info.ModTime().UTC()}
	}
	p.Seq, p.Label, p.Path = seq, labelOf(folder), path
	if len(q.notes) >= maxNotes {
		clear(q.notes)
	}
	q.notes[path] = cachedNote{p, info.Size(), info.ModTime()}
	return p
}
