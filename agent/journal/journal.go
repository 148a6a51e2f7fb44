// Package journal stores every verdict of the station and is the queue to the broker.
//
//	verdict -> JOURNAL -> uplink -> broker
//	              ^----- acknowledged
//
// When [Journal.Append] returns nil, the verdict has its sequence number and survives a power cut.
// The queue is the set of rows that the broker has not acknowledged; no other part of the program
// remembers what must still be sent. Start with [Open] and [Journal.Append].
//
// Files in the journal's folder:
//
//	journal.db            the verdicts: an SQLite database with its -wal and -shm
//	journal.db-numbers    the highest reserved number, in case journal.db is lost: numbers.go
//	journal.db-crops      crops of tires and the labels of people: crops.go, agent/review
//	journal.db-lock       held by the process that has the journal open
//	journal.db.damaged-*  a damaged database that a later start set aside: damage.go
//
// Tables:
//
//	verdicts  seq          INTEGER PRIMARY KEY AUTOINCREMENT, never reused; gaps lists the holes
//	          time         Unix ms, UTC
//	          label        normal, crack or no_decision
//	          probability  of a crack, 0 to 1
//	          acked        0 in the queue, 1 acknowledged by the broker, 2 unreadable
//	          body         the verdict as MessagePack with seq 0: the column holds the number
//	          crc          CRC-32C of seq (8 bytes, big endian) and body; NULL in schema 1
//	gaps      first, last  numbers that the broker may never get
//	          lost         how many verdicts that were; 0: not known
//	          why, time    reason; Unix ms, UTC
//	marks     ran          ms that the station has run with this journal, one row an hour
//	          seq          the highest number at that time: sweep.go
//	journal   station      whose verdicts these are, one row
//
// Two indexes make searches fast: search.go.
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

// schema runs in one transaction: a file is either empty or a complete journal.
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
PRAGMA application_id = %d;`, applicationID) + addedIn2

// upgrade changes schema 1 to schema 2. Rows of schema 1 have no checksum.
var upgrade = `ALTER TABLE verdicts ADD COLUMN crc INTEGER;` + addedIn2

// addedIn2 is what schema 2 added.
var addedIn2 = fmt.Sprintf(`
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

	db   *sql.DB // has one connection, which owns SQLite's lock on the file
	lock *os.File
	wake chan struct{}

	closed atomic.Bool

	sweepDue chan struct{} // capacity 1: retention should look at the limits

	ran time.Duration // running time since the last mark; owned by the goroutine that calls Sweep

	// written by Open only
	created bool
	notes   []string
	logGap  string // why stored verdicts may be missing, "" if none are; see log.go

	// held while a verdict is stored, never while a transaction of another method is open
	mu     sync.Mutex
	last   uint64          // guarded by mu; the highest number in use
	queued int             // guarded by mu; rows with acked = 0
	others []chan struct{} // guarded by mu; the channels that Watch returned

	cropMu      sync.Mutex   // may be taken under mu
	cropFolders []cropFolder // guarded by cropMu; one for each of review.Folders, in their order

	numbersMu sync.Mutex    // may be taken under mu
	numbers   numbers       // guarded by numbersMu; content of the numbers file
	damaged   chan struct{} // closed under numbersMu when the open database turns out damaged
	damage    error         // guarded by numbersMu
}

// environment is what a journal needs from the system. Tests inject failures and recorders here.
type environment struct {
	vfs       string // name of the SQLite VFS; empty: the default
	noSync    bool   // skip fsync: a power cut may lose data
	writeFile func(path string, data []byte, perm fs.FileMode) error
	rename    func(from, to string) error
}

// Path returns the path of the database.
func (j *Journal) Path() string { return j.path }

// Created reports whether Open created a new journal.
func (j *Journal) Created() bool { return j.created }

// Next returns the number of the next verdict.
func (j *Journal) Next() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last + 1
}

// Notes returns what a person must know about this Open: a damaged file, skipped numbers. It is
// usually empty.
func (j *Journal) Notes() []string { return j.notes }

// Close releases the file. Stored verdicts are safe without Close.
func (j *Journal) Close() error {
	if j.closed.Swap(true) {
		return nil
	}
	// The mark changes before SQLite removes its log: after a kill in between, the next start finds
	// a log that it does not need. If the mark cannot be written (full disk), the next start
	// assumes that the log was lost and skips numbers.
	err := errors.Join(j.inUse(false), j.db.Close())
	j.unlock()
	if err != nil {
		return fmt.Errorf("close journal %s: %w", j.path, err)
	}
	return nil
}

// Append sets the station and the next number in v and stores v. When it returns nil, the verdict
// survives a power cut. After an error there is no row, v keeps its old number, and a later Append
// may succeed. The error is ErrFull when the disk is full.
func (j *Journal) Append(v *verdict.Verdict) error {
	row := *v
	row.Station, row.Seq = j.station, 0
	if _, err := row.Encode(verdict.JSON); err != nil { // a NaN cannot be sent as JSON
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
		if errors.Is(err, ErrFull) { // a crop is worth less than a verdict
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

// requestSweep wakes Keep.
func (j *Journal) requestSweep() { notify(j.sweepDue) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum detects a row that changed on the card: SQLite checks the structure of its pages but not
// their content.
func checksum(seq uint64, body []byte) int64 {
	number := binary.BigEndian.AppendUint64(nil, seq)
	return int64(crc32.Update(crc32.Checksum(number, castagnoli), castagnoli, body))
}

// Wake returns a channel that signals after Append and once after Open. One signal may stand for
// several appends.
func (j *Journal) Wake() <-chan struct{} { return j.wake }

// Watch is Wake for another reader: each call returns a new channel.
func (j *Journal) Watch() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	wake := make(chan struct{}, 1)
	notify(wake)
	j.others = append(j.others, wake)
	return wake
}

// signal wakes all readers. The caller is Open or holds mu.
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
