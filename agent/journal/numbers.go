package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// numbers is the content of journal.db-numbers, the second record of used numbers. The file is
// replaced before the first number of a block is used, so no number ever used is above Reserved:
//
//	1 ......... last . . . . . Reserved ......
//	in the database  reserved           unused
//
// While the database is intact, its own last number counts and nothing is skipped. If the database
// is damaged, missing or older than this file, Floor becomes Reserved and the next verdict gets
// Floor+1. The result is a recorded gap of less than a block, never a repeated number: a receiver
// would discard that as a duplicate.
type numbers struct {
	Station  string `json:"station"`
	Reserved uint64 `json:"reserved"`
	// numbers up to here are never used again, even if the database does not know them
	Floor uint64 `json:"floor"`
	// name of the damaged file whose rows must be saved; see damage.go
	Salvage string `json:"salvage,omitempty"`
	// opened and not closed, so a write-ahead log must exist
	InUse bool   `json:"in_use,omitempty"`
	CRC   uint32 `json:"crc"` // CRC-32C of this object with crc 0
}

// block is how many numbers are reserved at once. The file is written once per block, and a gap is
// at most one block.
const block = 1024

// errNumbers marks a numbers file with a wrong checksum or content.
var errNumbers = errors.New("the file of used numbers is damaged")

func (j *Journal) numbersPath() string { return j.path + "-numbers" }

// sum returns the correct CRC.
func (n numbers) sum() uint32 {
	n.CRC = 0
	data, err := json.Marshal(n)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return crc32.Checksum(data, castagnoli)
}

// readNumbers returns fs.ErrNotExist, errNumbers or *StationError for an unusable file.
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

// writeNumbers replaces the file. Its errors are already explained. The caller holds numbersMu.
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

// reserve records seq in the numbers file before it is used.
func (j *Journal) reserve(seq uint64) error {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	if j.damage != nil {
		return j.damage // the next start continues above what is reserved now
	}
	if seq <= j.numbers.Reserved {
		return nil
	}
	n := j.numbers
	n.Reserved = seq - 1 + block
	return j.writeNumbers(n)
}

// inUse records that the journal is open, or is about to be closed.
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

// chooseNext decides which number the journal continues with, once the database is open. used is
// the highest number in the database; missing is why the numbers file cannot be used, nil if it
// can. The gap, if any, is still to be stored.
func (j *Journal) chooseNext(used uint64, missing error, upgraded bool) (*Gap, error) {
	n := j.numbers
	known := max(used, n.Floor)
	var gap *Gap
	switch {
	case missing != nil && used > 0 && !upgraded && j.logGap == "":
		what := "damaged"
		if errors.Is(missing, fs.ErrNotExist) {
			what = "missing"
		}
		j.note("the file of used numbers %s was %s: it is written again from the journal", j.numbersPath(), what)
	// the usual case
	case j.logGap == "" && n.Reserved <= known+block && !(j.created && n.Reserved > n.Floor):
	default:
		if missing != nil { // the log is damaged too: nothing records the highest number
			floor, err := floorFromClock(time.Now())
			if err != nil {
				return nil, err
			}
			n.Reserved = floor
		}
		n.Floor = n.Reserved
		why := "the journal is older than its file of used numbers: was an old copy restored?"
		switch {
		case j.created:
			why = "the journal was missing, a new one begins"
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

// floorFromClock returns a floor when both the journal and its numbers file are damaged: the clock
// in milliseconds is above any number that a station can reach by counting. The clock must be
// plausible.
func floorFromClock(now time.Time) (uint64, error) {
	if now.Before(clockFloor) {
		return 0, fmt.Errorf("%w and the journal too, so numbering must continue from the clock, which shows %s: "+
			"set the clock and start again", errNumbers, now.UTC().Format(time.RFC3339))
	}
	return uint64(now.UnixMilli()), nil
}

// clockFloor is earlier than any release of this program: a clock before it is wrong.
var clockFloor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func (j *Journal) folder() string { return filepath.Dir(j.path) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
