package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"tirewatch/internal/durable"
)

// Seen is the state of a journal as [Look] finds it.
type Seen struct {
	Exists bool
	InUse  bool // an agent has it open; the fields below are not known
	// Unclean means that the last agent did not close it. Only the next Open reads its log, so the
	// fields below are not known.
	Unclean  bool
	Verdicts int
	Waiting  int       // verdicts that the broker has not acknowledged
	Newest   time.Time // of the newest verdict; zero: there is none
}

// Look examines a journal without changing anything. It holds the lock only for an instant and
// creates no file, which would belong to the wrong user. Errors are those of [Open].
func Look(path, station string) (Seen, error) {
	j := &Journal{path: path, station: station, env: environment{writeFile: durable.WriteFile, rename: os.Rename}}
	seen, err := j.seen()
	if err != nil {
		err = fmt.Errorf("look at journal %s: %w", path, explain(path, err))
	}
	return seen, err
}

func (j *Journal) seen() (s Seen, err error) {
	if s.InUse, err = j.lockHeld(); err != nil || s.InUse {
		s.Exists = s.InUse
		return s, err
	}
	switch info, err := os.Stat(j.path); {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, explainFile(err)
	default:
		s.Exists = info.Size() > 0
	}
	if log, err := os.Stat(j.path + "-wal"); err == nil && log.Size() > 0 {
		s.Unclean = true
	}
	if !s.Exists || s.Unclean {
		return s, nil
	}
	found, err := j.readIdle()
	// an agent started during the reading: the result may be a mixture
	if busy, heldErr := j.lockHeld(); heldErr == nil && busy {
		return Seen{Exists: true, InUse: true}, nil
	}
	found.Exists = true
	return found, err
}

// readIdle reads a database that no process has open.
func (j *Journal) readIdle() (s Seen, err error) {
	db, err := j.connect(j.path, immutable)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	version, err := j.examine(db)
	if err != nil || version == 0 {
		return s, err
	}
	if err := db.QueryRow(`SELECT count(*), count(*) FILTER (WHERE acked = 0) FROM verdicts`).
		Scan(&s.Verdicts, &s.Waiting); err != nil {
		return s, err
	}
	var ms int64
	switch err := db.QueryRow(`SELECT time FROM verdicts ORDER BY seq DESC LIMIT 1`).Scan(&ms); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return s, err
	default:
		s.Newest = time.UnixMilli(ms).UTC()
	}
	return s, nil
}
