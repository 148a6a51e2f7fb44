package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/vision/verdict"
)

func TestClockProblem(t *testing.T) {
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"), "a/b/c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	at := func(s string) time.Time {
		v, err := time.Parse(time.DateTime, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	check := func(now, want string) {
		t.Helper()
		if got := clockProblem(j, at(now)); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("at %s: %q, want %q", now, got, want)
		}
	}
	check("1970-01-01 00:00:09", "not set")
	check("2026-05-01 08:00:00", "")
	v := &verdict.Verdict{Schema: verdict.SchemaVersion, Label: verdict.Normal, Time: at("2026-05-01 08:00:00")}
	if err := j.Append(v); err != nil {
		t.Fatal(err)
	}
	check("2026-05-01 07:59:30", "") // a correction by the time server
	check("2026-05-01 07:00:00", "before the last verdict")
	check("2026-05-02 07:00:00", "")
}

// Verdicts lost before this start are published at this start.
func TestLossesArePublished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	var published []message.Gap
	var problem string
	start := func() *journal.Journal {
		j, err := journal.Open(path, "a/b/c")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { j.Close() })
		d := &daemon{
			journal: j, problems: newProblems(), log: slog.New(slog.DiscardHandler),
			publishLosses: func(_ uint64, gaps []message.Gap) { published = gaps },
		}
		d.problems.observe(func(all, _ string, _ bool) { problem = all })
		d.reportJournal()
		return j
	}
	j := start()
	if len(published) != 0 || problem != "" {
		t.Errorf("a new journal: published %v, problem %q", published, problem)
	}
	if err := j.Append(&verdict.Verdict{Schema: verdict.SchemaVersion, Label: verdict.Normal, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	path += "-other" // as if the database were gone: only the numbers file exists
	if err := os.Rename(path[:len(path)-len("-other")]+"-numbers", path+"-numbers"); err != nil {
		t.Fatal(err)
	}
	start()
	if len(published) != 1 || published[0].First != 1 || !strings.Contains(problem, "a new one begins") {
		t.Errorf("published %v, problem %q", published, problem)
	}
}
