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

// indexes serve Search and Count, which read only them until a row is found. Most verdicts are
// normal and most searches look for the others, so the others have their own index, which costs
// nothing for a normal tire. The indexes do not change the schema version: SQLite maintains them
// for older programs too.
const indexes = `
CREATE INDEX IF NOT EXISTS found ON verdicts (time, seq, label, probability);
CREATE INDEX IF NOT EXISTS rejected ON verdicts (time, seq, label, probability) WHERE label <> 'normal';`

// Query selects the verdicts of Search.
type Query struct {
	From, To  time.Time     // From included, To excluded; zero: no bound
	Label     verdict.Label // empty: any
	Low, High float64       // bounds of the probability of a crack, both included
	Below     Place         // end of the previous page; zero: start with the newest
	Limit     int           // maximum number of verdicts, at least 1
}

// Place is a verdict's position in the order of Search.
type Place struct {
	MS  int64 // Unix ms
	Seq uint64
}

func (p Place) String() string { return fmt.Sprintf("%d-%d", p.MS, p.Seq) }

// ParsePlace parses the result of String.
func ParsePlace(s string) (p Place, err error) {
	ms, seq, ok := strings.Cut(s, "-")
	if ok {
		p.MS, err = strconv.ParseInt(ms, 10, 64)
	}
	if ok && err == nil {
		p.Seq, err = strconv.ParseUint(seq, 10, 63)
	}
	if !ok || err != nil {
		return Place{}, fmt.Errorf("invalid position %q in the journal: want TIME-NUMBER", s)
	}
	return p, nil
}

// One step of Search reads at most searchStep rows of an index. Between two steps the database is
// free for an append, so even the longest search delays a verdict by a few milliseconds only. The
// first steps are shorter: they usually suffice.
const (
	firstStep  = 256
	searchStep = 8192
)

// Search returns the matching verdicts, the latest first, and the position after the last of them.
// more means that there may be others below it. When ctx ends, Search returns what it has found,
// with more set.
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
		// the same text as the condition of the index, so that SQLite uses it
		kind = ` AND label <> 'normal'`
	}
	for step := firstStep; ctx.Err() == nil; step = min(2*step, searchStep) {
		floor, last, err := j.stepBelow(end, low, kind, step)
		if err != nil {
			return nil, end, false, err
		}
		rows, _, err := j.read(`SELECT seq, body, crc FROM verdicts
			WHERE (time, seq) < (?, ?) AND (time, seq) >= (?, ?)`+kind+`
			AND (? = '' OR label = ?) AND probability BETWEEN ? AND ? ORDER BY time DESC, seq DESC LIMIT ?`,
			end.MS, int64(end.Seq), floor.MS, int64(floor.Seq),
			string(q.Label), string(q.Label), q.Low, q.High, q.Limit-len(found))
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

// stepBelow returns the position step rows below end. last means that fewer rows are left above the
// time low (Unix ms), so this is the last step.
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

// Count returns the number of verdicts of each label with times from from to before to and numbers
// below next.
func (j *Journal) Count(from, to time.Time, next uint64) (map[verdict.Label]int, error) {
	rows, err := j.db.Query(`SELECT label, count(*) FROM verdicts WHERE time >= ? AND time < ? AND +seq < ?
		GROUP BY label`, from.UnixMilli(), to.UnixMilli(), int64(next))
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

// Crop returns the crop of a verdict as PNG, labelled or not. The error is fs.ErrNotExist if there
// is none.
func (j *Journal) Crop(seq uint64) ([]byte, error) {
	p, err := j.reviewQueue().Picture(seq)
	if errors.Is(err, review.ErrGone) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(p.Path)
}
