package journal_test

import (
	"bufio"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

const station = "hamburg/line1/station3"

// aVerdict returns a complete verdict as a station makes it.
func aVerdict() *verdict.Verdict {
	return &verdict.Verdict{
		Schema: verdict.SchemaVersion, Time: time.Date(2025, 6, 1, 8, 30, 0, 250e6, time.UTC),
		Label: verdict.Crack, Probability: 0.93, Threshold: 0.5,
		Votes:       []verdict.Vote{{Frame: 17, Crop: [4]int{10, 20, 400, 410}, Logit: 2.5}},
		ModelSerial: 7, ModelHash: "0123456789abcdef", MS: verdict.Duration{Forward: 1.5},
	}
}

func open(t *testing.T, path string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, station)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func appendN(t *testing.T, j *journal.Journal, n int) {
	t.Helper()
	for range n {
		if err := j.Append(aVerdict()); err != nil {
			t.Fatal(err)
		}
	}
}

func pending(t *testing.T, j *journal.Journal, after uint64, limit int) []uint64 {
	t.Helper()
	rows, err := j.Pending(after, limit)
	if err != nil {
		t.Fatal(err)
	}
	seqs := []uint64{}
	for _, v := range rows {
		seqs = append(seqs, v.Seq)
	}
	return seqs
}

func TestAppendedVerdictIsReadUnchanged(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	v := aVerdict()
	if err := j.Append(v); err != nil {
		t.Fatal(err)
	}
	if v.Seq != 1 || v.Station != station {
		t.Errorf("got number %d of station %q", v.Seq, v.Station)
	}
	rows, err := j.Pending(0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]verdict.Verdict{*v}, rows); diff != "" {
		t.Errorf("appended -, pending +:\n%s", diff)
	}
}

func TestQueue(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	if n, oldest, err := j.Depth(); n != 0 || !oldest.IsZero() || err != nil {
		t.Errorf("empty: depth %d, oldest %v, %v", n, oldest, err)
	}
	appendN(t, j, 5)
	if err := j.MarkAcked(1, 3, 3, 99); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{2, 4, 5}, pending(t, j, 0, 10)); diff != "" {
		t.Errorf("pending: want -, got +:\n%s", diff)
	}
	if diff := cmp.Diff([]uint64{4}, pending(t, j, 2, 1)); diff != "" {
		t.Errorf("pending after 2, one: want -, got +:\n%s", diff)
	}
	n, oldest, err := j.Depth()
	if n != 3 || !oldest.Equal(aVerdict().Time) || err != nil {
		t.Errorf("depth %d, oldest %v, %v", n, oldest, err)
	}
	recent, err := j.Recent(2)
	if err != nil || len(recent) != 2 || recent[0].Seq != 5 || recent[1].Seq != 4 {
		t.Errorf("recent: %v, %v", recent, err)
	}
}

func TestWake(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	<-j.Wake() // at open
	appendN(t, j, 3)
	<-j.Wake()
	select {
	case <-j.Wake():
		t.Error("three appends woke twice")
	default:
	}
}

// Another reader has its own channel and also reads acknowledged verdicts.
func TestWatchAndAfter(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	wake := j.Watch()
	<-wake // signals what already exists
	appendN(t, j, 3)
	<-wake
	<-j.Wake()
	if err := j.MarkAcked(1, 2); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after uint64
		limit int
		want  []uint64
	}{{0, 10, []uint64{1, 2, 3}}, {1, 1, []uint64{2}}, {3, 10, nil}} {
		rows, err := j.After(c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, v := range rows {
			got = append(got, v.Seq)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("after %d: %v, want %v", c.after, got, c.want)
		}
	}
}

func TestReopenKeepsNumbersAndQueue(t *testing.T) {
	// characters with a meaning in a database URI
	path := filepath.Join(t.TempDir(), "a journal?#%41.db")
	j := open(t, path)
	if !j.Created() {
		t.Error("a new journal was not reported")
	}
	appendN(t, j, 3)
	if err := j.MarkAcked(1, 2, 3); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the journal has another name: %v", err)
	}
	j = open(t, path)
	if j.Created() {
		t.Error("an old journal was reported as new")
	}
	appendN(t, j, 1)
	if diff := cmp.Diff([]uint64{4}, pending(t, j, 0, 10)); diff != "" {
		t.Errorf("pending: want -, got +:\n%s", diff)
	}
}

func TestUnsendableVerdictIsRefused(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	v := aVerdict()
	v.Probability = math.NaN()
	if err := j.Append(v); err == nil || v.Seq != 0 {
		t.Errorf("a NaN got number %d, error %v", v.Seq, err)
	}
	appendN(t, j, 1)
	if diff := cmp.Diff([]uint64{1}, pending(t, j, 0, 10)); diff != "" {
		t.Errorf("the refused verdict left a gap: want -, got +:\n%s", diff)
	}
}

// After any history of appends, acknowledgements and restarts the queue must equal a plain list.
func TestQueueEqualsAList(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	queue, last := []uint64{}, uint64(0)
	for range 300 {
		switch r.IntN(8) {
		case 0, 1, 2, 3:
			v := aVerdict()
			if err := j.Append(v); err != nil {
				t.Fatal(err)
			}
			last++
			if v.Seq != last {
				t.Fatalf("number %d, want %d", v.Seq, last)
			}
			queue = append(queue, last)
		case 4, 5:
			var acked []uint64
			for range r.IntN(4) {
				acked = append(acked, r.Uint64N(last+2))
			}
			if err := j.MarkAcked(acked...); err != nil {
				t.Fatal(err)
			}
			queue = slices.DeleteFunc(queue, func(s uint64) bool { return slices.Contains(acked, s) })
		case 6:
			after, limit := r.Uint64N(last+2), 1+r.IntN(5)
			want := slices.Clone(queue)
			want = slices.DeleteFunc(want, func(s uint64) bool { return s <= after })
			want = want[:min(limit, len(want))]
			if diff := cmp.Diff(want, pending(t, j, after, limit)); diff != "" {
				t.Fatalf("pending after %d: want -, got +:\n%s", after, diff)
			}
		case 7:
			if r.IntN(4) == 0 {
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				j = open(t, path)
			}
		}
		if n, _, err := j.Depth(); n != len(queue) || err != nil {
			t.Fatalf("depth %d, want %d, %v", n, len(queue), err)
		}
	}
}

func TestConcurrentAppendAndAck(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	const writers, each = 4, 50
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := j.Append(aVerdict()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen := uint64(0)
	for seen < writers*each {
		rows, err := j.Pending(seen, 16)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range rows {
			if v.Seq != seen+1 {
				t.Fatalf("number %d after %d", v.Seq, seen)
			}
			seen = v.Seq
			if err := j.MarkAcked(v.Seq); err != nil {
				t.Fatal(err)
			}
		}
		if len(rows) == 0 {
			<-j.Wake()
		}
	}
	wg.Wait()
	if n, _, err := j.Depth(); n != 0 || err != nil {
		t.Errorf("depth %d, %v", n, err)
	}
}

// TestMain also runs the parts of tests that need their own process.
func TestMain(m *testing.M) {
	switch os.Getenv("JOURNAL_TEST_CHILD") {
	case "append":
		childAppend(os.Getenv("JOURNAL_TEST_PATH"))
	case "open":
		childOpen(os.Getenv("JOURNAL_TEST_PATH"))
	default:
		os.Exit(m.Run())
	}
}

// child prepares a process for one part of TestMain.
func child(part, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_CHILD="+part, "JOURNAL_TEST_PATH="+path)
	return cmd
}

// childAppend appends until it is killed and prints a line for each stored verdict.
func childAppend(path string) {
	j, err := journal.Open(path, station)
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	for {
		v := aVerdict()
		if err := j.Append(v); err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString("stored\n")
	}
}

// childOpen prints why the journal cannot be opened.
func childOpen(path string) {
	_, err := journal.Open(path, station)
	if errors.Is(err, journal.ErrReadOnly) {
		os.Stdout.WriteString("read-only: ")
	}
	if err != nil {
		os.Stdout.WriteString(err.Error())
	}
}

// A killed agent leaves every verdict that Append reported as stored, without a gap, and the next
// run continues the numbers.
func TestKilledWhileAppending(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	stored := uint64(0)
	for round := range 3 {
		cmd := child("append", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if lines.Text() != "stored" {
				t.Fatal(lines.Text())
			}
			stored++
			if n == 20*(round+1) {
				cmd.Process.Kill() // lines still in the pipe count too
			}
		}
		cmd.Wait()

		j := open(t, path)
		seqs := pending(t, j, 0, math.MaxInt32)
		for i, s := range seqs {
			if s != uint64(i+1) {
				t.Fatalf("round %d: number %d at position %d", round, s, i+1)
			}
		}
		// The kill may fall between storing and printing.
		if n := uint64(len(seqs)); n != stored && n != stored+1 {
			t.Fatalf("round %d: %d verdicts, %d were reported as stored", round, n, stored)
		}
		stored = uint64(len(seqs))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSecondAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	if second, err := journal.Open(path, station); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("got %v, %v", second, err)
	}
	out, err := child("open", path).Output()
	if err != nil || !strings.Contains(string(out), journal.ErrInUse.Error()) {
		t.Errorf("another process got %q, %v", out, err)
	}
	appendN(t, j, 1)
}
