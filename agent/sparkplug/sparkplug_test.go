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

// stand is a test station: a real journal and a clock that the test moves.
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

// restart begins a new process, which has only the journal and the session file.
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

// sent returns what is sent now, like "2 3 (1)": live numbers, and the historical ones of one
// message in brackets.
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

// wait lets time pass and calls settle as often as the station does.
func (s *stand) wait(d time.Duration) {
	end := s.now.Add(d)
	for ; s.now.Before(end); s.now = s.now.Add(min(10*time.Second, end.Sub(s.now))) {
		s.feed.settle(s.now)
	}
}

func TestLiveVerdicts(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.want("")
	s.add(2)
	s.want("1 2")
	s.want("")
}

// Verdicts sent in the last two minutes of a connection may be lost, so they are sent again; older
// ones are not.
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

// A process that was stopped, by a debugger or for lack of memory, does not know whether its
// connection still worked.
func TestReplayAfterAStop(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.add(1)
	s.want("1")
	s.now = s.now.Add(time.Hour)
	s.want("")
	s.lose() // noticed only now
	s.connect()
	s.want("(1)")
}

// A killed process has the last saved state: it may send too much again, never too little.
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
	s.want("") // 2 counts as delivered now, but that is not saved
	s.restart()
	s.connect()
	s.want("(2)")
}

// Switching Sparkplug on does not send the whole journal.
func TestNothingFromBeforeTheFirstSession(t *testing.T) {
	s := newStand(t)
	s.add(3)
	s.restart()
	s.connect()
	s.add(1)
	s.want("4")
}

// A long history is sent in batches, and live verdicts do not wait for its end. After a break the
// next session continues with what was not yet delivered.
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
		t.Errorf("history was sent although not wanted: %v, %v", m, err)
	}
	next(true, 51, true)
	s.wait(overlap)
	next(true, 101, true)
	s.lose()
	s.connect()
	s.want("(101 ... 121)")
}

// Verdicts sent before a camera was lost are not sent again when it is back: the connection lasted.
func TestDeviceAway(t *testing.T) {
	s := newStand(t)
	s.connect()
	s.add(1)
	s.want("1")
	if m, err := s.Update(Facts{CameraLost: true, Problem: "camera"}, s.now); err != nil || len(m) != 2 {
		t.Fatalf("NDATA and DDEATH: %v, %v", m, err)
	}
	s.add(2)
	s.want("")
	if m, err := s.Rebirth(s.now); err != nil || len(m) != 1 {
		t.Fatalf("births without the device: %v, %v", m, err)
	}
	s.want("")
	if m, err := s.Update(Facts{}, s.now); err != nil || len(m) != 2 {
		t.Fatalf("NDATA and DBIRTH: %v, %v", m, err)
	}
	s.add(1)
	s.want("4 (2 3)")
}

// Verdicts that the journal has deleted do not block the others.
func TestDeletedHistory(t *testing.T) {
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

// A rebirth restarts the sequence numbers and repeats no verdict.
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
		t.Errorf("rebirth without a session: %v, %v", m, err)
	}
}

// A connection without a CONNECT leaves its bdSeq to the next one.
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
	path := filepath.Join(t.TempDir(), "session")
	for text, want := range map[string]sessionState{
		`{"bd_seq": 255, "delivered": 40}`: {255, 40},
		// from a deleted journal: the new one would never reach its numbers
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
	// a failed write: the number counts as used
	m.path = filepath.Join(path, "nowhere")
	if err := m.use(0); err == nil || !strings.Contains(err.Error(), "save Sparkplug session") || m.next() != 1 {
		t.Errorf("%v, next %d", err, m.next())
	}
	m.path = path
	if err := m.save(); err != nil { // what could not be written is written later
		t.Fatal(err)
	}
	if again, note := OpenSessionFile(path, 50); note != nil || again.next() != 1 {
		t.Errorf("%v, next %d", note, again.next())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != fs.FileMode(0o640) {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A sequence of STATE messages from hosts.
func TestHostState(t *testing.T) {
	var h host
	for _, step := range []struct {
		payload          string
		accepted, online bool
		err              string
	}{
		{`{"online":true,"timestamp":100}`, true, true, ""},
		{`{"online":false,"timestamp":99}`, false, true, ""}, // the will of an earlier connection
		{`{"timestamp":100,"online":false}`, true, false, ""},
		{`{"online":true,"timestamp":99}`, false, false, ""},
		{`{"online":true,"timestamp":100}`, true, true, ""},
		{`{"online":true,"timestamp":300}`, true, true, ""},
		{`{"online":false,"timestamp":200}`, false, true, ""},
		{`OFFLINE`, false, true, "malformed STATE message"}, // from Sparkplug before 3.0
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

// Texts that are not valid UTF-8, such as file names, are corrected: a host would reject the whole
// message.
func TestTextIsUTF8(t *testing.T) {
	m := newMetric(nodeMetrics[0], 1, "caf\xe9.jpg", start, true)
	if got := m.GetStringValue(); got != "caf\uFFFD.jpg" {
		t.Errorf("%q", got)
	}
}

// The only accepted command is the request for a rebirth, whatever the payload.
func FuzzCommand(f *testing.F) {
	request, _ := proto.Marshal(&spb.Payload{Metrics: []*spb.Payload_Metric{rebirthMetric(start)}})
	f.Add(request)
	f.Add([]byte{0x12, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if AsksForRebirth(data) && !strings.Contains(string(data), rebirthName) {
			t.Errorf("%x was accepted as a request for a rebirth", data)
		}
	})
}

// Whatever the payload, only a message with online true makes the host online.
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
