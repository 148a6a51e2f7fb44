package uplink_test

import (
	"testing"
	"time"

	"tirewatch/agent/sparkplug"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/verdict"
)

// A host application made of third-party packages receives every verdict, through failures of the
// station, the broker and itself.
func TestSparkplugHost(t *testing.T) {
	broker := brokertest.New(t)
	h := newHostApplication(t, broker.URL(), spNames.Group, spNames.Node, spNames.Host)
	broker.Restart()
	h.until("watching", nil)

	j := newJournal(t)
	cfg := settings(broker.URL())
	cfg.ClientID = "tirewatch-test-sparkplug"
	e := uplink.NewEdgeNode(cfg, newNode(t, j, spNames, 2*time.Minute), j.Watch(), quiet, func() {})
	e.SetPauses(20*time.Millisecond, time.Millisecond)
	e.Change(func(f *sparkplug.Facts) { f.ModelSerial, f.ModelHash = 7, "0123456789abcdef" })
	stop := run(t, e)
	written := uint64(0)
	add := func(n int) { appendN(t, j, n); written += uint64(n) }

	add(3) // before there is a host
	h.do("online")
	birth := h.until("NBIRTH", nil).Records[0].Values
	for name, want := range map[string]any{
		"bdSeq": 0.0, "Node Control/Rebirth": false, "Station/Name": station, "Station/Version": "test", "Station/Problem": "",
		"Model/Serial": 7.0, "Model/Hash": "0123456789abcdef",
	} {
		if birth[name] != want {
			t.Errorf("NBIRTH has %s = %v, want %v", name, birth[name], want)
		}
	}
	current := h.until("DBIRTH", nil).Records[0].Values
	whole := len(current)
	for name, want := range map[string]any{
		"Verdict/Sequence": 3.0, "Verdict/Label": "normal", "Verdict/Reject": false, "Verdict/Reason": nil, "Verdict/Probability": 0.1,
		"Verdict/Threshold": 0.5, "Verdict/Frames": 0.0, "Verdict/Model Serial": 0.0, "Verdict/Model Hash": "", "Verdict/Trigger": nil,
		"Verdict/Part": nil, "Verdict/View": nil, "Verdict/Tiles": nil, "Verdict/Angle": nil, "Verdict/Image": nil,
		"Verdict/Crop": nil, "Verdict/Forward": 0.0, "Verdict/Sound Below": nil,
	} {
		if got, ok := current[name]; got != want || !ok {
			t.Errorf("DBIRTH has %s = %v, want %v", name, got, want)
		}
	}
	h.untilVerdict(3, true)

	add(300) // as they happen
	h.untilVerdict(written, false)
	addSideWall := func() {
		t.Helper()
		v := &verdict.Verdict{Schema: verdict.SchemaVersion, Time: time.Now().UTC(), Label: verdict.Normal,
			Tiling: &verdict.Tiling{View: "sidewall", Worst: 2, Angle: 271.5, Tiles: make([]verdict.Tile, 15)}}
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
		written++
	}
	checkSideWall := func(values map[string]any) {
		t.Helper()
		for name, want := range map[string]any{"Verdict/View": "sidewall", "Verdict/Tiles": 15.0, "Verdict/Angle": 271.5} {
			if values[name] != want {
				t.Errorf("a side wall has %s = %v, want %v", name, values[name], want)
			}
		}
	}
	addSideWall()
	checkSideWall(h.untilVerdict(written, false).Values)
	add(1)
	if angle, ok := h.untilVerdict(written, false).Values["Verdict/Angle"]; angle != nil || !ok {
		t.Errorf("a whole tire after a side wall has the angle %v", angle)
	}

	e.Change(func(f *sparkplug.Facts) { f.CameraLost = true })
	h.until("DDEATH", nil)
	add(1)
	addSideWall()
	e.Change(func(f *sparkplug.Facts) { f.CameraLost = false })
	checkSideWall(h.until("DBIRTH", nil).Records[0].Values)
	checkSideWall(h.untilVerdict(written, true).Values)

	h.do("rebirth")
	h.until("NBIRTH", nil)
	h.until("DBIRTH", nil)
	add(1)
	h.untilVerdict(written, false)

	// The broker dies with verdicts that were sent and that it did not read. If the station counted
	// them as delivered, they would be lost.
	broker.Freeze()
	add(5)
	// nobody can observe that they are sent; without the pause they would be sent after the outage
	time.Sleep(100 * time.Millisecond)
	broker.Stop()
	h.until("lost", nil)
	add(120) // an outage
	broker.Restart()
	h.until("watching", nil)
	h.do("online") // its connection was lost too
	if bdSeq := h.until("NBIRTH", nil).Records[0].Values["bdSeq"]; bdSeq != 1.0 {
		t.Errorf("after the first break bdSeq is %v", bdSeq)
	}
	h.untilVerdict(written, true)
	add(1)
	h.untilVerdict(written, false)

	// The host leaves, once with a message and once without, and returns.
	for _, way := range []string{"offline", "vanish"} {
		h.do(way)
		h.until("NDEATH", nil)
		add(60)
		h.do("online")
		h.until("NBIRTH", nil)
		h.untilVerdict(written, true)
		add(1)
		h.untilVerdict(written, false)
	}
	stop()
	h.until("NDEATH", nil)
	examine(t, h.seen, written, whole)
}

// examine compares everything that a host saw with what was stored: written verdicts, each with
// whole metrics.
func examine(t *testing.T, seen []hostLine, written uint64, whole int) {
	t.Helper()
	got := map[uint64]int{}
	next, sessions, live, replayed := -1, 0, uint64(0), uint64(0)
	var bdSeq any
	for i, l := range seen {
		switch l.Kind {
		case "watching", "lost":
			next = -1
			continue
		case "NCMD": // its own
			continue
		case "NDEATH":
			if d := l.Records[0].Values; l.Seq != nil || len(d) != 1 || d["bdSeq"] != bdSeq {
				t.Errorf("line %d: NDEATH of session %v has %v", i, bdSeq, d)
			}
			next = -1
			continue
		case "NBIRTH":
			now := l.Records[0].Values["bdSeq"]
			if now != bdSeq {
				sessions++
				replayed = 0
			}
			bdSeq, next = now, 0
		}
		if next < 0 || l.Seq == nil || int(*l.Seq) != next {
			t.Fatalf("line %d: %s has number %v, want %d", i, l.Kind, l.Seq, next)
		}
		next = (next + 1) % 256
		if l.Kind != "DDATA" {
			continue
		}
		for _, r := range l.Records {
			got[r.seq()]++
			order := &live
			if r.Historical {
				order = &replayed
			}
			if r.seq() <= *order {
				t.Errorf("line %d: verdict %d after %d, historical %t", i, r.seq(), *order, r.Historical)
			}
			*order = r.seq()
			if r.Values["Verdict/Label"] != "normal" || len(r.Values) != whole {
				t.Errorf("line %d: verdict %v", i, r.Values)
			}
		}
	}
	missing, again := 0, 0
	for seq := uint64(1); seq <= written; seq++ {
		switch n := got[seq]; {
		case n == 0:
			missing++
		case n > 1:
			again++
		}
	}
	if missing > 0 || len(got) != int(written) {
		t.Errorf("of %d verdicts %d are missing", written, missing)
	}
	t.Logf("%d messages in %d sessions, %d verdicts, %d missing, %d of them more than once",
		len(seen), sessions, written, missing, again)
}
