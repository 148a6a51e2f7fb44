package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/message"
	"tirewatch/agent/sparkplug"
	"tirewatch/agent/trigger"
	"tirewatch/vision/verdict"
)

const scada = "docs/scada.md"

// at returns a time of the day in the examples, UTC.
func at(hour, minute, second, ms int) time.Time {
	return time.Date(2026, 3, 1, hour, minute, second, ms*int(time.Millisecond), time.UTC)
}

// judged is a verdict of the station in the examples.
func judged(seq uint64, at time.Time, label verdict.Label, kind trigger.Kind) *verdict.Verdict {
	return &verdict.Verdict{
		Schema: verdict.SchemaVersion, Station: "hamburg/line1/station3", Seq: seq, Time: at,
		Label: label, Reject: label.Reject(), Votes: []verdict.Vote{}, Trigger: string(kind),
	}
}

func cracked(t *testing.T) *verdict.Verdict {
	v := judged(5123, at(22, 15, 7, 120), verdict.Crack, trigger.PhotoEye)
	v.Threshold = 0.5
	v.Votes = []verdict.Vote{
		{Frame: 801, Crop: [4]int{412, 96, 1284, 968}, Logit: 2.1},
		{Frame: 802, Crop: [4]int{430, 96, 1302, 968}, Logit: 2.5},
		{Frame: 803, Crop: [4]int{448, 97, 1320, 969}, Logit: 2.9},
	}
	var label verdict.Label
	if label, v.Probability = (verdict.Policy{Threshold: v.Threshold}).Decide(v.Votes); label != v.Label {
		t.Fatalf("the votes of the example are %s", label)
	}
	v.ModelSerial, v.ModelHash = 8, "9834876dcfb05cb1"
	v.Part, v.Crop = "4711", "000000005123.png"
	v.MS = verdict.Duration{Locate: 1.8, Preprocess: 0.6, Forward: 9.4}
	return v
}

func noDecision() *verdict.Verdict {
	v := judged(5124, at(22, 15, 9, 0), verdict.NoDecision, trigger.PhotoEye)
	v.Reason = "no tire was found in the 12 frames of the trigger's window"
	return v
}

func unsure(t *testing.T) *verdict.Verdict {
	v := judged(5126, at(22, 15, 13, 0), verdict.NoDecision, trigger.PhotoEye)
	v.Threshold, v.SoundBelow, v.Reason = 0.62, 0.18, verdict.Unsure
	v.Votes = []verdict.Vote{{Frame: 951, Crop: [4]int{412, 96, 1284, 968}, Logit: -0.4}}
	var label verdict.Label
	policy := verdict.Policy{Threshold: v.Threshold, SoundBelow: v.SoundBelow}
	if label, v.Probability = policy.Decide(v.Votes); label != v.Label {
		t.Fatalf("the votes of the example are %s", label)
	}
	v.ModelSerial, v.ModelHash, v.Crop = 9, "5c0d1e8f7a6b9342", "000000005126.png"
	v.MS = verdict.Duration{Locate: 1.8, Preprocess: 0.9, Forward: 61}
	return v
}

func unlike() *verdict.Verdict {
	v := judged(5127, at(22, 15, 15, 0), verdict.Normal, trigger.PhotoEye)
	v.Threshold = 0.5
	v.Votes = []verdict.Vote{{Frame: 977, Crop: [4]int{412, 96, 1284, 968}, Logit: -2}}
	v.Probability = verdict.Probability(-2)
	v.ModelSerial, v.ModelHash, v.Crop = 9, "5c0d1e8f7a6b9342", "000000005127.png"
	v.SecondOpinion = &verdict.SecondOpinion{Unlike: true, Score: 24.75, Limit: 18.0625, MS: 0.9,
		Heat: &verdict.Heat{W: 3, H: 2, Cells: []byte{48, 56, 64, 176, 136, 40}}}
	v.MS = verdict.Duration{Locate: 1.8, Preprocess: 0.9, Forward: 61}
	return v
}

func sideWall(t *testing.T) *verdict.Verdict {
	v := judged(5125, at(22, 15, 11, 400), verdict.Normal, trigger.Presence)
	v.Threshold = 0.5
	v.Votes = []verdict.Vote{{Frame: 913, Crop: [4]int{412, 96, 1284, 968}, Logit: -1.2}}
	var label verdict.Label
	if label, v.Probability = (verdict.Policy{Threshold: v.Threshold}).Decide(v.Votes); label != v.Label {
		t.Fatalf("the votes of the example are %s", label)
	}
	v.ModelSerial, v.ModelHash = 8, "9834876dcfb05cb1"
	v.Tiling = &verdict.Tiling{
		View: "sidewall", Frame: 913, Worst: 1, Angle: 24,
		Ring: &verdict.Ring{
			Outer: verdict.Circle{X: 848.2, Y: 532.1, R: 430.5}, Inner: verdict.Circle{X: 848, Y: 532.4, R: 251.7},
		},
		Tiles: []verdict.Tile{
			{Crop: [4]int{737, 102, 960, 290}, From: 345, To: 375, Logit: -3.4},
			{Crop: [4]int{846, 109, 1074, 338}, From: 9, To: 39, Logit: -1.2},
		},
	}
	v.MS = verdict.Duration{Locate: 2.1, Preprocess: 6.2, Forward: 141}
	return v
}

func status(state message.State, since time.Time, reason string) message.Status {
	return message.Status{State: state, Since: since, Reason: reason, Version: "v1.4.0"}
}

func working() message.Status {
	s := status(message.Online, at(6, 0, 12, 0), "")
	s.Model = "9834876dcfb05cb1"
	return s
}

func troubled() message.Status {
	s := working()
	s.Problem, s.Lost = "camera: camera stalled: no frame from v4l2:/dev/tirewatch-camera for 10s", 3
	s.Gaps = []message.Gap{{
		First: 5120, Last: 5122, Lost: 3,
		Why: "the journal reached max_size before the broker took them", Time: at(5, 40, 0, 0),
	}}
	return s
}

func health() message.Health {
	temperature, memory, disk := 61.5, uint64(100<<20), uint64(20<<30)
	return message.Health{
		Time: at(22, 15, 0, 0), Since: at(6, 0, 12, 0), Frames: 1461600,
		Verdicts: map[string]uint64{"normal": 11650, "crack": 41, "no_decision": 2}, Unsure: 1,
		Triggers: map[string]uint64{"photo-eye": 11692}, TriggerErrors: map[string]uint64{"bounce": 17, "missing": 1},
		Rejects:        map[string]uint64{"sent": 43, "missed": 0},
		SecondOpinions: map[string]uint64{"compared": 11692, "unlike": 52}, ModelSerial: 8, Queued: 1, OldestS: 0.02,
		MS:           &verdict.Duration{Locate: 1.8, Preprocess: 0.6, Forward: 9.4},
		TemperatureC: &temperature, MemoryBytes: &memory, DiskFreeBytes: &disk,
		Drift: map[string]message.Drift{"brightness": {Deviations: -0.4}},
	}
}

func modelState() message.ModelState {
	previous := message.ModelRef{Serial: 7, Hash: "1f0e5d7c9a3b2846", Since: at(5, 0, 0, 0)}
	active := message.ModelRef{Serial: 8, Hash: "9834876dcfb05cb1", Since: at(6, 0, 12, 0)}
	return message.ModelState{
		Active:    &active,
		Candidate: &message.Candidate{ModelRef: active, Verdicts: 57, Of: 200, Unsure: 4, Compared: 57, Disagreements: 1},
		Previous:  &previous,
		Last:      &message.ModelEvent{Event: "on_probation", Serial: 8, Hash: active.Hash, Time: active.Since},
		Answer:    &message.Answer{Hash: active.Hash, Accepted: true, Time: active.Since, Count: 1},
	}
}

// messages are the examples by the name in the comment above them. The example selfcheck is tested
// in cmd/tirewatch-agent, which has its type; the state of a host is decoded, not encoded.
func messages(t *testing.T) map[string]any {
	return map[string]any{
		"verdict":                cracked(t),
		"verdict no_decision":    noDecision(),
		"verdict unsure":         unsure(t),
		"verdict second opinion": unlike(),
		"verdict sidewall":       sideWall(t),
		"status":                 working(),
		"status problem":         troubled(),
		"status stopped":         status(message.Offline, at(22, 30, 0, 0), message.ReasonStopped),
		"status lost":            status(message.Offline, time.Time{}, message.ReasonLost),
		"status failed": status(message.Offline, at(22, 41, 0, 0),
			message.ReasonFailed+" after 10 restarts: exit-code, status 1"),
		"health":          health(),
		"model":           modelState(),
		"command trigger": message.Command{ID: "1", Name: "trigger", Part: "4711", Time: at(22, 15, 7, 0)},
		"command confirm": message.Command{ID: "2", Name: "confirm"},
		"reply":           message.CommandReply{ID: "1", Name: "trigger", OK: true},
		"reply double":    message.CommandReply{ID: "3", Name: "trigger", Error: trigger.ErrDouble.Error()},
		"reply late":      message.CommandReply{ID: "4", Name: "trigger", Error: trigger.ErrLate.Error()},
		"reject": message.Reject{
			Station: "hamburg/line1/station3", Seq: 5123, Middle: at(22, 15, 7, 120), Label: verdict.Crack,
			Trigger: "command", Part: "4711",
		},
	}
}

var example = regexp.MustCompile("(?s)<!-- example: ([^\n]+) -->\n```json\n(.*?)```\n")

// The JSON blocks of scada.md are what the code encodes; only spaces and line breaks differ.
func TestExamples(t *testing.T) {
	text := read(t, scada)
	want := messages(t)
	for _, m := range example.FindAllStringSubmatch(text, -1) {
		name, block := m[1], []byte(m[2])
		switch name {
		case "selfcheck": // see messages
			continue
		case "state":
			if online, _, err := sparkplug.ReadState(bytes.TrimSpace(block)); err != nil || !online {
				t.Errorf("example state: online %v, %v", online, err)
			}
			continue
		}
		value, ok := want[name]
		if !ok {
			t.Errorf("%s: unknown or repeated example %q", scada, name)
			continue
		}
		delete(want, name)
		var got bytes.Buffer
		if err := json.Compact(&got, block); err != nil {
			t.Errorf("%s: example %s: %v", scada, name, err)
			continue
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), encoded) {
			t.Errorf("%s: example %s is\n%s\nthe code encodes\n%s", scada, name, got.Bytes(), encoded)
		}
	}
	for name := range want {
		t.Errorf("%s has no example %q", scada, name)
	}
	if n, named := strings.Count(text, "```json\n"), len(example.FindAllString(text, -1)); n != named {
		t.Errorf("%s has %d JSON blocks, %d of them are named examples", scada, n, named)
	}
}

// The table of topics lists the topics of package message.
func TestTopics(t *testing.T) {
	topics := message.Topics{Root: "root", Station: "station"}
	want := map[string]bool{}
	for _, topic := range []string{
		topics.Verdict(), topics.Status(), topics.Health(), topics.SelfCheck(), topics.Model(), topics.ModelSet(),
		topics.Command(), topics.CommandReply(), topics.Reject(),
	} {
		want[topic] = true
	}
	got := map[string]bool{}
	rows := regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\| [^|]+ \\| [012] \\| (?:yes|no) \\|")
	for _, m := range rows.FindAllStringSubmatch(read(t, scada), -1) {
		got["root/station/"+m[1]] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s lists %v, the code has %v", scada, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// A verdict has every field of the table, and no other.
func TestVerdictFields(t *testing.T) {
	full := cracked(t)
	full.Reason, full.Image, full.Tiling, full.SoundBelow = "reason", "image.jpg", sideWall(t).Tiling, 0.2
	full.SecondOpinion = unlike().SecondOpinion
	data, err := full.Encode(verdict.JSON)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	text := read(t, scada)
	for name := range fields {
		if !regexp.MustCompile(fmt.Sprintf("(?m)^\\| (`[a-z_]+`, )?`%s`[,| ]", name)).MatchString(text) {
			t.Errorf("%s does not explain the field %s of a verdict", scada, name)
		}
	}
}
