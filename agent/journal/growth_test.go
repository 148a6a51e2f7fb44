package journal_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

// grown makes a journal of n verdicts; all but the last 256 are acknowledged.
func grown(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 1)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"PRAGMA synchronous = OFF",
		fmt.Sprintf(`WITH RECURSIVE more(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more WHERE n < %d)
			INSERT INTO verdicts (seq, time, label, probability, acked, body) SELECT n, time, label, probability, n <= %d, body
			FROM more, verdicts WHERE seq = 1`, n, n-256),
		"UPDATE verdicts SET acked = 1 WHERE seq = 1",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// BenchmarkGrowth times the work for one verdict in journals of growing size. Rounds alternate, so
// that other load affects all sizes; fsync is off, because its time depends on the disk and hides
// the rest. The largest journal may take 1.5 times as long as the smallest.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{1_000, 100_000, 1_000_000}
	type operation struct {
		name string
		run  func(j *journal.Journal) error
	}
	operations := []operation{
		{"insert", func(j *journal.Journal) error { return j.Append(aVerdict()) }},
		{"read64", func(j *journal.Journal) error { _, err := j.Pending(0, 64); return err }},
		{"depth", func(j *journal.Journal) error { _, _, err := j.Depth(); return err }},
		{"search50", func(j *journal.Journal) error {
			q := journal.Query{From: aVerdict().Time, Label: verdict.Crack, Low: 0.9, High: 1, Limit: 50}
			_, _, _, err := j.Search(context.Background(), q)
			return err
		}},
	}
	var journals []*journal.Journal
	for _, n := range sizes {
		j, err := journal.OpenIn(journal.Environment{NoSync: true}, grown(b, n), station)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { j.Close() })
		journals = append(journals, j)
	}
	for _, op := range operations {
		b.Run(op.name, func(b *testing.B) {
			took := make([][]time.Duration, len(sizes))
			for range max(b.N, 2000) {
				for i, j := range journals {
					start := time.Now()
					if err := op.run(j); err != nil {
						b.Fatal(err)
					}
					took[i] = append(took[i], time.Since(start))
				}
			}
			var medians []time.Duration
			for i, n := range sizes {
				slices.Sort(took[i])
				medians = append(medians, took[i][len(took[i])/2])
				b.ReportMetric(float64(medians[i].Nanoseconds())/1000, fmt.Sprintf("µs@%d", n))
			}
			ratio := float64(medians[2]) / float64(medians[0])
			b.ReportMetric(ratio, "ratio")
			b.ReportMetric(0, "ns/op")
			if ratio > 1.5 {
				b.Errorf("%s: a million verdicts take %.2f times as long as a thousand, want at most 1.5", op.name, ratio)
			}
		})
	}
}

// The queue, retention and search find their rows with an index.
func TestNothingIsScanned(t *testing.T) {
	path := rest(t, 10, 5)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, query := range []string{
		`SELECT seq, body, crc FROM verdicts WHERE acked = 0 AND seq > 3 ORDER BY seq LIMIT 64`,
		`SELECT seq FROM verdicts WHERE acked = 0 ORDER BY seq LIMIT 1`,
		`UPDATE verdicts SET acked = 1 WHERE seq = 7 AND acked = 0`,
		`SELECT seq FROM verdicts WHERE acked = 0 AND seq <= 7 ORDER BY seq`,
		`DELETE FROM verdicts WHERE seq <= 3`,
		`SELECT time, seq FROM verdicts WHERE (time, seq) < (9, 9) AND time >= 3 ORDER BY time DESC, seq DESC LIMIT 1 OFFSET 99`,
		`SELECT seq, body FROM verdicts WHERE (time, seq) < (9, 9) AND (time, seq) >= (3, 3)
			AND label <> 'normal' AND ('a' = '' OR label = 'a') AND probability BETWEEN 0 AND 1 ORDER BY time DESC, seq DESC LIMIT 50`,
	} {
		rows, err := db.Query("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "INDEX pending") || strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s: %s", query, step)
			}
		}
		rows.Close()
	}
}
