package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// numbers is the file journal.db-numbers, the second place that knows which numbers are used up. It
// is replaced as a whole, before the first number of a block is used, so each number that was ever
// given away is at most Reserved:
//
//	1 ......... last  . . . . . Reserved
//	in the database   promised  never used
//
// While the database is whole, its own last number counts and nothing is skipped. When the database
// is damaged, gone or older than this file, Floor is set to Reserved and the next verdict is
// Floor+1: a gap of less than a block, which is noted, and never a repeat. A receiver would throw a
// repeated number away as one that it has already.
type numbers struct {
	Station  string `json:"station"`
	Reserved uint64 `json:"reserved"`
	// numbers up to here are not used again, whatever the database says
	Floor uint64 `json:"floor"`
	// name of the damaged file whose rows are to be saved; see damage.go
	Salvage string `json:"salvage,omitempty"`
	// opened and not closed: there must be a write-ahead log
	InUse bool   `json:"in_use,omitempty"`
	CRC   uint32 `json:"crc"` // CRC-32C of this object with crc 0
}

// block is how many numbers are reserved at once: the file is written as rarely, and a gap is at
// most as long.
const block = 1024

// errNumbers marks a numbers' file that cannot be believed.
var errNumbers = errors.New("the file of used numbers is damaged")

func (j *Journal) numbersPath() string { return j.path + "-numbers" }

// sum is what CRC should be.
func (n numbers) sum() uint32 {
	n.CRC = 0
	data, err := json.Marshal(n)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return crc32.Checksum(data, castagnoli)
}

// readNumbers returns fs.ErrNotExist, errNumbers or *StationError for a file that is of no use.
func (j *Journal) readNumbers() (numbers, error) {
	data, err := os.ReadFile(j.numbersPath())
	if err != nil {
		return numbers{}, err
	}
	var n numbers
	if err := json.Unmarshal(data, &n); err != nil || n.CRC != n.sum() || n.Floor > n.Reserved {
		return numbers{}, errNumbers
	}
	if n.Station != j.station {
		return numbers{}, &StationError{Path: j.numbersPath(), Have: n.Station, Want: j.station}
	}
	return n, nil
}

// writeNumbers replaces the file. What it returns is an error of this package.
func (j *Journal) writeNumbers(n numbers) error {
	n.Station = j.station
	n.CRC = n.sum()
	data, err := json.Marshal(n)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	if err := j.env.writeFile(j.numbersPath(), append(data, '\n'), 0o640); err != nil {
		return fmt.Errorf("reserve numbers: %w", explainFile(err))
	}
	j.numbers = n
	return nil
}

// reserve makes sure that seq is promised in the numbers' file before it is used.
func (j *Journal) reserve(seq uint64) error {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	if j.damage != nil {
		return j.damage // the next start goes on above what is reserved now
	}
	if seq <= j.numbers.Reserved {
		return nil
	}
	n := j.numbers
	n.Reserved = seq - 1 + block
	return j.writeNumbers(n)
}

// inUse notes that the journal is open, or is about to be closed.
func (j *Journal) inUse(open bool) error {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	if j.numbers.InUse == open || j.damage != nil {
		return nil
	}
	n := j.numbers
	n.InUse = open
	return j.writeNumbers(n)
}

// chooseNext decides with which number the journal goes on, after the database was opened. used is the
// highest number that the database knows.
func (j *Journal) chooseNext(used uint64, missing error, upgraded bool) (*Gap, error) {
	n := j.numbers
	known := max(used, n.Floor)
	var gap *Gap
	switch {
	case missing != nil && used > 0 && !upgraded && j.logGap == "":
		j.note("%s: %v: it is written anew from the journal", j.numbersPath(), missing)
	case j.logGap == "" && n.Reserved <= known+block && !(j.created && n.Reserved > n.Floor): // the usual case
	default:
		if missing != nil { // and the log is damaged: nothing knows how far the numbers went
			floor, err := floorFromClock(time.Now())
			if err != nil {
				return nil, err
			}
			n.Reserved = floor
		}
		n.Floor = n.Reserved
		why := "the journal is older than the numbers that were given away: was a copy put in its place?"
		switch {
		case j.created:
			why = "the journal is gone, another begins"
		case j.logGap != "":
			why = j.logGap
		}
		gap = &Gap{First: known + 1, Last: n.Floor, Why: why, Time: time.Now()}
		j.note("%s: %v", j.path, gap)
		known = n.Floor
	}
	j.last, j.numbers = known, n
	return gap, nil
}

// floorFromClock is a floor for the case that the journal and its numbers' file are damaged both: the clock
// in milliseconds is above any number that a station can have reached by counting, and again later.
// It must show a time of this program's life.
func floorFromClock(now time.Time) (uint64, error) {
	if now.Before(clockFloor) {
		return 0, fmt.Errorf("%w: which numbers are used is not known, and the clock, from which to go on, shows %s: set the clock and start again",
			errNumbers, now.UTC().Format(time.RFC3339))
	}
	return uint64(now.UnixMilli()), nil
}

// clockFloor is before any use of this program: an earlier clock is wrong.
var clockFloor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// explainFile turns errors of the file system into errors of this package.
func explainFile(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %v", ErrFull, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %v", ErrReadOnly, err)
	}
	return err
}

func (j *Journal) folder() string { return filepath.Dir(j.path) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
