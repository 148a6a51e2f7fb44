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

// A database that contradicts itself is replaced in steps, each of which may be the last before a
// power cut; the next start goes on:
//
//	1. the numbers' file gets Floor and the name under which the damaged file is kept   (scheduleRepair)
//	2. journal.db-wal, -shm and at last journal.db get that name                        (setAside)
//	3. journal.db.new is filled with what can still be read of the queue, and becomes journal.db (rebuild)
//	4. the numbers' file forgets the name
//
// Found aside without journal.db: step 3 is due. Found both: step 4.

// maxAside is how many damaged files stay for examination. Each can be as large as a journal, so that
// there must be an end.
const maxAside = 2

// asideMark stands before the time in the name of a damaged file.
const asideMark = ".damaged-"

// diagnose explains an error of a database at work. Damage is remembered in the numbers' file, so that
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
		// then the next start finds the damage for itself
		if failed := j.scheduleRepairLocked(damage, nil); failed != nil {
			j.damage = errors.Join(damage, failed)
		}
		close(j.damaged)
	}
	return err
}

// Damaged is closed when the database was found damaged at work. Nothing can be stored any more:
// the process must end, and Open repairs at the next start.
func (j *Journal) Damaged() <-chan struct{} { return j.damaged }

// Damage is what closed Damaged.
func (j *Journal) Damage() error {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	return j.damage
}

// scheduleRepair is step 1.
func (j *Journal) scheduleRepair(damage *DamagedError, missing error) error {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	return j.scheduleRepairLocked(damage, missing)
}

// scheduleRepairLocked is scheduleRepair for a caller that holds numbersMu.
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

// asideName is free.
func (j *Journal) asideName(now time.Time) string {
	first := filepath.Base(j.path) + asideMark + now.UTC().Format("20060102T150405Z")
	name := first
	for try := 2; exists(filepath.Join(j.folder(), name)); try++ {
		name = fmt.Sprintf("%s-%d", first, try)
	}
	return name
}

// recover does steps 2 to 4, or those that are left.
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
		j.note("the journal was damaged; it is kept as %s. %d verdicts that were not sent yet were saved from it. The next number is %d (%v)",
			aside, saved, n.Floor+1, gap)
	}
	n.Salvage, n.InUse = "", false
	if err := j.writeNumbers(n); err != nil {
		return err
	}
	return j.prune()
}

// setAside is step 2. The database itself goes last: as long as it is there, its log is read with
// it or not at all.
func (j *Journal) setAside(aside string) error {
	for _, suffix := range []string{"-shm", "-wal", ""} {
		if err := j.env.rename(j.path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep the damaged file aside: %w", explainFile(err))
		}
	}
	return durable.SyncDir(j.folder())
}

// rebuild is step 3. The new file takes its name when it is whole and durable.
func (j *Journal) rebuild(aside string, floor uint64) (gap Gap, saved int, err error) {
	temp := j.path + ".new"
	for _, suffix := range []string{"-journal", "-wal", "-shm", ""} {
		if err := os.Remove(temp + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gap, 0, explainFile(err)
		}
	}
	// Nothing of it counts before the rename, so it needs no journal of its own, and one fsync at
	// the end.
	db, err := j.connect(temp, "rwc", "auto_vacuum(INCREMENTAL)", "journal_mode(OFF)", "synchronous(OFF)")
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

// fill makes a journal with the rows of the queue that can still be read in aside, and the gaps
// that it knew. Acknowledged rows are not copied: the broker has them, and so has the file that is
// kept.
func (j *Journal) fill(db *sql.DB, aside string, floor uint64) (gap Gap, saved int, err error) {
	tx, err := db.Begin()
	if err != nil {
		return gap, 0, err
	}
	defer tx.Rollback()
	if err := j.createSchema(tx); err != nil {
		return gap, 0, err
	}
	insert, err := tx.Prepare(`INSERT INTO verdicts (seq, time, label, probability, body, crc) VALUES (?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return gap, 0, err
	}
	defer insert.Close()
	s := salvage{station: j.station, floor: floor}
	var failed error
	s.keep = func(r row) {
		_, err := insert.Exec(int64(r.seq), r.v.Time.UnixMilli(), string(r.v.Label), r.v.Probability, r.body, checksum(r.seq, r.body))
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
	gap = Gap{First: s.received + 1, Last: floor, Why: fmt.Sprintf("the journal was damaged, %d verdicts were saved from it", saved), Time: time.Now()}
	if err := insertGap(tx, gap); err != nil {
		return gap, 0, err
	}
	if err := setSequence(tx, floor); err != nil {
		return gap, 0, err
	}
	return gap, saved, tx.Commit()
}

// prune removes the oldest of the damaged files.
func (j *Journal) prune() error {
	entries, err := os.ReadDir(j.folder()) // by name, and so by time
	if err != nil {
		return explainFile(err)
	}
	var all []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, filepath.Base(j.path)+asideMark) && !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
			all = append(all, filepath.Join(j.folder(), name))
		}
	}
	for len(all) > maxAside {
		for _, suffix := range []string{"-wal", "-shm", ""} {
			if err := os.Remove(all[0] + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return explainFile(err)
			}
		}
		j.note("%s is deleted: two damaged files are kept", all[0])
		all = all[1:]
	}
	return nil
}
