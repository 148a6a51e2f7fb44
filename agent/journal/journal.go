// Package journal keeps every verdict of the station, and is the queue to the broker.
//
//	verdict -> JOURNAL -> uplink -> broker
//	              ^----- acknowledged
//
// A verdict counts from the moment Append returns: it has its sequence number and survives a power cut. The rows that are not yet
// acknowledged are the queue; nothing else in the program remembers what still has to be sent. Newcomers need Open and Append.
//
// The file is an SQLite database that one process holds at a time:
//
//	verdicts  seq          INTEGER PRIMARY KEY AUTOINCREMENT, from 1, never used twice, without a gap
//	          time         Unix ms, UTC
//	          label        normal or crack
//	          probability  of a crack, 0 to 1
//	          acked        1 once the broker has taken it
//	          body         the verdict as MessagePack, its seq 0: the column holds the number
//	journal   station      whose verdicts these are, one row
package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"tirewatch/vision/verdict"
)

// Version is the schema that this program writes, kept in the database's user_version.
const Version = 1

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
	body        BLOB NOT NULL
) STRICT;
CREATE INDEX pending ON verdicts (seq) WHERE acked = 0;
PRAGMA application_id = %d;
PRAGMA user_version = %d;`, applicationID, Version)

// Journal is an open journal file. Its methods may be called from any goroutine.
type Journal struct {
	path    string
	station string
	created bool
	db      *sql.DB // holds one connection, which owns the file's lock
	wake    chan struct{}
}

// Open opens the journal of station at path, or creates it when there is no file; the folder must exist. The file is checked before
// anything is written, and a file that cannot be used stays as it is: *DamagedError, *VersionError, *StationError, ErrNotJournal, ErrInUse,
// ErrReadOnly.
func Open(path, station string) (*Journal, error) {
	j := &Journal{path: path, station: station, wake: make(chan struct{}, 1)}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.created = true
	case err != nil:
		return nil, fmt.Errorf("open journal: %w", err)
	case info.Size() == 0: // created, and the power went before anything was in it
		j.created = true
	default:
		if j.created, err = j.inspect(); err != nil {
			return nil, fmt.Errorf("open journal %s: %w", path, j.explain(err))
		}
	}
	if err := j.open(); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, j.explain(err))
	}
	j.signal() // what an earlier run left is waiting
	return j, nil
}

// dsn names the database for the driver. Every connection runs the pragmas, in this order.
func (j *Journal) dsn(mode string, pragmas ...string) (string, error) {
	path, err := filepath.Abs(j.path)
	if err != nil {
		return "", err
	}
	query := url.Values{"mode": {mode}, "_pragma": pragmas}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	return u.String(), nil
}

// inspect reads the existing file through a connection that cannot write. It returns true when there is no schema in it yet.
func (j *Journal) inspect() (empty bool, err error) {
	dsn, err := j.dsn("ro")
	if err != nil {
		return false, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)

	var id, version, tables int
	if err := db.QueryRow(`SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &version, &tables); err != nil {
		return false, err
	}
	switch {
	case id == 0 && version == 0 && tables == 0: // the power went between creating the file and its schema
		return true, nil
	case id != applicationID:
		return false, ErrNotJournal
	case version > Version:
		return false, &VersionError{Path: j.path, Have: version, Know: Version}
	}
	var found string
	if err := db.QueryRow(`PRAGMA quick_check(1)`).Scan(&found); err != nil {
		return false, err
	}
	if found != "ok" {
		return false, &DamagedError{Path: j.path, Detail: found}
	}
	var owner string
	if err := db.QueryRow(`SELECT station FROM journal`).Scan(&owner); err != nil {
		return false, err
	}
	if owner != j.station {
		return false, &StationError{Path: j.path, Have: owner, Want: j.station}
	}
	return false, nil
}

// open makes the connection that writes, and the schema when the file is new.
func (j *Journal) open() error {
	dsn, err := j.dsn("rwc",
		"locking_mode(EXCLUSIVE)", // a second agent on the same file would send everything twice
		"journal_mode(WAL)",
		"synchronous(FULL)", // a commit is on the disk before Append returns
		fmt.Sprintf("journal_size_limit(%d)", 8<<20),
	)
	if err != nil {
		return err
	}
	if j.db, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	j.db.SetMaxOpenConns(1)
	if err := j.prepare(); err != nil {
		return errors.Join(err, j.db.Close())
	}
	return nil
}

func (j *Journal) prepare() error {
	tx, err := j.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if j.created {
		if _, err := tx.Exec(schema); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO journal (station) VALUES (?)`, j.station); err != nil {
			return err
		}
	} else if _, err := tx.Exec(`UPDATE journal SET station = station`); err != nil { // the first write takes the lock
		return err
	}
	return tx.Commit()
}

// Created says whether Open found no journal and began a new one, whose numbers start at 1 again.
func (j *Journal) Created() bool { return j.created }

// Close gives the file free. Verdicts need no Close to be safe.
func (j *Journal) Close() error {
	if err := j.db.Close(); err != nil {
		return fmt.Errorf("close journal %s: %w", j.path, err)
	}
	return nil
}

// Append gives v the station and its next number and stores it. When it returns nil the verdict survives a power cut; after an error
// there is no row, v keeps the number it had, and the next Append may succeed: ErrFull when the disk is full.
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
	result, err := j.db.Exec(`INSERT INTO verdicts (time, label, probability, body) VALUES (?, ?, ?, ?)`,
		row.Time.UnixMilli(), string(row.Label), row.Probability, body)
	if err != nil {
		return fmt.Errorf("append to journal %s: %w", j.path, j.explain(err))
	}
	seq, err := result.LastInsertId()
	if err != nil {
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	v.Station, v.Seq = j.station, uint64(seq)
	j.signal()
	return nil
}

// Wake receives after Append, and once after Open. Several appends may be told by one receive.
func (j *Journal) Wake() <-chan struct{} { return j.wake }

func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Pending returns unacknowledged verdicts with numbers above after, at most limit, in the order of their numbers.
func (j *Journal) Pending(after uint64, limit int) ([]verdict.Verdict, error) {
	return j.read(`SELECT seq, body FROM verdicts WHERE acked = 0 AND seq > ? ORDER BY seq LIMIT ?`, int64(after), limit)
}

// Recent returns the last n verdicts, the newest first.
func (j *Journal) Recent(n int) ([]verdict.Verdict, error) {
	return j.read(`SELECT seq, body FROM verdicts ORDER BY seq DESC LIMIT ?`, n)
}

func (j *Journal) read(query string, args ...any) ([]verdict.Verdict, error) {
	rows, err := j.db.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", j.path, j.explain(err))
	}
	defer rows.Close()
	var found []verdict.Verdict
	for rows.Next() {
		var seq int64
		var body []byte
		if err := rows.Scan(&seq, &body); err != nil {
			return nil, fmt.Errorf("read journal %s: %w", j.path, j.explain(err))
		}
		v, err := verdict.Decode(body)
		if err != nil {
			return nil, fmt.Errorf("read journal %s: %w", j.path,
				&DamagedError{Path: j.path, Detail: fmt.Sprintf("verdict %d: %v", seq, err)})
		}
		v.Seq = uint64(seq)
		found = append(found, *v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read journal %s: %w", j.path, j.explain(err))
	}
	return found, nil
}

// MarkAcked takes verdicts off the queue, all of seqs or, after an error, none. Unknown and repeated numbers are no error.
func (j *Journal) MarkAcked(seqs ...uint64) error {
	if err := j.markAcked(seqs); err != nil {
		return fmt.Errorf("acknowledge in journal %s: %w", j.path, j.explain(err))
	}
	return nil
}

func (j *Journal) markAcked(seqs []uint64) error {
	tx, err := j.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	mark, err := tx.Prepare(`UPDATE verdicts SET acked = 1 WHERE seq = ?`)
	if err != nil {
		return err
	}
	defer mark.Close()
	for _, seq := range seqs {
		if _, err := mark.Exec(int64(seq)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Depth is the length of the queue and the time of its oldest verdict, zero when it is empty.
func (j *Journal) Depth() (n int, oldest time.Time, err error) {
	var first sql.NullInt64
	err = j.db.QueryRow(`SELECT (SELECT count(*) FROM verdicts WHERE acked = 0),
		(SELECT time FROM verdicts WHERE acked = 0 ORDER BY seq LIMIT 1)`).Scan(&n, &first)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read journal %s: %w", j.path, j.explain(err))
	}
	if first.Valid {
		oldest = time.UnixMilli(first.Int64).UTC()
	}
	return n, oldest, nil
}
