package journal

import (
	"database/sql"
	"fmt"
	"time"
)

// Limits bound what a journal keeps. Zero means no limit.
type Limits struct {
	Bytes int64         // of the database
	Age   time.Duration // of an acknowledged verdict, counted in running time of the station
	Crops int64         // bytes of all crops
}

// whyBudget is the reason in the gap of verdicts that were lost to the limit.
const whyBudget = "the journal reached max_size before the broker took them"

// Constants of retention.
const (
	// step is the maximum number of rows that one Sweep deletes. Its transaction takes a few
	// milliseconds, and an append may have to wait that long.
	step = 256
	// markEvery is how often the running time is stored. Time that was not stored does not count
	// after a restart: verdicts are kept longer, never shorter.
	markEvery = time.Hour
	// slack is how many bytes of the file may be free pages before it shrinks. The next appends
	// reuse free pages at no cost; shrinking at once would move pages on the card for every tire.
	slack = 4 << 20
	// shrinkPages is how many pages one Sweep removes from the file.
	shrinkPages = 64
)

// Swept is the result of one step of retention.
type Swept struct {
	Deleted int  // rows
	Lost    int  // deleted rows that were not acknowledged
	Crops   int  // deleted crops
	More    bool // there is more to do
}

// Sweep does one small step of retention. ran is the running time of the station since the last
// call.
//
// Rows are deleted in the order of their numbers. Acknowledged rows are deleted by age and by size.
// A row that is not acknowledged is deleted only when the journal exceeds Limits.Bytes and nothing
// older can be deleted; a gap then records it.
//
// The age does not use the clock, because clocks jump: a small computer starts in 1970 or at its
// last shutdown, and one wrong time from a time server would make all rows old at once. Sweep adds
// up the running time instead and stores the highest number once an hour. A station that is off at
// night therefore keeps its verdicts longer than the calendar says.
func (j *Journal) Sweep(l Limits, ran time.Duration) (Swept, error) {
	var swept Swept
	j.mu.Lock()
	last := j.last
	j.mu.Unlock()
	err := j.change("delete old rows of", func(tx *sql.Tx) (grown int64, err error) {
		swept = Swept{}
		due, forced, err := j.due(tx, l, last, ran)
		if err != nil || due == 0 {
			return 0, err
		}
		lost := 0
		if forced {
			if lost, err = loseUpTo(tx, due); err != nil {
				return 0, err
			}
		}
		n, err := affected(tx.Exec(`DELETE FROM verdicts WHERE seq <= ?`, int64(due)))
		swept = Swept{Deleted: int(n), Lost: lost, More: n > 0}
		return -int64(lost), err
	})
	if err != nil {
		return Swept{}, err
	}
	if swept.Crops, err = j.sweepCrops(l); err != nil {
		return swept, err
	}
	if swept.More = swept.More || swept.Crops > 0; !swept.More {
		swept.More, err = j.shrinkFile()
	}
	return swept, err
}

// due returns the number up to which rows must be deleted now, 0 for none. forced means that some
// of these rows are not acknowledged.
func (j *Journal) due(tx *sql.Tx, l Limits, last uint64, ran time.Duration) (due uint64, forced bool, err error) {
	aged, err := j.aged(tx, l.Age, last, ran)
	if err != nil {
		return 0, false, err
	}
	var pages, idle, size, lowest, end, open int64
	// end is the last row of a step that begins at the lowest; open is the oldest row that is not
	// acknowledged
	if err := tx.QueryRow(`SELECT page_count, freelist_count, page_size,
		coalesce((SELECT min(seq) FROM verdicts), 0),
		coalesce((SELECT max(seq) FROM (SELECT seq FROM verdicts ORDER BY seq LIMIT ?)), 0),
		coalesce((SELECT seq FROM verdicts WHERE acked = 0 ORDER BY seq LIMIT 1), 9223372036854775807)
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`, step).
		Scan(&pages, &idle, &size, &lowest, &end, &open); err != nil {
		return 0, false, err
	}
	if lowest == 0 {
		return 0, false, nil
	}
	settled := uint64(min(end, open-1)) // the step has only acknowledged rows up to here
	over := l.Bytes > 0 && (pages-idle)*size > l.Bytes
	switch {
	case over && open > lowest:
		due = settled
	case over:
		due, forced = uint64(end), true
	default:
		due = min(settled, aged)
	}
	if due < uint64(lowest) {
		return 0, false, nil
	}
	return due, forced, nil
}

// aged adds ran to the running time and returns the number up to which verdicts are older than age.
func (j *Journal) aged(tx *sql.Tx, age time.Duration, last uint64, ran time.Duration) (uint64, error) {
	j.ran += ran
	if j.ran >= markEvery {
		if _, err := tx.Exec(`INSERT INTO marks (ran, seq) VALUES (coalesce((SELECT max(ran) FROM marks), 0) + ?, ?)`,
			j.ran.Milliseconds(), int64(last)); err != nil {
			return 0, err
		}
		j.ran = 0
	}
	if age <= 0 {
		return 0, nil
	}
	var now int64
	if err := tx.QueryRow(`SELECT coalesce(max(ran), 0) FROM marks`).Scan(&now); err != nil {
		return 0, err
	}
	old := now + j.ran.Milliseconds() - age.Milliseconds()
	var seq int64
	if err := tx.QueryRow(`SELECT coalesce(max(seq), 0) FROM marks WHERE ran <= ?`, old).Scan(&seq); err != nil {
		return 0, err
	}
	_, err := tx.Exec(`DELETE FROM marks WHERE ran < (SELECT max(ran) FROM marks WHERE ran <= ?)`, old)
	return uint64(seq), err
}

// loseUpTo records the rows of the queue up to due as lost, with one gap for each run of numbers.
func loseUpTo(tx *sql.Tx, due uint64) (lost int, err error) {
	rows, err := tx.Query(`SELECT seq FROM verdicts WHERE acked = 0 AND seq <= ? ORDER BY seq`, int64(due))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var runs []Gap
	for rows.Next() {
		var seq uint64
		if err := rows.Scan(&seq); err != nil {
			return 0, err
		}
		if n := len(runs); n > 0 && runs[n-1].Last == seq-1 {
			runs[n-1].Last, runs[n-1].Lost = seq, runs[n-1].Lost+1
		} else {
			runs = append(runs, Gap{First: seq, Last: seq, Lost: 1, Why: whyBudget, Time: time.Now()})
		}
		lost++
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for _, g := range runs {
		if err := insertGap(tx, g); err != nil {
			return 0, err
		}
	}
	return lost, nil
}

// shrinkFile shortens the file a little when it has many free pages, as after a long outage. A file
// of schema 1 cannot shrink: its free pages are reused and its size stays.
func (j *Journal) shrinkFile() (more bool, err error) {
	var pages, idle, size, mode int64
	if err := j.db.QueryRow(`SELECT page_count, freelist_count, page_size, auto_vacuum
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size, pragma_auto_vacuum`).
		Scan(&pages, &idle, &size, &mode); err != nil {
		return false, fmt.Errorf("shrink journal %s: %w", j.path, j.diagnose(err))
	}
	if mode != incremental || idle*size <= slack+(pages-idle)*size/8 {
		return false, nil
	}
	// the pragma does its work while its rows are read
	rows, err := j.db.Query(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, shrinkPages))
	if err != nil {
		return false, fmt.Errorf("shrink journal %s: %w", j.path, j.diagnose(err))
	}
	defer rows.Close()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		return false, fmt.Errorf("shrink journal %s: %w", j.path, j.diagnose(err))
	}
	return true, nil
}

// incremental is SQLite's number for auto_vacuum=INCREMENTAL, which shrinkFile needs.
const incremental = 2
