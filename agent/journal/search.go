package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"tirewatch/agent/review"
	"tirewatch/vision/verdict"
)

// indexes serve Search and Count, which read nothing but them until a row is found. Most verdicts
// say normal and most searches ask for the others, so those have an index of their own, which costs
// a normal tire nothing. No schema is newer for them: a program that does not know them keeps them
// up to date all the same.
const indexes = `
CREATE INDEX IF NOT EXISTS found ON verdicts (time, seq, label, probability);
CREATE INDEX IF NOT EXISTS rejected ON verdicts (time, seq, label, probability) WHERE label <> 'normal';`

// Query says which verdicts Search looks for.
type Query struct {
	From, To  time.Time     // from From on and before To; zero: no bound
	Label     verdict.Label // empty: any
	Low, High float64       // probability of a crack, both included
	Below     Place         // where the page before ended; zero: the newest
	Limit     int           // verdicts, at least 1
}

// Place is a verdict's place in the order of Search.
type Place struct {
	MS  int64 // Unix
	Seq uint64
}

func (p Place) String() string { return fmt.Sprintf("%d-%d", p.MS, p.Seq) }

// ParsePlace reads what String wrote.
func ParsePlace(s string) (p Place, err error) {
	ms, seq, ok := strings.Cut(s, "-")
	if ok {
		p.MS, err = strconv.ParseInt(ms, 10, 64)
	}
	if ok && err == nil {
		p.Seq, err = strconv.ParseUint(seq, 10, 63)
	}
	if !ok || err != nil {
		return Place{}, fmt.Errorf("%q is no place in the journal", s)
	}
	return p, nil
}

// searchStep is how many rows of an index one step of Search passes at most. Between two steps the
// database is free for an append, so that the longest search holds up a verdict for some
// milliseconds only. The first steps are short: mostly they are enough.
const (
	firstStep  = 256
	searchStep = 8192
)

// Search gives the verdicts that fit, the latest first, and the place behind the last of them; more
// says that there may be others below it. When ctx ends, what was found until then is the answer,
// with more.
func (j *Journal) Search(ctx context.Context, q Query) (found []verdict.Verdict, end Place, more bool, err error) {
	end = q.Below
	if end == (Place{}) {
		end = Place{MS: 1<<63 - 1}
	}
	if !q.To.IsZero() && q.To.UnixMilli() < end.MS {
		end = Place{MS: q.To.UnixMilli()}
	}
	low := int64(-1 << 63)
	if !q.From.IsZero() {
		low = q.From.UnixMilli()
	}
	kind := ""
	if q.Label != "" && q.Label != verdict.Normal {
		// the words of the index's condition, by which SQLite knows it
		kind = ` AND label <> 'normal'`
	}
	for step := firstStep; ctx.Err() == nil; step = min(2*step, searchStep) {
		floor, last, err := j.stepBelow(end, low, kind, step)
		if err != nil {
			return nil, end, false, err
		}
		rows, _, err := j.read(`SELECT seq, body, crc FROM verdicts WHERE (time, seq) < (?, ?) AND (time, seq) >= (?, ?)`+kind+`
			AND (? = '' OR label = ?) AND probability BETWEEN ? AND ? ORDER BY time DESC, seq DESC LIMIT ?`,
			end.MS, int64(end.Seq), floor.MS, int64(floor.Seq), string(q.Label), string(q.Label), q.Low, q.High, q.Limit-len(found))
		if err != nil {
			return nil, end, false, err
		}
		found = append(found, rows...)
		if len(found) >= q.Limit {
			v := found[len(found)-1]
			return found, Place{v.Time.UnixMilli(), v.Seq}, true, nil
		}
		if last {
			return found, end, false, nil
		}
		end = floor
	}
	return found, end, true, nil
}

// stepBelow gives where the step of so many rows that begins below end ends, and whether it is the
// last above the time low.
func (j *Journal) stepBelow(end Place, low int64, kind string, step int) (floor Place, last bool, err error) {
	rows, err := j.db.Query(`SELECT time, seq FROM verdicts WHERE (time, seq) < (?, ?) AND time >= ?`+kind+`
		ORDER BY time DESC, seq DESC LIMIT 1 OFFSET ?`, end.MS, int64(end.Seq), low, step-1)
	if err != nil {
		return floor, false, fmt.Errorf("search journal %s: %w", j.path, j.diagnose(err))
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return floor, false, fmt.Errorf("search journal %s: %w", j.path, j.diagnose(err))
		}
		return Place{MS: low}, true, nil
	}
	var seq int64
	if err := rows.Scan(&floor.MS, &seq); err != nil {
		return floor, false, fmt.Errorf("search journal %s: %w", j.path, j.diagnose(err))
	}
	floor.Seq = uint64(seq)
	return floor, false, nil
}

// Count says how many verdicts of each label there are from from on and before to, with numbers
// below next.
func (j *Journal) Count(from, to time.Time, next uint64) (map[verdict.Label]int, error) {
	rows, err := j.db.Query(`SELECT label, count(*) FROM verdicts WHERE time >= ? AND time < ? AND +seq < ? GROUP BY label`,
		from.UnixMilli(), to.UnixMilli(), int64(next))
	if err != nil {
		return nil, fmt.Errorf("count in journal %s: %w", j.path, j.diagnose(err))
	}
	defer rows.Close()
	counts := map[verdict.Label]int{}
	for rows.Next() {
		var label string
		var n int
		if err := rows.Scan(&label, &n); err != nil {
			return nil, fmt.Errorf("count in journal %s: %w", j.path, j.diagnose(err))
		}
		counts[verdict.Label(label)] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count in journal %s: %w", j.path, j.diagnose(err))
	}
	return counts, nil
}

// Crop reads the picture of a verdict, a PNG, wherever a label has put it; fs.ErrNotExist when
// there is none any more.
func (j *Journal) Crop(seq uint64) ([]byte, error) {
	p, err := review.Open(j.cropsDir(), j.station, "").Picture(seq)
	if errors.Is(err, review.ErrGone) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(p.Path)
}
