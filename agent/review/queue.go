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

// Label is what a person says of a picture: of a tile it is said of the tile, whatever else the
// tire has.
type Label string

const (
	None   Label = ""       // not looked at: the picture waits
	Crack  Label = "crack"  // it shows a crack
	Normal Label = "normal" // it shows none
	Unsure Label = "unsure" // the picture does not say: it is not asked about again
)

// Folders of a station's pictures, relative to it:
//
//	000000000012.png           waits for a label
//	crack/000000000013.png     a person said so
//	exported/crack/...         the same, and an export has it
//
// They stand in the order in which their pictures go when room is needed: what an export has is
// safe elsewhere, and what a person has said is worth more than what nobody has looked at.
var Folders = []string{"exported/crack", "exported/normal", "", "unsure", "crack", "normal"}

// folderOf is the folder of a label.
func folderOf(l Label, exported bool) string {
	if exported {
		return "exported/" + string(l)
	}
	return string(l)
}

// labelOf is what the folder says.
func labelOf(folder string) Label { return Label(strings.TrimPrefix(folder, "exported/")) }

// FileName is that of the picture of a verdict.
func FileName(seq uint64) string { return fmt.Sprintf("%012d.png", seq) }

// ParseFileName reads a FileName; ok is false for other files.
func ParseFileName(name string) (seq uint64, ok bool) {
	seq, err := strconv.ParseUint(strings.TrimSuffix(name, ".png"), 10, 63)
	return seq, err == nil && name == FileName(seq)
}

// MakeFolders makes what is missing of the folder of pictures. The agent calls it, so that all of
// it belongs to the agent's user, whoever labels.
func MakeFolders(dir string) error {
	made := false
	for _, folder := range slices.Concat([]string{"", "exported"}, Folders) {
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

// ErrGone means that a station has no picture of a verdict: none was kept, or room was needed.
var ErrGone = errors.New("there is no picture of this verdict")

// Queue is a station's folder of pictures, beside a running agent or in it. Its methods may be
// called from any goroutine, and any number of processes may have the same folder.
type Queue struct {
	dir     string
	station string
	view    cut.View

	mu    sync.Mutex
	notes map[string]cachedNote // by path; guarded by mu
}

// cachedNote is a note that was read, for as long as the file is the same.
type cachedNote struct {
	Picture
	size int64
	time time.Time
}

// Open gives the pictures of a station in dir, which need not exist yet. view is what the station's
// network is shown: people are asked about pictures of that and of nothing else, because a network
// that judges tiles must not learn from whole tires, nor the other way round.
func Open(dir, station string, view cut.View) *Queue {
	return &Queue{dir: dir, station: station, view: view, notes: map[string]cachedNote{}}
}

// fits says whether a picture shows what the network is shown.
func (q *Queue) fits(p Picture) bool { return cmp.Or(p.Shows, cut.Tire) == cmp.Or(q.view, cut.Tire) }

// Next gives the pictures that wait for a label, at most n, those that a person should look at
// first before the others: disagreements, then the least certain, and in every fourth place one of
// the random sample.
func (q *Queue) Next(n int) ([]Picture, error) {
	all, err := q.list("")
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(p Picture) bool { return !q.fits(p) })
	slices.SortFunc(all, byPriority)
	return mix(all)[:min(n, len(all))], nil
}

// sampleEach is how often the random sample has its turn in the queue.
const sampleEach = 4

// mix gives every fourth place to a picture that was kept at random only, the newest first. The
// least certain tires are often all of one kind, cracks that are half seen, and a network that
// learns from nothing else says so always.
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

// Labelled gives the pictures with a label, in the order of their numbers; those that an export has
// only if exported.
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

// Counts says how many pictures a station has.
type Counts struct {
	Waiting  int `json:"waiting"`
	Crack    int `json:"crack"` // labelled so, exported or not
	Normal   int `json:"normal"`
	Unsure   int `json:"unsure"`
	Exported int `json:"exported"`
	// not labelled and not asked about: they show something else than the network is shown
	Other int `json:"other"`
}

// Count counts them.
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

// Picture finds the picture of a verdict, labelled or not; ErrGone when there is none.
func (q *Queue) Picture(seq uint64) (Picture, error) {
	p, err := q.find(seq)
	if err != nil {
		return Picture{}, fmt.Errorf("picture of verdict %d: %w", seq, err)
	}
	return p, nil
}

func (q *Queue) find(seq uint64) (Picture, error) {
	for _, folder := range slices.Backward(Folders) { // a label counts
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

// Label notes what a person says of a picture, durably. It may be said again, and None takes it
// back: the picture waits again.
func (q *Queue) Label(seq uint64, l Label) error {
	if !slices.Contains([]Label{None, Crack, Normal, Unsure}, l) {
		return fmt.Errorf("label picture %d: unknown label %q", seq, l)
	}
	p, err := q.find(seq)
	if err != nil {
		return fmt.Errorf("label picture %d: %w", seq, err)
	}
	if p.Label == l {
		return nil
	}
	return q.move(p, folderOf(l, false))
}

// move puts a picture into a folder.
func (q *Queue) move(p Picture, folder string) error {
	to := filepath.Join(q.dir, folder, filepath.Base(p.Path))
	err := os.Rename(p.Path, to)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Lstat(p.Path); errors.Is(gone, fs.ErrNotExist) {
			return fmt.Errorf("label picture %d: %w", p.Seq, ErrGone) // a moment ago it was there
		}
		if err = MakeFolders(q.dir); err == nil { // the agent of before knew no labels
			err = os.Rename(p.Path, to)
		}
	}
	if err == nil {
		err = errors.Join(durable.SyncDir(filepath.Dir(to)), durable.SyncDir(filepath.Dir(p.Path)))
	}
	if err != nil {
		return fmt.Errorf("label picture %d: %w", p.Seq, err)
	}
	return nil
}

// entries lists a folder; one that does not exist is empty.
func (q *Queue) entries(folder string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(filepath.Join(q.dir, folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look through the pictures: %w", err)
	}
	return entries, nil
}

// list gives the pictures of a folder. Files that are none of the station's are passed over.
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
			continue // labelled or deleted meanwhile
		}
		all = append(all, q.read(filepath.Join(q.dir, folder, e.Name()), folder, seq, info))
	}
	return all, nil
}

// fitsEntry is fits for a file that waits. What a file shows never changes, so that its note is
// read once: the page counts every other second.
func (q *Queue) fitsEntry(e fs.DirEntry, seq uint64) bool {
	path := filepath.Join(q.dir, e.Name())
	q.mu.Lock()
	k, ok := q.notes[path]
	q.mu.Unlock()
	if ok {
		return q.fits(k.Picture)
	}
	info, err := e.Info()
	return err != nil || q.fits(q.read(path, "", seq, info)) // labelled or deleted meanwhile
}

// maxNotes bounds the notes in memory; more are read again.
const maxNotes = 1 << 16

// read says what is known of a picture.
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
