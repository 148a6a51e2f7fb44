package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tirewatch/internal/durable"
)

// A damaged database is replaced in steps. The power may fail after each of them; the next start
// continues:
//
//	1. write Floor and the name for the damaged file into the numbers file   (scheduleRepair)
//	2. rename journal.db-shm, -wal and last journal.db to that name          (setAside)
//	3. fill journal.db.new with the readable rows of the queue, rename it    (rebuild)
//	   to journal.db
//	4. clear the name in the numbers file                                    (recover)
//
// If only the damaged file exists, step 3 is next. If journal.db exists too, step 4 is next.

// maxAside is how many damaged files are kept for examination. Each can be as large as a journal.
const maxAside = 2

// asideMark precedes the time in the name of a damaged file.
const asideMark = ".damaged-"

// diagnose explains an error of the open database. It records damage in the numbers file, so that
// the next start repairs it.
func (j *Journal) diagnose(err error) error {
	err = explain(j.path, err)
	damage, ok := errors.AsType[*DamagedError](err)
	if !ok {
		return err
	}
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	if j.damage == nil {
		j.damage = damage
		// if the disk does not take the record, the next start finds the damage itself
		if failed := j.scheduleRepairLocked(damage, nil); failed != nil {
			j.damage = errors.Join(damage, failed)
		}
		close(j.damaged)
	}
	return err
}

// Damaged returns a channel that is closed when the open database turns out to be damaged. From
// then on nothing can be stored: the process must end, and the next Open repairs the journal.
func (j *Journal) Damaged() <-chan struct{} { return j.damaged }

// Damage returns the error that closed Damaged.
func (j *Journal) Damage() error {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	return j.damage
}

// scheduleRepair does step 1.
func (j *Journal) scheduleRepair(damage *DamagedError, missing error) error {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	return j.scheduleRepairLocked(damage, missing)
}

// scheduleRepairLocked does step 1. The caller holds numbersMu.
func (j *Journal) scheduleRepairLocked(damage *DamagedError, missing error) error {
	n := j.numbers
	if missing != nil {
		floor, err := floorFromClock(time.Now())
		if err != nil {
			return errors.Join(damage, err)
		}
		n.Reserved = floor
	}
	n.Floor = n.Reserved
	n.Salvage = j.asideName(time.Now())
	return j.writeNumbers(n)
}

// asideName returns an unused name for the damaged file.
func (j *Journal) asideName(now time.Time) string {
	first := filepath.Base(j.path) + asideMark + now.UTC().Format("20060102T150405Z")
	name := first
	for try := 2; exists(filepath.Join(j.folder(), name)); try++ {
		name = fmt.Sprintf("%s-%d", first, try)
	}
	return name
}

// recover does steps 2 to 4, or those that are still to do.
func (j *Journal) recover() error {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	n := j.numbers
	aside := filepath.Join(j.folder(), n.Salvage)
	if !exists(aside) {
		if err := j.setAside(aside); err != nil {
			return err
		}
	}
	if !exists(j.path) {
		gap, saved, err := j.rebuild(aside, n.Floor)
		if err != nil {
			return err
		}
		j.note("the journal was damaged; it is kept as %s. %d unsent verdicts were saved from it. "+
			"The next number is %d (%v)", aside, saved, n.Floor+1, gap)
	}
	n.Salvage, n.InUse = "", false
	if err := j.writeNumbers(n); err != nil {
		return err
	}
	return j.prune()
}

// setAside does step 2. The database is renamed last: while it exists, its log is read together
// with it or not at all.
func (j *Journal) setAside(aside string) error {
	for _, suffix := range []string{"-shm", "-wal", ""} {
		if err := j.env.rename(j.path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set the damaged file aside: %w", explainFile(err))
		}
	}
	return durable.SyncDir(j.folder())
}

// rebuild does step 3. The new file gets its name when it is complete and durable.
func (j *Journal) rebuild(aside string, floor uint64) (gap Gap, saved int, err error) {
	temp := j.path + ".new"
	for _, suffix := range []string{"-journal", "-wal", "-shm", ""} {
		if err := os.Remove(temp + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gap, 0, explainFile(err)
		}
	}
	// The file does not count before the rename, so it needs no rollback journal and only one fsync
	// at the end.
	db, err := j.connect(temp, "rwc",
		"auto_vacuum(INCREMENTAL)", "journal_mode(OFF)", "synchronous(OFF)")
	if err != nil {
		return gap, 0, err
	}
	gap, saved, err = j.fill(db, aside, floor)
	if err = errors.Join(err, db.Close()); err != nil {
		return gap, 0, explain(temp, err)
	}
	if err := syncFile(temp); err != nil {
		return gap, 0, explainFile(err)
	}
	if err := j.env.rename(temp, j.path); err != nil {
		return gap, 0, explainFile(err)
	}
	return gap, saved, durable.SyncDir(j.folder())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// fill writes a new journal with the readable rows of aside's queue and its gaps. Acknowledged rows
// are not copied: the broker has them, and the damaged file is kept.
func (j *Journal) fill(db *sql.DB, aside string, floor uint64) (gap Gap, saved int, err error) {
	tx, err := db.Begin()
	if err != nil {
		return gap, 0, err
	}
	defer tx.Rollback()
	if err := j.createSchema(tx); err != nil {
		return gap, 0, err
	}
	insert, err := tx.Prepare(`INSERT INTO verdicts (seq, time, label, probability, body, crc)
		VALUES (?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return gap, 0, err
	}
	defer insert.Close()
	s := salvage{station: j.station, floor: floor}
	var failed error
	s.keep = func(r row) {
		_, err := insert.Exec(int64(r.seq), r.v.Time.UnixMilli(), string(r.v.Label), r.v.Probability,
			r.body, checksum(r.seq, r.body))
		failed = errors.Join(failed, err)
		saved++
	}
	s.gap = func(g Gap) { failed = errors.Join(failed, insertGap(tx, g)) }
	if old, err := j.connect(aside, "ro"); err == nil {
		s.run(old)
		old.Close()
	}
	if failed != nil {
		return gap, 0, failed
	}
	gap = Gap{First: s.received + 1, Last: floor, Time: time.Now(),
		Why: fmt.Sprintf("the journal was damaged, %d verdicts were saved from it", saved)}
	if err := insertGap(tx, gap); err != nil {
		return gap, 0, err
	}
	if err := setSequence(tx, floor); err != nil {
		return gap, 0, err
	}
	return gap, saved, tx.Commit()
}

// prune deletes the oldest damaged files.
func (j *Journal) prune() error {
	entries, err := os.ReadDir(j.folder()) // sorted by name, and so by time
	if err != nil {
		return explainFile(err)
	}
	var all []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, filepath.Base(j.path)+asideMark) &&
			!strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
			all = append(all, filepath.Join(j.folder(), name))
		}
	}
	for len(all) > maxAside {
		for _, suffix := range []string{"-wal", "-shm", ""} {
			if err := os.Remove(all[0] + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return explainFile(err)
			}
		}
		j.note("deleted %s: only the newest %d damaged files are kept", all[0], maxAside)
		all = all[1:]
	}
	return nil
}
