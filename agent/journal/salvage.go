package journal

import (
	"database/sql"
	"fmt"
	"math"
	"time"

	"tirewatch/vision/verdict"
)

// salvage reads what it can from a damaged database: forwards to the first damaged page, backwards
// to the last one, and number by number between them. It keeps a row only if the row decodes, fits
// its checksum and belongs to this station: doubtful content is never sent.
type salvage struct {
	station string
	floor   uint64 // the highest possible number
	keep    func(row)
	gap     func(Gap)

	received uint64 // the highest acknowledged number that could be read
	crc      string // the name of the column, NULL in schema 1
}

// row is a row of the queue.
type row struct {
	seq  uint64
	v    *verdict.Verdict
	body []byte
}

// maxMisses is how many numbers without a row the search number by number accepts in sequence. A
// lost inner page of the tree hides some four thousand rows, and a file without readable rows must
// not delay the start for minutes.
const maxMisses = 8192

func (s *salvage) run(db *sql.DB) {
	s.crc = "crc"
	if _, err := db.Exec(`SELECT crc FROM verdicts LIMIT 0`); err != nil {
		s.crc = "NULL"
	}
	if _, err := db.Exec(`SELECT ` + s.crc + ` FROM verdicts LIMIT 0`); err != nil {
		return // the table definitions cannot be read
	}
	low, whole := s.scan(db, "seq > 0 ORDER BY seq")
	if !whole {
		high, _ := s.scan(db, fmt.Sprintf("seq > %d ORDER BY seq DESC", low))
		if high == 0 {
			high = s.floor + 1
		}
		for seq := low + 1; seq < high && seq-low <= maxMisses; seq++ {
			if found, _ := s.scan(db, fmt.Sprintf("seq = %d", seq)); found != 0 {
				low = found
			}
		}
	}
	s.gaps(db)
}

// scan reads rows until there are no more or the database fails. It returns the last number, 0 for
// none; whole means that there was no failure.
func (s *salvage) scan(db *sql.DB, which string) (last uint64, whole bool) {
	rows, err := db.Query(`SELECT seq, acked, body, ` + s.crc + ` FROM verdicts NOT INDEXED WHERE ` + which)
	if err != nil {
		return 0, false
	}
	defer rows.Close()
	for rows.Next() {
		var seq, acked int64
		var body []byte
		var crc sql.NullInt64
		if rows.Scan(&seq, &acked, &body, &crc) != nil {
			return last, false
		}
		if seq < 1 || seq > math.MaxInt64-1 || uint64(seq) > s.floor {
			continue
		}
		last = uint64(seq)
		if acked == 1 {
			s.received = max(s.received, last)
		}
		if v, err := decode(last, body, crc); err == nil && acked == 0 && v.Station == s.station {
			s.keep(row{last, v, body})
		}
	}
	return last, rows.Err() == nil
}

// gaps reads the gaps that were already recorded.
func (s *salvage) gaps(db *sql.DB) {
	rows, err := db.Query(`SELECT first, last, lost, why, time FROM gaps ORDER BY rowid`)
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
		var g Gap
		var ms int64
		if rows.Scan(&g.First, &g.Last, &g.Lost, &g.Why, &ms) != nil {
			return
		}
		g.Time = time.UnixMilli(ms).UTC()
		s.gap(g)
	}
}
