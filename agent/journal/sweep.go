package journal

import (
	"database/sql"
	"fmt"
	"time"
)

// Limits bound what a journal keeps. Zero is no limit.
type Limits struct {
	Bytes int64         // of the database
	Age   time.Duration // of an acknowledged verdict, counted while the station runs
	Crops int64         // bytes of the pictures together
}

// Why a verdict is lost to the limit.
const whyBudget = "the journal reached max_size before the broker took them"

// Constants of retention.
const (
	// step is how many rows one Sweep deletes at most. Its transaction lasts a few milliseconds,
	// which is what an append may have to wait.
	step = 256
	// markEvery is how often the age is written down. What was not written is counted again after a
	// start: verdicts live longer, never shorter.
	markEvery = time.Hour
	// slack is how much of the file may lie idle before it shrinks. Idle pages are used by the next
	// appends and cost nothing; giving each back at once would move pages on the card for every
	// tire.
	slack = 4 << 20
	// shrinkPages is how many pages one Sweep gives back.
	shrinkPages = 64
)

// Swept is what one step of retention did.
type Swept struct {
	Deleted int  // rows
	Lost    int  // of these not acknowledged
	Crops   int  // pictures
	More    bool // there is more to do
}

// Sweep does one small step of retention. ran is how long the station has worked since the call
// before.
//
// Rows go in the order of their numbers and never from the middle. Acknowledged ones go by age and
// by size; one that is not acknowledged goes only when the journal is above Limits.Bytes and
// nothing older can go, and is then counted in a gap.
//
// No clock is asked for the age, because clocks jump: a card computer starts in 1970 or at its last
// shutdown, and one wrong answer of a time server would make all rows old at once. The time that
// the station ran is added up, and each hour it is written down which number it had reached. A
// station that is switched off at night therefore keeps its verdicts for longer than the calendar
// says.
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

// due finds the number up to which rows go now, 0 for none. forced says that some of these are not
// acknowledged.
func (j *Journal) due(tx *sql.Tx, l Limits, last uint64, ran time.Duration) (due uint64, forced bool, err error) {
	aged, err := j.aged(tx, l.Age, last, ran)
	if err != nil {
		return 0, false, err
	}
	var pages, idle, size, lowest, end, open int64
	// end is the last row of a step that begins at the lowest; open is the oldest that is not
	// acknowledged.
	if err := tx.QueryRow(`SELECT page_count, freelist_count, page_size,
		coalesce((SELECT min(seq) FROM verdicts), 0),
		coalesce((SELECT max(seq) FROM (SELECT seq FROM verdicts ORDER BY seq LIMIT ?)), 0),
		coalesce((SELECT seq FROM verdicts WHERE acked = 0 ORDER BY seq LIMIT 1), 9223372036854775807)
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`, step).Scan(&pages, &idle, &size, &lowest, &end, &open); err != nil {
		return 0, false, err
	}
	if lowest == 0 {
		return 0, false, nil
	}
	settled := uint64(min(end, open-1)) // up to here a step finds acknowledged rows only
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

// aged adds ran to the age of everything and returns the number up to which verdicts are older than
// age.
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

// loseUpTo notes the rows of the queue up to a number as lost, in one gap for each run of numbers.
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

// shrinkFile shrinks the file a little when much of it lies idle, as after a long outage. A file of
// schema 1 was not made for that: its idle pages are used again, and it stays as long as it is.
func (j *Journal) shrinkFile() (more bool, err error) {
	var pages, idle, size, mode int64
	if err := j.db.QueryRow(`SELECT page_count, freelist_count, page_size, auto_vacuum
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size, pragma_auto_vacuum`).Scan(&pages, &idle, &size, &mode); err != nil {
		return false, fmt.Errorf("shrink journal %s: %w", j.path, j.diagnose(err))
	}
	if mode != incremental || idle*size <= slack+(pages-idle)*size/8 {
		return false, nil
	}
	// works as far as its rows are read
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

// incremental is SQLite's number of the mode in which shrinkFile works.
const incremental = 2
