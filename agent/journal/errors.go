package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrFull means that the disk is full. Verdicts that Append reported as stored are safe.
	ErrFull = errors.New("the disk is full")
	// ErrReadOnly means that a file or its folder is missing or cannot be written.
	ErrReadOnly = errors.New("the file cannot be written")
	// ErrInUse means that another process, probably a second agent, has the journal open.
	ErrInUse = errors.New("another process has it open: is a second agent running?")
	// ErrNotJournal means that the file is the database of another program.
	ErrNotJournal = errors.New("the file is the database of another program: set journal.path to another file")

	errDisk     = errors.New("the disk cannot read or write it")
	errDatabase = errors.New("the database failed")
)

// DamagedError reports a file whose content contradicts itself or cannot be read. The next Open
// sets it aside and continues in a new file.
type DamagedError struct {
	Path   string
	Detail string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged (%s): the next start sets it aside and continues in a new file", e.Path, e.Detail)
}

// VersionError reports a journal that a newer program wrote.
type VersionError struct {
	Path       string
	Have, Know int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the file has schema %d, this program knows up to %d: run the newer agent that wrote it",
		e.Have, e.Know)
}

// StationError reports a journal of another station. Its queue would be sent under the wrong name,
// and its numbers belong to the other station.
type StationError struct {
	Path       string
	Have, Want string
}

func (e *StationError) Error() string {
	return fmt.Sprintf("it belongs to station %s, this is %s: set journal.path to another file", e.Have, e.Want)
}

// fileError is a failed access to the journal's files in a plain sentence. The text of SQLite or of
// the system is left out; callers reach that error with errors.As.
type fileError struct {
	kind   error  // ErrFull, ErrReadOnly, errDisk or errDatabase
	advice string // what a person should do
	err    error  // from SQLite or the system
}

func (e *fileError) Error() string   { return fmt.Sprintf("%v: %s", e.kind, e.advice) }
func (e *fileError) Unwrap() []error { return []error{e.kind, e.err} }

func fullError(err error) error {
	return &fileError{ErrFull, "delete other files or lower journal.max_size", err}
}

func readOnlyError(err error) error {
	return &fileError{ErrReadOnly, "check that its folder exists, that both belong to the agent's user " +
		"and that the disk is not mounted read-only", err}
}

func diskError(err error) error {
	return &fileError{errDisk, "read `journalctl -k`, then check or replace the disk or card", err}
}

// explain turns SQLite's error codes into errors of this package. The caller's error names the
// file.
func explain(path string, err error) error {
	if _, done := errors.AsType[*fileError](err); done {
		return err
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	code := failure.Code()
	damaged := func(what string) error {
		return &DamagedError{Path: path, Detail: fmt.Sprintf("%s, SQLite error %d", what, code)}
	}
	switch code {
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the index of the write-ahead log found no room to grow
		return fullError(err)
	// how a worn card shows
	case sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS:
		return damaged("a part of it cannot be read")
	}
	switch code & 0xff { // the higher bits hold details
	case sqlite3.SQLITE_FULL:
		return fullError(err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return readOnlyError(err)
	case sqlite3.SQLITE_IOERR:
		return diskError(err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrInUse
	case sqlite3.SQLITE_CORRUPT:
		return damaged("its content contradicts itself")
	case sqlite3.SQLITE_NOTADB:
		return damaged("it is not an SQLite database")
	}
	return &fileError{errDatabase, fmt.Sprintf("report this with the log: %v", failure), err}
}

// explainFile turns errors of the file system into errors of this package that name the file.
func explainFile(err error) error {
	if _, done := errors.AsType[*fileError](err); done {
		return err
	}
	var plain error
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		plain = fullError(err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrNotExist):
		plain = readOnlyError(err)
	case errors.Is(err, syscall.EIO):
		plain = diskError(err)
	default:
		return err
	}
	if failure, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", failure.Path, plain)
	}
	return plain
}
