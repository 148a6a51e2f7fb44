package sparkplug

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"tirewatch/agent/journal"
	"tirewatch/agent/sparkplug/spb"
	"tirewatch/vision/verdict"
)

const overlap = 2 * time.Minute

var start = time.Date(2025, 6, 1, 8, 0, 0, 0, time.UTC)

// stand is a station of a test: a real journal, and a clock that the test moves.
type stand struct {
	*Node
	t   *testing.T
	j   *journal.Journal
	now time.Time
}

func newStand(t *testing.T) *stand {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"), "hamburg/line1/station3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	s := &stand{t: t, j: j, now: start}
	s.restart()
	return s
}

// restart is what a new process has: the journal and the session file.
func (s *stand) restart() {
	s.t.Helper()
	session, note := OpenSessionFile(s.j.Path()+"-sparkplug", s.j.Next()-1)
	if note != nil {
		s.t.Fatal(note)
	}
	s.Node = New(Options{Names: Names{Group: "g", Node: "n", Device: "d"}, Overlap: overlap, Queue: s.j, SessionFile: session})
}

func (s *stand) add(n int) {
	s.t.Helper()
	for range n {
		if err := s.j.Append(&verdict.Verdict{Schema: verdict.SchemaVersion, Time: s.now, Label: verdict.Normal}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// connect begins a session.
func (s *stand) connect() {
	s.t.Helper()
	s.Will(s.now)
	if err := s.Opening(); err != nil {
		s.t.Fatal(err)
	}
	if m, err := s.Begin(Facts{}, s.now); err != nil || len(m) != 2 {
		s.t.Fatalf("births %v, %v", m, err)
	}
}

// sent is what leaves now, like "2 3 (1)": numbers as they happen, historical ones of one message
// in brackets.
func (s *stand) sent() string {
	s.t.Helper()
	var all []string
	for {
		m, historical, err := s.Next(true, s.now)
		if err != nil {
			s.t.Fatal(err)
		}
		if m == nil {
			return strings.Join(all, " ")
		}
		var p spb.Payload
		if err := proto.Unmarshal(m.Payload, &p); err != nil {
			s.t.Fatal(err)
		}
		var numbers []string
		for i := 0; i < len(p.Metrics); i += len(deviceMetrics) {
			numbers = append(numbers, fmt.Sprint(p.Metrics[i].GetLongValue()))
		}
		if n := len(numbers); n > 3 {
			numbers = []string{numbers[0], "...", numbers[n-1]}
		}
		text := strings.Join(numbers, " ")
		if historical {
			text = "(" + text + ")"
		}
		all = append(all, text)
	}
}

func (s *stand) want(want string) {
	s.t.Helper()
	if got := s.sent(); got != want {
		s.t.Errorf("sent %q, want %q", got, want)
	}
}

func (s *stand) lose() {
	s.t.Helper()
	if err := s.Lost(s.now); err != nil {
		s.t.Fatal(err)
	}
}

// wait lets time pass, in which the station looks around as often as it should.
func (s *stand) wait(d time.Duration) {
	end := s.now.Add(d)
	for ; s.now.Before(end); s.now = s.now.Add(min(10*time.Second, end.Sub(s.now))) {
		s.feed.settle(s.now)
	}
}

func TestVerdictsAsTheyHappen(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.want("")
	s.add(2)
	s.want("1 2")
	s.want("")
}

// What a connection took in its last two minutes may be lost in it, so it is sent again; what is
// older is not.
func TestReplayAfterABreak(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.add(2)
	s.want("1 2")
	s.wait(overlap - time.Second)
	s.lose()
	s.connect()
	s.want("(1 2)")
	s.wait(overlap - time.Second)
	s.add(1)
	s.want("3")
	s.wait(time.Second)
	s.lose()
	s.add(2) // while there is no connection
	s.connect()
	s.add(1)
	s.want("6 (3 4 5)")
}

// A process that stood still, as under a debugger or on a board that ran out of memory, does not
// know what became of its connection meanwhile.
func TestReplayAfterStandingStill(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.add(1)
	s.want("1")
	s.now = s.now.Add(time.Hour)
	s.want("")
	s.lose() // it is told only now
	s.connect()
	s.want("(1)")
}

// A process that is killed knows what was noted last: too much is sent again, never too little.
func TestReplayAfterACrash(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.add(1)
	s.want("1")
	s.wait(overlap)
	s.want("")
	s.add(1)
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	s.want("2")
	s.wait(2 * overlap)
	s.want("") // 2 counts as delivered by now, which is not noted
	s.restart()
	s.connect()
	s.want("(2)")
}

// Who switches Sparkplug on does not get the journal of a year.
func TestNothingFromBeforeTheFirstSession(t *testing.T) {
	s := newStand(t)
	s.add(3)
	s.restart()
	s.connect()
	s.add(1)
	s.want("4")
}

// A long history comes in pieces, and what happens meanwhile does not wait for its end. Broken off
// in between, it goes on with the next session from where two minutes were over.
func TestLongReplay(t *testing.T) {
	s := newStand(t)
	s.add(120)
	s.connect()
	next := func(history bool, want uint64, historical bool) {
		t.Helper()
		m, got, err := s.Next(history, s.now)
		if err != nil || m == nil || got != historical {
			t.Fatalf("%v, %t, %v", m, got, err)
		}
		var p spb.Payload
		proto.Unmarshal(m.Payload, &p)
		if first := p.Metrics[0].GetLongValue(); first != want {
			t.Errorf("verdict %d, want %d", first, want)
		}
	}
	next(true, 1, true)
	s.add(1)
	next(true, 121, false)
	if m, _, err := s.Next(false, s.now); m != nil || err != nil {
		t.Errorf("history is sent unasked: %v, %v", m, err)
	}
	next(true, 51, true)
	s.wait(overlap)
	next(true, 101, true)
	s.lose()
	s.connect()
	s.want("(101 ... 121)")
}

// What was sent before a camera is lost is not sent again when it is back: the connection stood.
func TestDeviceAway(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.add(1)
	s.want("1")
	if m, err := s.Update(Facts{CameraLost: true, Problem: "camera"}, s.now); err != nil || len(m) != 2 {
		t.Fatalf("NDATA and DDEATH are %v, %v", m, err)
	}
	s.add(2)
	s.want("")
	if m, err := s.Rebirth(s.now); err != nil || len(m) != 1 {
		t.Fatalf("births without the device are %v, %v", m, err)
	}
	s.want("")
	if m, err := s.Update(Facts{}, s.now); err != nil || len(m) != 2 {
		t.Fatalf("NDATA and DBIRTH are %v, %v", m, err)
	}
	s.add(1)
	s.want("4 (2 3)")
}

// Verdicts that the journal has given up while they waited hold nothing up.
func TestHistoryThatIsGone(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.lose()
	s.add(3)
	s.feed.queue = forgetful{s.j, 3}
	s.connect()
	s.want("(3)")
	s.lose()
	s.feed.queue = forgetful{s.j, 4}
	s.connect()
	s.want("")
	s.add(1)
	s.want("4")
}

// forgetful is a journal without its oldest verdicts.
type forgetful struct {
	Verdicts
	from uint64
}

func (f forgetful) After(seq uint64, limit int) ([]verdict.Verdict, error) {
	return f.Verdicts.After(max(seq, f.from-1), limit)
}

// A rebirth numbers anew and repeats no verdict.
func TestRebirth(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.add(1)
	s.want("1")
	if m, err := s.Rebirth(s.now); err != nil || len(m) != 2 || s.seq != 2 {
		t.Fatalf("births %v, %v, next number %d", m, err, s.seq)
	}
	s.want("")
	s.lose()
	if m, err := s.Rebirth(s.now); err != nil || m != nil {
		t.Errorf("without a session a rebirth is %v, %v", m, err)
	}
}

// A connection that no CONNECT went through leaves its number to the next.
func TestRefusedConnection(t *testing.T) {
	s := newStand(t)
	for i, want := range []uint8{0, 0, 1} {
		s.Will(s.now)
		if s.bdSeq != want {
			t.Errorf("attempt %d has bdSeq %d, want %d", i, s.bdSeq, want)
		}
		if i > 0 {
			if err := s.Opening(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSessionFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory")
	for text, want := range map[string]sessionState{
		`{"bd_seq": 255, "delivered": 40}`: {255, 40},
		// of a journal that is gone: its numbers would never be reached
		`{"bd_seq": 3, "delivered": 400}`: {3, 50},
		`{"bd_seq": 256}`:                 {-1, 50},
		`{"bd_seq": `:                     {-1, 50},
		``:                                {-1, 50},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, note := OpenSessionFile(path, 50)
		if m.kept != want || (note != nil) != (want.BdSeq == -1) {
			t.Errorf("%q is %+v, %v", text, m.kept, note)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	m, note := OpenSessionFile(path, 50)
	if note != nil || m.next() != 0 {
		t.Errorf("without a file: %v, bdSeq %d", note, m.next())
	}
	// a disk that does not take it: the number is used all the same
	m.path = filepath.Join(path, "nowhere")
	if err := m.use(0); err == nil || !strings.Contains(err.Error(), "remember Sparkplug's numbers") || m.next() != 1 {
		t.Errorf("%v, next %d", err, m.next())
	}
	m.path = path
	if err := m.save(); err != nil { // and what could not be written is written later
		t.Fatal(err)
	}
	if again, note := OpenSessionFile(path, 50); note != nil || again.next() != 1 {
		t.Errorf("%v, next %d", note, again.next())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != fs.FileMode(0o640) {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// STATE as hosts send it, one after the other.
func TestHostState(t *testing.T) {
	var h host
	for _, step := range []struct {
		payload          string
		accepted, online bool
		err              string
	}{
		{`{"online":true,"timestamp":100}`, true, true, ""},
		{`{"online":false,"timestamp":99}`, false, true, ""}, // the will of a connection before
		{`{"timestamp":100,"online":false}`, true, false, ""},
		{`{"online":true,"timestamp":99}`, false, false, ""},
		{`{"online":true,"timestamp":100}`, true, true, ""},
		{`{"online":true,"timestamp":300}`, true, true, ""},
		{`{"online":false,"timestamp":200}`, false, true, ""},
		{`OFFLINE`, false, true, "malformed STATE message"}, // of Sparkplug before 3.0
		{`{"online":"true","timestamp":400}`, false, true, "malformed"},
		{`{"online":false}`, false, true, "malformed"},
		{``, false, true, "malformed"},
	} {
		accepted, err := h.receive([]byte(step.payload))
		if accepted != step.accepted || h.online != step.online || (err == nil) != (step.err == "") || err != nil && !strings.Contains(err.Error(), step.err) {
			t.Errorf("%s: accepted %t, online %t, %v", step.payload, accepted, h.online, err)
		}
	}
}

// Texts that are not UTF-8, such as the names of files, are made so: a host would throw the whole
// message away.
func TestTextIsUTF8(t *testing.T) {
	m := newMetric(nodeMetrics[0], 1, "caf\xe9.jpg", start, true)
	if got := m.GetStringValue(); got != "caf\uFFFD.jpg" {
		t.Errorf("%q", got)
	}
}

// Whatever comes as a command, nothing but the wish for a rebirth is obeyed.
func FuzzCommand(f *testing.F) {
	wish, _ := proto.Marshal(&spb.Payload{Metrics: []*spb.Payload_Metric{rebirthMetric(start)}})
	f.Add(wish)
	f.Add([]byte{0x12, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if AsksForRebirth(data) && !strings.Contains(string(data), rebirthName) {
			t.Errorf("%x is taken for a wish for rebirth", data)
		}
	})
}

// Whatever comes as STATE, the host is online only by a message that says so.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"online":true,"timestamp":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h host
		if accepted, err := h.receive(data); h.online && (!accepted || err != nil || !strings.Contains(string(data), "true")) {
			t.Errorf("%q makes the host online: %v", data, err)
		}
	})
}
