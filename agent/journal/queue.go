package journal

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tirewatch/vision/verdict"
)

// Pending returns at most limit unacknowledged verdicts with numbers above after, sorted by number.
// An unreadable row leaves the queue and counts as lost, so that it does not block the rows after
// it.
func (j *Journal) Pending(after uint64, limit int) ([]verdict.Verdict, error) {
	found, bad, err := j.read(`SELECT seq, body, crc FROM verdicts WHERE acked = 0 AND seq > ?
		ORDER BY seq LIMIT ?`, int64(after), limit)
	if err == nil && len(bad) > 0 {
		err = j.dropUnreadable(bad)
		if err == nil && len(found) == 0 {
			// an empty result would mean that the queue ends here
			return j.Pending(bad[len(bad)-1], limit)
		}
	}
	return found, err
}

// Recent returns the readable ones of the last n verdicts, the newest first.
func (j *Journal) Recent(n int) ([]verdict.Verdict, error) {
	found, _, err := j.read(`SELECT seq, body, crc FROM verdicts ORDER BY seq DESC LIMIT ?`, n)
	return found, err
}

// After returns at most limit verdicts with numbers above seq, acknowledged or not, sorted by
// number. It skips unreadable rows; an empty result means that there are no more.
func (j *Journal) After(seq uint64, limit int) ([]verdict.Verdict, error) {
	found, bad, err := j.read(`SELECT seq, body, crc FROM verdicts WHERE seq > ?
		ORDER BY seq LIMIT ?`, int64(seq), limit)
	if err == nil && len(found) == 0 && len(bad) > 0 {
		return j.After(bad[len(bad)-1], limit)
	}
	return found, err
}

// read decodes rows. bad lists the numbers of rows whose content cannot be decoded or does not fit
// its checksum.
func (j *Journal) read(query string, args ...any) (found []verdict.Verdict, bad []uint64, err error) {
	rows, err := j.db.Query(query, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal %s: %w", j.path, j.diagnose(err))
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var body []byte
		var crc sql.NullInt64
		if err := rows.Scan(&seq, &body, &crc); err != nil {
			return nil, nil, fmt.Errorf("read journal %s: %w", j.path, j.diagnose(err))
		}
		v, err := decode(uint64(seq), body, crc)
		if err != nil {
			bad = append(bad, uint64(seq))
			continue
		}
		found = append(found, *v)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("read journal %s: %w", j.path, j.diagnose(err))
	}
	return found, bad, nil
}

// decode returns the verdict of a row.
func decode(seq uint64, body []byte, crc sql.NullInt64) (*verdict.Verdict, error) {
	if crc.Valid && crc.Int64 != checksum(seq, body) {
		return nil, errors.New("wrong checksum")
	}
	v, err := verdict.Decode(body)
	if err != nil {
		return nil, err
	}
	v.Seq = seq
	return v, nil
}

// dropUnreadable removes unreadable rows from the queue and records them as lost.
func (j *Journal) dropUnreadable(seqs []uint64) error {
	return j.change("drop unreadable rows of", func(tx *sql.Tx) (int64, error) {
		gone := int64(0)
		for _, seq := range seqs {
			n, err := affected(tx.Exec(`UPDATE verdicts SET acked = 2 WHERE seq = ? AND acked = 0`, int64(seq)))
			if err != nil {
				return 0, err
			}
			gone += n
			gap := Gap{First: seq, Last: seq, Lost: 1, Why: "its row in the journal cannot be read", Time: time.Now()}
			if err := insertGap(tx, gap); err != nil {
				return 0, err
			}
		}
		return -gone, nil
	})
}

// MarkAcked removes the verdicts seqs from the queue, or none of them after an error. It ignores
// unknown and repeated numbers.
func (j *Journal) MarkAcked(seqs ...uint64) error {
	return j.change("acknowledge in", func(tx *sql.Tx) (int64, error) {
		mark, err := tx.Prepare(`UPDATE verdicts SET acked = 1 WHERE seq = ? AND acked = 0`)
		if err != nil {
			return 0, err
		}
		defer mark.Close()
		gone := int64(0)
		for _, seq := range seqs {
			n, err := affected(mark.Exec(int64(seq)))
			if err != nil {
				return 0, err
			}
			gone += n
		}
		return -gone, nil
	})
}

// change runs f in a transaction. f returns the change of the queue's length.
func (j *Journal) change(what string, f func(tx *sql.Tx) (int64, error)) error {
	grown, err := func() (int64, error) {
		tx, err := j.db.Begin()
		if err != nil {
			return 0, err
		}
		defer tx.Rollback()
		grown, err := f(tx)
		if err != nil {
			return 0, err
		}
		return grown, tx.Commit()
	}()
	if err != nil {
		return fmt.Errorf("%s journal %s: %w", what, j.path, j.diagnose(err))
	}
	j.mu.Lock()
	j.queued += int(grown)
	j.mu.Unlock()
	return nil
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Depth returns the length of the queue and the time of its oldest verdict, zero if it is empty.
// Its cost does not depend on the length.
func (j *Journal) Depth() (n int, oldest time.Time, err error) {
	var first sql.NullInt64
	err = j.db.QueryRow(`SELECT (SELECT time FROM verdicts WHERE acked = 0 ORDER BY seq LIMIT 1)`).Scan(&first)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read journal %s: %w", j.path, j.diagnose(err))
	}
	if first.Valid {
		oldest = time.UnixMilli(first.Int64).UTC()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.queued, oldest, nil
}
