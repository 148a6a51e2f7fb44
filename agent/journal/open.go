package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tirewatch/internal/durable"
)

// Open opens the journal of station (site/line/name) at path, or creates it if there is no file.
// The folder must exist. Open checks the file before it writes anything. It sets a damaged file
// aside under another name and continues the numbers in a new one; [Journal.Notes] reports that. It
// does not touch a file of another program or station. Errors: [*VersionError], [*StationError],
// [ErrNotJournal], [ErrInUse], [ErrReadOnly], [ErrFull].
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
	j.signal() // an earlier run may have left a queue
	return j, nil
}

// begin examines the files, repairs what can be repaired, and opens the database.
func (j *Journal) begin() error {
	missing := j.loadNumbers()
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) && !errors.Is(missing, errNumbers) {
		return missing
	}
	if j.numbers.Salvage != "" { // an earlier run found damage and may have started the repair
		if err := j.recover(); err != nil {
			return err
		}
	}
	// This check must precede any opening of the database, which would create a missing log.
	lost, err := j.logLost(j.numbers.InUse)
	if err != nil {
		return explainFile(err)
	}
	version, err := j.look()
	if damage, ok := errors.AsType[*DamagedError](explain(j.path, err)); ok {
		if err := j.scheduleRepair(damage, missing); err != nil {
			return err
		}
		missing, lost = nil, "" // the gap of the repair covers both
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
	// On a full disk the mark is missing and a lost log would go unnoticed. Inspection still works.
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

// look examines the file. It returns the schema version and sets j.created if there is no schema
// yet.
func (j *Journal) look() (version int, err error) {
	info, err := os.Stat(j.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.created = true
		return 0, nil
	case err != nil:
		return 0, err
	case info.Size() == 0: // the power failed right after the file was created
		j.created = true
		return 0, nil
	}
	version, err = j.inspect()
	if failure, ok := errors.AsType[*sqlite.Error](err); ok && failure.Code() == sqlite3.SQLITE_READONLY_ROLLBACK {
		// The power failed while the file was being created, before it had a write-ahead log.
		if err := j.rollBack(); err != nil {
			return 0, err
		}
		version, err = j.inspect()
	}
	j.created = err == nil && version == 0
	return version, err
}

// rollBack lets SQLite undo an unfinished change from its rollback journal. A read-only connection
// cannot do that.
func (j *Journal) rollBack() error {
	db, err := j.connect(j.path, "rw")
	if err != nil {
		return err
	}
	var tables int
	return errors.Join(db.QueryRow(`SELECT count(*) FROM sqlite_schema`).Scan(&tables), db.Close())
}

// immutable is the mode for a database that no process changes.
const immutable = "immutable"

// dsn returns the data source name for the driver. Every connection runs the pragmas in this order.
func (j *Journal) dsn(path, mode string, pragmas ...string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	query := url.Values{"mode": {mode}, "_pragma": pragmas}
	// SQLite then creates neither log nor index beside the file and takes no lock
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

// connect opens a database and limits it to one connection.
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

// inspect reads the existing file over a read-only connection. It returns version 0 if the file has
// no schema yet.
func (j *Journal) inspect() (version int, err error) {
	db, err := j.connect(j.path, "ro")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return j.examine(db)
}

// examine returns the schema version of a database. It fails if the database is damaged or belongs
// to another station or program.
func (j *Journal) examine(db *sql.DB) (version int, err error) {
	var id, tables int
	if err := db.QueryRow(`SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &version, &tables); err != nil {
		return 0, err
	}
	switch {
	case id == 0 && version == 0 && tables == 0: // the power failed before the schema was written
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
		found = strings.Join(strings.Fields(found), " ") // one line
		return 0, &DamagedError{Path: j.path, Detail: "SQLite's check found: " + found}
	}
	var owner string
	switch err := db.QueryRow(`SELECT station FROM journal`).Scan(&owner); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, &DamagedError{Path: j.path, Detail: "the name of the station is missing"}
	case err != nil:
		return 0, err
	}
	if owner != j.station {
		return 0, &StationError{Path: j.path, Have: owner, Want: j.station}
	}
	return version, nil
}

// open makes the writing connection, and the schema if the file is new.
func (j *Journal) open(version int, missing error) (err error) {
	synchronous := "synchronous(FULL)" // a commit is on the disk before Append returns
	if j.env.noSync {
		synchronous = "synchronous(OFF)"
	}
	j.db, err = j.connect(j.path, "rwc",
		"auto_vacuum(INCREMENTAL)", // lets a new file shrink; has no effect on an old one
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
	// On a full disk there may be no indexes: searches are slow, but inspection works.
	if _, err := j.db.Exec(indexes); err != nil && !errors.Is(explain(j.path, err), ErrFull) {
		return errors.Join(err, j.db.Close())
	}
	if err := j.loadCrops(); err != nil {
		return errors.Join(fmt.Errorf("list the crops: %w", explainFile(err)), j.db.Close())
	}
	if j.created { // the names of the new files must be durable before the first verdict
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
		_, err = tx.Exec(`UPDATE journal SET station = station`) // the first write takes SQLite's lock
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

// createSchema creates the tables of an empty journal.
func (j *Journal) createSchema(tx *sql.Tx) error {
	if _, err := tx.Exec(schema); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO journal (station) VALUES (?)`, j.station)
	return err
}

// setSequence records in the database that all numbers up to last are used.
func setSequence(tx *sql.Tx, last uint64) error {
	if _, err := tx.Exec(`DELETE FROM sqlite_sequence WHERE name = 'verdicts'`); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO sqlite_sequence (name, seq) VALUES ('verdicts', ?)`, int64(last))
	return err
}
