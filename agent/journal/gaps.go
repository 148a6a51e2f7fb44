package journal

import (
	"database/sql"
	"fmt"
	"time"
)

// Gap is a run of numbers that the broker may never get, and the reason. Gaps are stored and
// published, so that a receiver can tell a known loss from an unknown one.
type Gap struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// undelivered verdicts; 0: not known, perhaps none
	Lost uint64    `json:"lost,omitempty"`
	Why  string    `json:"why"`
	Time time.Time `json:"time"` // when it was noticed, by the station's clock
}

func (g Gap) String() string {
	lost := "an unknown number of"
	if g.Lost > 0 {
		lost = fmt.Sprint(g.Lost)
	}
	return fmt.Sprintf("numbers %d to %d: %s verdicts not delivered: %s", g.First, g.Last, lost, g.Why)
}

// insertGap stores a gap. A gap that follows the latest one for the same reason extends it, so that
// a long loss in small steps is one gap. A repeated gap is stored once.
func insertGap(tx *sql.Tx, g Gap) error {
	n, err := affected(tx.Exec(`UPDATE gaps SET last = ?, lost = lost + ?, time = ?
		WHERE rowid = (SELECT max(rowid) FROM gaps) AND last = ? AND why = ? AND lost > 0`,
		int64(g.Last), int64(g.Lost), g.Time.UnixMilli(), int64(g.First)-1, g.Why))
	if err != nil || n > 0 {
		return err
	}
	_, err = tx.Exec(`INSERT OR IGNORE INTO gaps (first, last, lost, why, time) VALUES (?, ?, ?, ?, ?)`,
		int64(g.First), int64(g.Last), int64(g.Lost), g.Why, g.Time.UnixMilli())
	return err
}

// Gaps returns how many verdicts the broker is known to have lost, and the newest n gaps, the
// newest first.
func (j *Journal) Gaps(n int) (lost uint64, newest []Gap, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read journal %s: %w", j.path, j.diagnose(err))
		}
	}()
	if err := j.db.QueryRow(`SELECT coalesce(sum(lost), 0) FROM gaps`).Scan(&lost); err != nil {
		return 0, nil, err
	}
	rows, err := j.db.Query(`SELECT first, last, lost, why, time FROM gaps ORDER BY rowid DESC LIMIT ?`, n)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var g Gap
		var ms int64
		if err := rows.Scan(&g.First, &g.Last, &g.Lost, &g.Why, &ms); err != nil {
			return 0, nil, err
		}
		g.Time = time.UnixMilli(ms).UTC()
		newest = append(newest, g)
	}
	return lost, newest, rows.Err()
}
