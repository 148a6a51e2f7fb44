//go:build unix

package journal_test

import (
	"bytes"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

// disk is a folder on a card. Writes reach the flash when fsync returns; before that they may reach
// it in any order, in part or not at all. disk records the order of actions, so that the power can
// be cut after each of them.
type disk struct {
	done []action
}

// action is one change of the disk or one call of the journal.
type action struct {
	kind   actionKind
	name   string
	offset int64 // of a write; size after a truncation; number of a verdict
	data   []byte
}

type actionKind int

const (
	created actionKind = iota
	removed
	replaced // by a complete, synced file
	written
	truncated
	synced
	folderSynced
	appended // Append returned: the verdict counts
	acking   // MarkAcked was called: from now on the verdict may leave the queue
	acked    // MarkAcked returned
)

func (d *disk) act(a action) {
	if d != nil {
		d.done = append(d.done, a)
	}
}
func (d *disk) create(name string)                   { d.act(action{kind: created, name: name}) }
func (d *disk) remove(name string)                   { d.act(action{kind: removed, name: name}) }
func (d *disk) write(name string, o int64, b []byte) { d.act(action{written, name, o, b}) }
func (d *disk) truncate(name string, size int64)     { d.act(action{truncated, name, size, nil}) }
func (d *disk) sync(name string)                     { d.act(action{kind: synced, name: name}) }
func (d *disk) syncFolder()                          { d.act(action{kind: folderSynced}) }

// inode is the content of a file.
type inode struct {
	safe []byte   // on the flash
	open []action // after the last fsync
}

// content applies the open writes as far as keep allows. keep returns how many bytes of a write of
// n bytes reach the flash, -1 for none.
func (f *inode) content(keep func(n int) int) []byte {
	b := slices.Clone(f.safe)
	for _, a := range f.open {
		n := keep(len(a.data))
		switch {
		case a.kind == truncated && n >= 0:
			b = append(b[:min(int64(len(b)), a.offset)], make([]byte, max(0, a.offset-int64(len(b))))...)
		case a.kind == written && n > 0:
			if end := a.offset + int64(n); end > int64(len(b)) {
				b = append(b, make([]byte, end-int64(len(b)))...)
			}
			copy(b[a.offset:], a.data[:n])
		}
	}
	return b
}

// flash is the state of a disk at one moment.
type flash struct {
	// possible states of the folder: the synced one first, then one for each later change
	names []map[string]*inode
}

func (s *flash) step(a action) {
	now := s.names[len(s.names)-1]
	change := func(f *inode) {
		next := maps.Clone(now)
		if f == nil {
			delete(next, a.name)
		} else {
			next[a.name] = f
		}
		s.names = append(s.names, next)
	}
	switch a.kind {
	case created:
		if now[a.name] == nil {
			change(new(inode))
		}
	case removed:
		change(nil)
	case replaced:
		change(&inode{safe: a.data})
	case written, truncated:
		now[a.name].open = append(now[a.name].open, a)
	case synced:
		f := now[a.name]
		f.safe, f.open = f.content(everything), nil
	case folderSynced:
		s.names = s.names[len(s.names)-1:]
	}
}

func everything(n int) int { return n }
func nothing(int) int      { return -1 }

// lose writes into dir what a power cut leaves. Of the unsynced changes that is nothing (how 0),
// everything (1) or a random part with torn sectors (2).
func (s *flash) lose(t *testing.T, dir string, how int, r *rand.Rand) {
	t.Helper()
	names, keep := s.names[0], nothing
	switch how {
	case 1:
		names, keep = s.names[len(s.names)-1], everything
	case 2:
		names = s.names[r.IntN(len(s.names))]
		keep = func(n int) int {
			switch r.IntN(4) {
			case 0:
				return -1
			case 1:
				return r.IntN(n/512+1) * 512
			}
			return n
		}
	}
	for name, f := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.content(keep), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The power is cut at every point of a journal's life: after each write, fsync and rename. Whatever
// part of the unsynced writes is lost, the journal opens without repair, has every verdict whose
// Append had returned, unchanged, and never uses a number twice.
//
// WRITELOSS_VERDICTS=1000 tries every cut point (make test-writeloss); without it the test tries
// some cuts of a shorter life.
func TestPowerCuts(t *testing.T) {
	verdicts, stride := 420, 23
	if n, err := strconv.Atoi(os.Getenv("WRITELOSS_VERDICTS")); err == nil {
		verdicts, stride = n, 1
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	life := &disk{}
	stored := live(t, life, verdicts)

	state := &flash{names: []map[string]*inode{{}}}
	// numbers up to which: Append returned; MarkAcked returned; MarkAcked was called
	done, beyond, mayGo := uint64(0), uint64(0), uint64(0)
	cuts, kinds := 0, map[actionKind]int{}
	for i, a := range life.done {
		state.step(a)
		kinds[a.kind]++
		switch a.kind {
		case appended:
			done = uint64(a.offset)
		case acking:
			mayGo = uint64(a.offset)
		case acked:
			beyond = uint64(a.offset)
		}
		if (i+int(seed%uint64(stride)))%stride != 0 {
			continue
		}
		for how := range 3 {
			dir, err := os.MkdirTemp(t.TempDir(), "cut")
			if err != nil {
				t.Fatal(err)
			}
			state.lose(t, dir, how, r)
			if !survives(t, filepath.Join(dir, "journal.db"), stored, done, beyond, mayGo) {
				t.Fatalf("cut %d of %d, after %+v of %s at %d, variant %d", i, len(life.done), a.kind, a.name, a.offset, how)
			}
			os.RemoveAll(dir)
			cuts++
		}
	}
	t.Logf("%d verdicts, %d writes, %d fsyncs, %d files renamed: %d power cuts, nothing lost",
		verdicts, kinds[written], kinds[synced], kinds[replaced], cuts)
	if kinds[appended] != verdicts || kinds[replaced] == 0 || kinds[synced] < verdicts {
		t.Errorf("the recording is incomplete: %v", kinds)
	}
}

// live uses a journal and records it: crops, appends, acknowledgements in batches, retention.
func live(t *testing.T, d *disk, n int) map[uint64]verdict.Verdict {
	t.Helper()
	record(t, d)
	dir := t.TempDir()
	env := journal.Environment{VFS: recordingVFS, WriteFile: func(path string, data []byte, perm fs.FileMode) error {
		if err := os.WriteFile(path, data, perm); err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		d.act(action{kind: replaced, name: name, data: bytes.Clone(data)})
		d.syncFolder()
		return nil
	}}
	j, err := journal.OpenIn(env, filepath.Join(dir, "journal.db"), station)
	if err != nil {
		t.Fatal(err)
	}
	d.syncFolder() // Open syncs the folder of a new journal
	stored := map[uint64]verdict.Verdict{}
	for i := range n {
		v := aVerdict()
		v.Probability = float64(i) / float64(n)
		if i%7 == 0 {
			if v.Crop, err = j.SaveCrop([]byte("the crop")); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
		stored[v.Seq] = *v
		d.act(action{kind: appended, offset: int64(v.Seq)})
		if v.Seq%16 == 0 && v.Seq > 32 {
			last := v.Seq - 32
			d.act(action{kind: acking, offset: int64(last)})
			ack(t, j, last-15, last)
			d.act(action{kind: acked, offset: int64(last)})
		}
		if v.Seq%100 == 0 {
			sweep(t, j, journal.Limits{Bytes: 90 << 10, Age: day}, day)
		}
	}
	recorder.Lock()
	recorder.disk = nil // the power fails before Close
	recorder.Unlock()
	j.Close()
	return stored
}

// survives opens what a power cut left and checks it.
func survives(t *testing.T, path string, stored map[uint64]verdict.Verdict, done, beyond, mayGo uint64) bool {
	t.Helper()
	j, err := journal.OpenIn(journal.Environment{NoSync: true}, path, station)
	if err != nil {
		t.Error(err)
		return false
	}
	defer j.Close()
	if len(j.Notes()) > 0 {
		t.Errorf("notes %v", j.Notes())
		return false
	}
	rows, err := j.Recent(math.MaxInt32)
	if err != nil {
		t.Error(err)
		return false
	}
	found := map[uint64]bool{}
	for _, v := range rows {
		found[v.Seq] = true
		if v.Crop != "" {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), v.Crop)); err != nil {
				t.Errorf("the crop of verdict %d: %v", v.Seq, err)
				return false
			}
		}
		if diff := cmp.Diff(stored[v.Seq], v); diff != "" && v.Seq <= done {
			t.Errorf("verdict %d: stored -, found +:\n%s", v.Seq, diff)
			return false
		}
	}
	// retention may have deleted verdicts whose MarkAcked was called
	for seq := mayGo + 1; seq <= done; seq++ {
		if !found[seq] {
			t.Errorf("verdict %d is lost", seq)
			return false
		}
	}
	waiting, err := j.Pending(0, math.MaxInt32)
	if err != nil {
		t.Error(err)
		return false
	}
	if len(waiting) > 0 && waiting[0].Seq <= beyond {
		t.Errorf("verdict %d is in the queue again", waiting[0].Seq)
		return false
	}
	v := aVerdict()
	if err := j.Append(v); err != nil || v.Seq <= done || v.Seq > done+2 || found[v.Seq] {
		t.Errorf("after %d verdicts the next number is %d, %v", done, v.Seq, err)
		return false
	}
	return true
}
