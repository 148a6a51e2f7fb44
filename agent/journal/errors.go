package journal

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrFull means that the disk has no room. Nothing is lost that Append reported as stored.
	ErrFull = errors.New("the disk is full")
	// ErrReadOnly means that the file or its folder does not exist or may not be written.
	ErrReadOnly = errors.New("the file cannot be written: check that its folder exists and belongs to the agent's user")
	// ErrInUse means that another process, probably a second agent, has the journal open.
	ErrInUse = errors.New("another process has it open: is a second agent running?")
	// ErrNotJournal means that the file is a database of something else.
	ErrNotJournal = errors.New("the file is a database, but no journal")
)

// DamagedError is a file whose content contradicts itself or cannot be read. The next Open keeps it
// aside and goes on in a new one.
type DamagedError struct {
	Path   string
	Detail string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged (%s): the next start keeps it aside and goes on in a new one", e.Path, e.Detail)
}

// VersionError is a journal of a newer program.
type VersionError struct {
	Path       string
	Have, Know int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the file has schema %d, this program knows up to %d: run the newer agent that wrote it", e.Have, e.Know)
}

// StationError is a journal of another station. Its queue would be sent under the wrong name, and
// its numbers continue the other station's.
type StationError struct {
	Path       string
	Have, Want string
}

func (e *StationError) Error() string {
	return fmt.Sprintf("it belongs to station %s, this is %s: set journal.path to a file of its own", e.Have, e.Want)
}

// explain turns the codes of SQLite that callers and technicians can act on into errors of this
// package.
func explain(path string, err error) error {
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch failure.Code() {
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the index of the write-ahead log found no room to grow
		return fmt.Errorf("%w: %v", ErrFull, failure)
	case sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS: // how a worn card shows
		return &DamagedError{Path: path, Detail: failure.Error()}
	}
	switch failure.Code() & 0xff { // the rest of an extended code tells details
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %v", ErrFull, failure)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%w: %v", ErrReadOnly, failure)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrInUse
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return &DamagedError{Path: path, Detail: failure.Error()}
	}
	return err
}
