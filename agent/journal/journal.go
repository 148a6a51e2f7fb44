// Package journal keeps every verdict of the station, and is the queue to the broker.
//
//	verdict -> JOURNAL -> uplink -> broker
//	              ^----- acknowledged
//
// A verdict counts from the moment Append returns: it has its sequence number and survives a power
// cut. The rows that are not yet acknowledged are the queue; nothing else in the program remembers
// what still has to be sent. Newcomers need Open and Append.
//
// These names lie in the journal's folder:
//
//	journal.db           the verdicts, an SQLite database with its -wal and -shm
//	journal.db-numbers   which numbers are used up, in case that journal.db is damaged or gone: numbers.go
//	journal.db-crops     pictures of tires, and what people say of them: crops.go, agent/review
//	journal.db-lock      held by the process that has the journal open
//	journal.db.damaged-* a database that contradicted itself, kept aside by a later start: damage.go
//
// The tables:
//
//	verdicts  seq          INTEGER PRIMARY KEY AUTOINCREMENT, never used twice, without a gap but those in gaps
//	          time         Unix ms, UTC
//	          label        normal, crack or no_decision
//	          probability  of a crack, 0 to 1
//	          acked        0 in the queue, 1 once the broker has taken it, 2 when the row cannot be read any more
//	          body         the verdict as MessagePack, its seq 0: the column holds the number
//	          crc          CRC-32C of seq (8 bytes, big endian) and body; NULL in rows of schema 1
//	gaps      first, last  numbers that the broker may never get
//	          lost         how many verdicts that were; 0: not known
//	          why, time    Unix ms, UTC
//	marks     ran          ms that the station has worked with this journal, one row for each hour of it
//	          seq          the highest number at that time: sweep.go
//	journal   station      whose verdicts these are, one row
//
// Two indexes make them quick to search: search.go.
package journal

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"tirewatch/vision/verdict"
)

// Version is the schema that this program writes, kept in the database's user_version.
const Version = 2

// applicationID marks a database as a journal: "TIRE" in the header's application id.
const applicationID = 0x54495245

// schema runs in one transaction, so that a file is either no journal yet or a whole one.
var schema = fmt.Sprintf(`
CREATE TABLE journal (station TEXT NOT NULL) STRICT;
CREATE TABLE verdicts (
	seq         INTEGER PRIMARY KEY AUTOINCREMENT,
	time        INTEGER NOT NULL,
	label       TEXT NOT NULL,
	probability REAL NOT NULL,
	acked       INTEGER NOT NULL DEFAULT 0,
	body        BLOB NOT NULL,
	crc         INTEGER
) STRICT;
CREATE INDEX pending ON verdicts (seq) WHERE acked = 0;
PRAGMA application_id = %d;`, applicationID) + later

// upgrade makes schema 2 of schema 1. Rows of schema 1 have no checksum, which is no error.
var upgrade = `ALTER TABLE verdicts ADD COLUMN crc INTEGER;` + later

// later is what schema 2 added.
var later = fmt.Sprintf(`
CREATE TABLE gaps (
	first INTEGER NOT NULL,
	last  INTEGER NOT NULL,
	lost  INTEGER NOT NULL,
	why   TEXT NOT NULL,
	time  INTEGER NOT NULL,
	UNIQUE (first, last, why)
) STRICT;
CREATE TABLE marks (ran INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
PRAGMA user_version = %d;`, Version)

// Journal is an open journal file. Its methods may be called from any goroutine.
type Journal struct {
	path    string
	station string
	env     environment

	db   *sql.DB // holds one connection, which owns the file's lock
	lock *os.File
	wake chan struct{}

	closed atomic.Bool

	sweepDue chan struct{} // capacity 1: there may be something to delete

	ran time.Duration // since the last mark; owned by the goroutine that calls Sweep

	// written by Open only
	created bool
	notes   []string
	logGap  string // why verdicts that were stored may be missing, "" for none; see log.go

	// is held while a verdict is stored, never while a transaction of another method is open
	mu     sync.Mutex
	last   uint64          // guarded by mu; the highest number in use
	queued int             // guarded by mu; rows with acked = 0
	others []chan struct{} // guarded by mu; those of Watch

	cropMu      sync.Mutex   // may be taken under mu
	cropFolders []cropFolder // guarded by cropMu; one for each of review.Folders, in their order

	numbersMu sync.Mutex    // may be taken under mu
	numbers   numbers       // guarded by numbersMu; what the numbers' file says
	damaged   chan struct{} // closed under numbersMu, when the file was found damaged at work
	damage    error         // guarded by numbersMu
}

// environment is what a journal needs of the system; tests put failures and recorders in its place.
type environment struct {
	vfs       string // SQLite's name of the file system, empty for its own
	noSync    bool   // a power cut does not matter
	writeFile func(path string, data []byte, perm fs.FileMode) error
	rename    func(from, to string) error
}

// Path is where the database is.
func (j *Journal) Path() string { return j.path }

// Created says whether Open found no journal and began a new one.
func (j *Journal) Created() bool { return j.created }

// Next is the number that the next verdict gets.
func (j *Journal) Next() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last + 1
}

// Notes are what Open found that a person must know: a damaged file, numbers that were skipped.
// Usually there are none.
func (j *Journal) Notes() []string { return j.notes }

// Close gives the file free. Verdicts need no Close to be safe.
func (j *Journal) Close() error {
	if j.closed.Swap(true) {
		return nil
	}
	// Noted before SQLite removes its log: killed in between, the next start finds a log that it
	// did not need. When it cannot be noted, on a full disk, the next start takes the log for lost
	// and skips numbers.
	err := errors.Join(j.inUse(false), j.db.Close())
	j.unlock()
	if err != nil {
		return fmt.Errorf("close journal %s: %w", j.path, err)
	}
	return nil
}

// Append gives v the station and its next number and stores it. When it returns nil the verdict
// survives a power cut; after an error there is no row, v keeps the number it had, and the next
// Append may succeed: ErrFull when the disk is full.
func (j *Journal) Append(v *verdict.Verdict) error {
	row := *v
	row.Station, row.Seq = j.station, 0
	if _, err := row.Encode(verdict.JSON); err != nil { // a NaN in the queue could never be sent
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	body, err := row.Encode(verdict.MessagePack)
	if err != nil {
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	seq := j.last + 1
	if err := j.reserve(seq); err != nil {
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	_, err = j.db.Exec(`INSERT INTO verdicts (seq, time, label, probability, body, crc) VALUES (?, ?, ?, ?, ?, ?)`,
		int64(seq), row.Time.UnixMilli(), string(row.Label), row.Probability, body, checksum(seq, body))
	if err != nil {
		err = j.diagnose(err)
		if errors.Is(err, ErrFull) { // a picture is worth less than a verdict
			if _, dropErr := j.dropCrops(0, 0, cropsForRoom); dropErr != nil {
				err = errors.Join(err, dropErr)
			}
		}
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	j.last = seq
	j.queued++
	if seq%keepAfter == 0 {
		j.requestSweep()
	}
	v.Station, v.Seq = j.station, seq
	j.signal()
	return nil
}

// requestSweep calls Keep.
func (j *Journal) requestSweep() { notify(j.sweepDue) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is what makes a row that rotted on the card noticed: SQLite checks the structure of its
// pages and not their content.
func checksum(seq uint64, body []byte) int64 {
	number := binary.BigEndian.AppendUint64(nil, seq)
	return int64(crc32.Update(crc32.Checksum(number, castagnoli), castagnoli, body))
}

// Wake receives after Append, and once after Open. Several appends may be told by one receive.
func (j *Journal) Wake() <-chan struct{} { return j.wake }

// Watch is Wake for one more reader: each call gives a channel of its own.
func (j *Journal) Watch() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	wake := make(chan struct{}, 1)
	notify(wake)
	j.others = append(j.others, wake)
	return wake
}

// signal is called under mu, or by Open.
func (j *Journal) signal() {
	notify(j.wake)
	for _, wake := range j.others {
		notify(wake)
	}
}

func notify(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
