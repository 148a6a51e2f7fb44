package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tirewatch/internal/durable"
)

// Open opens the journal of station at path, or creates it when there is no file; the folder must
// exist. The file is checked before anything is written. A file that contradicts itself is kept
// aside under another name and the numbers go on in a new one, which Notes tells; a file that
// another program or station needs stays as it is: *VersionError, *StationError, ErrNotJournal,
// ErrInUse, ErrReadOnly.
func Open(path, station string) (*Journal, error) {
	return openIn(environment{writeFile: durable.WriteFile, rename: os.Rename}, path, station)
}

func openIn(env environment, path, station string) (*Journal, error) {
	j := &Journal{path: path, station: station, env: env,
		wake: make(chan struct{}, 1), sweepDue: make(chan struct{}, 1), damaged: make(chan struct{})}
	if err := j.acquire(); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	if err := j.begin(); err != nil {
		j.unlock()
		return nil, fmt.Errorf("open journal %s: %w", path, explain(path, err))
	}
	j.signal() // what an earlier run left is waiting
	return j, nil
}

// begin finds out in which state the files are, repairs what can be repaired, and opens the
// database.
func (j *Journal) begin() error {
	missing := j.loadNumbers()
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) && !errors.Is(missing, errNumbers) {
		return missing
	}
	if j.numbers.Salvage != "" { // an earlier run found the damage, and perhaps began
		if err := j.recover(); err != nil {
			return err
		}
	}
	// Before anything opens the database, which would begin a new log where one is missing.
	lost, err := j.logLost(j.numbers.InUse)
	if err != nil {
		return explainFile(err)
	}
	version, err := j.look()
	if damage, ok := errors.AsType[*DamagedError](explain(j.path, err)); ok {
		if err := j.scheduleRepair(damage, missing); err != nil {
			return err
		}
		missing, lost = nil, "" // the gap of the repair holds all of that
		if err := j.recover(); err != nil {
			return err
		}
		version, err = j.look()
	}
	if err != nil {
		return err
	}
	if !j.created {
		j.logGap = lost
	}
	if err := j.open(version, missing); err != nil {
		return err
	}
	// On a full disk there is no mark, and a log that vanishes would go unnoticed. That is no
	// reason not to inspect.
	_ = j.inUse(true)
	return nil
}

func (j *Journal) loadNumbers() (missing error) {
	j.numbersMu.Lock()
	defer j.numbersMu.Unlock()
	j.numbers, missing = j.readNumbers()
	return missing
}

func (j *Journal) note(format string, args ...any) {
	j.notes = append(j.notes, fmt.Sprintf(format, args...))
}

// look examines the file. It returns the schema, and sets created when there is none yet.
func (j *Journal) look() (version int, err error) {
	info, err := os.Stat(j.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.created = true
		return 0, nil
	case err != nil:
		return 0, err
	case info.Size() == 0: // created, and the power went before anything was in it
		j.created = true
		return 0, nil
	}
	version, err = j.inspect()
	if failure, ok := errors.AsType[*sqlite.Error](err); ok && failure.Code() == sqlite3.SQLITE_READONLY_ROLLBACK {
		// The power went while the file was being made, before it had a write-ahead log.
		if err := j.rollBack(); err != nil {
			return 0, err
		}
		version, err = j.inspect()
	}
	j.created = err == nil && version == 0
	return version, err
}

// rollBack lets SQLite take an unfinished change of a rollback journal back, which a connection
// that cannot write cannot do.
func (j *Journal) rollBack() error {
	db, err := j.connect(j.path, "rw")
	if err != nil {
		return err
	}
	var tables int
	return errors.Join(db.QueryRow(`SELECT count(*) FROM sqlite_schema`).Scan(&tables), db.Close())
}

// immutable is the mode of a database that nobody changes.
const immutable = "immutable"

// dsn names a database for the driver. Every connection runs the pragmas, in this order.
func (j *Journal) dsn(path, mode string, pragmas ...string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	query := url.Values{"mode": {mode}, "_pragma": pragmas}
	// SQLite then makes neither log nor index beside the file, and takes no lock
	if mode == immutable {
		query.Set("mode", "ro")
		query.Set("immutable", "1")
	}
	if j.env.vfs != "" {
		query.Set("vfs", j.env.vfs)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	return u.String(), nil
}

// connect opens a database with one connection.
func (j *Journal) connect(path, mode string, pragmas ...string) (*sql.DB, error) {
	dsn, err := j.dsn(path, mode, pragmas...)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// inspect reads the existing file through a connection that cannot write. It returns schema 0 when
// there is none in it yet.
func (j *Journal) inspect() (version int, err error) {
	db, err := j.connect(j.path, "ro")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return j.examine(db)
}

// examine says which schema a database has, whether it is whole, and whether it is this station's.
func (j *Journal) examine(db *sql.DB) (version int, err error) {
	var id, tables int
	if err := db.QueryRow(`SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &version, &tables); err != nil {
		return 0, err
	}
	switch {
	case id == 0 && version == 0 && tables == 0: // the power went between creating the file and its schema
		return 0, nil
	case id != applicationID:
		return 0, ErrNotJournal
	case version > Version:
		return 0, &VersionError{Path: j.path, Have: version, Know: Version}
	}
	var found string
	if err := db.QueryRow(`PRAGMA quick_check(1)`).Scan(&found); err != nil {
		return 0, err
	}
	if found != "ok" {
		return 0, &DamagedError{Path: j.path, Detail: found}
	}
	var owner string
	switch err := db.QueryRow(`SELECT station FROM journal`).Scan(&owner); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, &DamagedError{Path: j.path, Detail: "it names no station"}
	case err != nil:
		return 0, err
	}
	if owner != j.station {
		return 0, &StationError{Path: j.path, Have: owner, Want: j.station}
	}
	return version, nil
}

// open makes the connection that writes, and the schema when the file is new.
func (j *Journal) open(version int, missing error) (err error) {
	synchronous := "synchronous(FULL)" // a commit is on the disk before Append returns
	if j.env.noSync {
		synchronous = "synchronous(OFF)"
	}
	j.db, err = j.connect(j.path, "rwc",
		"auto_vacuum(INCREMENTAL)", // a new file can shrink; of an old one it changes nothing
		"locking_mode(EXCLUSIVE)",  // a second agent on the same file would send everything twice
		"journal_mode(WAL)",
		synchronous,
		fmt.Sprintf("journal_size_limit(%d)", 8<<20),
	)
	if err != nil {
		return err
	}
	if err := j.prepare(version, missing); err != nil {
		return errors.Join(err, j.db.Close())
	}
	// On a full disk searching is slow, which is no reason not to inspect.
	if _, err := j.db.Exec(indexes); err != nil && !errors.Is(explain(j.path, err), ErrFull) {
		return errors.Join(err, j.db.Close())
	}
	if err := j.loadCrops(); err != nil {
		return errors.Join(fmt.Errorf("look through the pictures: %w", explainFile(err)), j.db.Close())
	}
	if j.created { // the names of the new files are durable before the first verdict in them
		if err := durable.SyncDir(j.folder()); err != nil {
			return errors.Join(err, j.db.Close())
		}
	}
	return nil
}

func (j *Journal) prepare(version int, missing error) error {
	tx, err := j.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	switch {
	case j.created:
		err = j.createSchema(tx)
	case version < Version:
		_, err = tx.Exec(upgrade)
	default:
		_, err = tx.Exec(`UPDATE journal SET station = station`) // the first write takes the lock
	}
	if err != nil {
		return err
	}
	var used int64
	if err := tx.QueryRow(`SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'verdicts'), 0),
		(SELECT count(*) FROM verdicts WHERE acked = 0)`).Scan(&used, &j.queued); err != nil {
		return err
	}
	gap, err := j.chooseNext(uint64(used), missing, version > 0 && version < Version)
	if err != nil {
		return err
	}
	if gap != nil {
		if err := insertGap(tx, *gap); err != nil {
			return err
		}
		if err := setSequence(tx, gap.Last); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// createSchema makes an empty journal.
func (j *Journal) createSchema(tx *sql.Tx) error {
	if _, err := tx.Exec(schema); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO journal (station) VALUES (?)`, j.station)
	return err
}

// setSequence makes the database itself know that numbers up to last are used.
func setSequence(tx *sql.Tx, last uint64) error {
	if _, err := tx.Exec(`DELETE FROM sqlite_sequence WHERE name = 'verdicts'`); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO sqlite_sequence (name, seq) VALUES ('verdicts', ?)`, int64(last))
	return err
}
