package uplink_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/verdict"
)

// outage returns a journal in which n verdicts wait. They are copies of one, because a hundred
// thousand appends would take as many fsyncs.
func outage(t testing.TB, dir string, n int) *journal.Journal {
	t.Helper()
	path := filepath.Join(dir, "journal.db")
	open := func() *journal.Journal {
		j, err := journal.Open(path, station)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	j := open()
	v := passed()
	v.Votes = make([]verdict.Vote, 5)
	if err := j.Append(v); err != nil {
		t.Fatal(err)
	}
	j.Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(fmt.Sprintf(`WITH RECURSIVE more(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more WHERE n < %d)
		INSERT INTO verdicts (seq, time, label, probability, body)
		SELECT n, time, label, probability, body FROM more, verdicts WHERE seq = 1`, n))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	j = open()
	t.Cleanup(func() { j.Close() })
	return j
}

// passed returns the verdict of a sound tire.
func passed() *verdict.Verdict {
	return &verdict.Verdict{
		Schema: verdict.SchemaVersion, Time: time.Now().UTC(), Label: verdict.Normal, Probability: 0.1, Threshold: 0.5,
	}
}

// generous configures a broker that drops nothing for a listener that is slower than the station.
var generous = []string{brokertest.Anonymous, "max_queued_messages 0", "max_inflight_messages 0"}

// drained connects to a broker after an outage of n verdicts, while new tires pass. It returns how
// long the queue took to drain, and how long each append took before and during that. It checks
// that a listener receives everything in order.
func drained(t testing.TB, dir string, n int) (took time.Duration, before, meanwhile []time.Duration) {
	t.Helper()
	broker := brokertest.Start(t, generous...)
	j := outage(t, dir, n)
	store := func() time.Duration {
		start := time.Now()
		if err := j.Append(passed()); err != nil {
			t.Error(err)
		}
		return time.Since(start)
	}
	for range 50 {
		before = append(before, store())
	}
	scada := listen(t, broker.URL(), topics.Verdict())
	end := make(chan time.Time, 1)
	var received uint64
	arrived := sync.NewCond(new(sync.Mutex))
	go func() {
		for m := range scada.messages {
			v, err := verdict.Decode(m.Payload())
			if err != nil {
				t.Error(err)
				return
			}
			arrived.L.Lock()
			if v.Seq != received+1 {
				t.Errorf("number %d arrived after %d", v.Seq, received)
			}
			received = v.Seq
			arrived.L.Unlock()
			arrived.Broadcast()
			if v.Seq == uint64(n) {
				end <- time.Now()
			}
		}
	}()
	u := uplink.New(settings(broker.URL()), topics, j, quiet, uplink.Options{})
	start := time.Now()
	run(t, u)
	tire := time.NewTicker(20 * time.Millisecond)
	defer tire.Stop()
	for took == 0 {
		select {
		case at := <-end:
			took = at.Sub(start)
		case <-tire.C:
			meanwhile = append(meanwhile, store())
		}
	}
	drain(t, u)
	last := uint64(n + len(before) + len(meanwhile))
	arrived.L.Lock()
	defer arrived.L.Unlock()
	for received < last {
		arrived.Wait()
	}
	return took, before, meanwhile
}

// After an outage everything arrives in order and once, while new verdicts are stored.
func TestDrainAfterAnOutage(t *testing.T) {
	_, _, meanwhile := drained(t, t.TempDir(), 5000)
	t.Logf("%d verdicts were stored during the drain", len(meanwhile))
}

// BenchmarkDrain measures an outage of 72 hours, 100,000 verdicts. The rate must be at least 2,000
// per second. BENCH_DIR names a folder on the disk to be measured.
func BenchmarkDrain(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	if disk := os.Getenv("BENCH_DIR"); disk != "" {
		var err error
		if dir, err = os.MkdirTemp(disk, "drain"); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
	}
	took, before, meanwhile := drained(b, dir, n)
	slices.Sort(before)
	slices.Sort(meanwhile)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	rate := n / took.Seconds()
	b.ReportMetric(rate, "verdicts/s")
	b.ReportMetric(ms(before[len(before)/2]), "ms/append-before")
	b.ReportMetric(ms(meanwhile[len(meanwhile)/2]), "ms/append-meanwhile")
	b.ReportMetric(ms(meanwhile[len(meanwhile)*99/100]), "ms/append-meanwhile-p99")
	b.ReportMetric(float64(len(meanwhile)), "appends")
	b.ReportMetric(0, "ns/op")
	if rate < 2000 {
		b.Errorf("%.0f verdicts a second left the journal, want at least 2000", rate)
	}
}
