package uplink_test

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"google.golang.org/protobuf/proto"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/sparkplug"
	"tirewatch/agent/sparkplug/spb"
	"tirewatch/agent/uplink"
)

var spNames = sparkplug.Names{Group: "hamburg", Node: "line1-station3", Device: "inspection", Host: "scada"}

const rebirth = "Node Control/Rebirth"

// newNode is a station's state machine whose session file is in the test's folder.
func newNode(t testing.TB, j *journal.Journal, names sparkplug.Names, overlap time.Duration) *sparkplug.Node {
	t.Helper()
	session, note := sparkplug.OpenSessionFile(j.Path()+"-sparkplug", j.Next()-1)
	if note != nil {
		t.Fatal(note)
	}
	return sparkplug.New(sparkplug.Options{Names: names, Station: station, Version: "test", Overlap: overlap, Queue: j, SessionFile: session})
}

// rebirthRequest returns the message by which a host requests a rebirth.
func rebirthRequest(name string, value bool) []byte {
	data, _ := proto.Marshal(&spb.Payload{Timestamp: proto.Uint64(1), Metrics: []*spb.Payload_Metric{{
		Name: &name, Datatype: proto.Uint32(uint32(spb.DataType_Boolean)), Value: &spb.Payload_Metric_BooleanValue{BooleanValue: value}}}})
	return data
}

func state(online bool, at int) []byte {
	return fmt.Appendf(nil, `{"online": %t, "timestamp": %d}`, online, at)
}

// story is everything that a broker saw of three sessions.
type story struct {
	events     []event
	began, end time.Time
}

const wraps = 300 // live verdicts, enough for the sequence number to wrap after 255

// tell runs a real edge node through a primary host, verdicts, a lost camera, a rebirth, a host
// that leaves, a cut connection and the end.
func tell(t *testing.T) *story {
	s := &story{began: time.Now()}
	j := newJournal(t)
	w := newWitness(t)
	cfg := settings(w.url())
	cfg.ClientID = "tirewatch-test-sparkplug"
	e := uplink.NewEdgeNode(cfg, newNode(t, j, spNames, time.Hour), j.Watch(), quiet, func() {})
	e.SetPauses(10*time.Millisecond, time.Millisecond)
	e.Change(func(f *sparkplug.Facts) { f.ModelSerial, f.ModelHash = 1, "aa" })
	stop := run(t, e)
	host := func(online bool, at int) { w.send("STATE", spNames.State(), state(online, at)) }
	lose := func(lost bool) { e.Change(func(f *sparkplug.Facts) { f.CameraLost = lost }) }

	// The first session waits for the host.
	w.wait("SUBSCRIBE", 1)
	w.send("STATE", "spBv1.0/STATE/another", state(true, 999))
	host(false, 100)
	host(true, 50)
	host(true, 100)
	w.wait("DBIRTH", 1)
	for n := range wraps { // one after the other, as on a belt
		appendN(t, j, 1)
		w.wait("DDATA", n+1)
	}
	e.Change(func(f *sparkplug.Facts) { f.ModelSerial, f.ModelHash = 2, "bb" })
	w.wait("NDATA", 1)
	lose(true)
	w.wait("DDEATH", 1)
	appendN(t, j, 2)
	lose(false)
	w.wait("DDATA", wraps+1) // both in one, historical
	w.send("NCMD", spNames.Command(), rebirthRequest(rebirth, true))
	w.wait("DBIRTH", 3)
	appendN(t, j, 1)
	w.wait("DDATA", wraps+2)
	host(false, 99)
	host(false, 100)

	// The second session: verdicts wait while the host is offline, and the connection is cut.
	w.wait("SUBSCRIBE", 2)
	appendN(t, j, 2)
	host(true, 200)
	w.wait("DBIRTH", 4)
	w.wait("DDATA", wraps+2+(wraps+5+49)/50)
	w.cut()

	// The third session ends intentionally.
	w.wait("SUBSCRIBE", 3)
	host(true, 200)
	w.wait("DBIRTH", 5)
	stop()
	w.wait("GONE", 3)
	s.events, s.end = w.seen(), time.Now()
	return s
}

// of returns the events of some kinds. It fails if there are none, because a check of no events
// proves nothing.
func (s *story) of(t *testing.T, kinds ...string) (found []event) {
	t.Helper()
	for _, e := range s.events {
		if slices.Contains(kinds, e.kind) {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no %v in the story", kinds)
	}
	return found
}

// index returns the position of the n-th event of a kind, from 0.
func (s *story) index(t *testing.T, kind string, n int) int {
	t.Helper()
	for i, e := range s.events {
		if e.kind == kind {
			if n == 0 {
				return i
			}
			n--
		}
	}
	t.Fatalf("too few %s in the story", kind)
	return 0
}

type check func(t *testing.T, s *story)

// all combines checks.
func all(checks ...check) check {
	return func(t *testing.T, s *story) {
		t.Helper()
		for _, c := range checks {
			c(t, s)
		}
	}
}

// every returns a check of each message of some kinds.
func every(what string, ok func(e event) bool, kinds ...string) check {
	return func(t *testing.T, s *story) {
		t.Helper()
		for i, e := range s.of(t, kinds...) {
			if !ok(e) {
				t.Errorf("%s %d of session %d: want %s, got %v", e.kind, i, e.visit, what, e.p)
			}
		}
	}
}

var sequenced = []string{"NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH"}

func topic(kind, want string) check {
	return every("topic "+want, func(e event) bool { return e.topic() == want }, kind)
}

func qos(kind string, qos byte) check {
	return every(fmt.Sprintf("QoS %d", qos), func(e event) bool { return e.publish().Qos == qos }, kind)
}

func notRetained(kind string) check {
	return every("no retain flag", func(e event) bool { return !e.publish().Retain }, kind)
}

// stamped: the payload contains the time when it was sent.
func stamped(kinds ...string) check {
	return func(t *testing.T, s *story) {
		every("a timestamp of this test, in UTC", func(e event) bool { return s.isNow(e.p.Timestamp) }, kinds...)(t, s)
	}
}

func (s *story) isNow(ms *uint64) bool {
	return ms != nil && *ms >= uint64(s.began.UnixMilli()) && *ms <= uint64(s.end.UnixMilli())
}

// numbered: the sequence number of each message of these kinds follows that of the message before
// it, of any kind. 0 follows 255.
func numbered(kinds ...string) check {
	return func(t *testing.T, s *story) {
		t.Helper()
		s.of(t, kinds...)
		last := -1
		wrapped := false
		for _, e := range s.of(t, sequenced...) {
			got := -1
			if e.p.Seq != nil {
				got = int(*e.p.Seq)
			}
			want := (last + 1) % 256
			if e.kind == "NBIRTH" {
				want = 0
			}
			if slices.Contains(kinds, e.kind) && got != want {
				t.Errorf("%s after %d has number %d", e.kind, last, got)
			}
			wrapped = wrapped || last == 255 && got == 0
			last = got
		}
		if !wrapped {
			t.Error("the story is too short: the number never passed 255")
		}
	}
}

// eachMetric returns a check of every metric.
func eachMetric(what string, ok func(s *story, m *spb.Payload_Metric) bool, kinds ...string) check {
	return func(t *testing.T, s *story) {
		t.Helper()
		n := 0
		for _, e := range s.of(t, kinds...) {
			for _, m := range e.p.Metrics {
				n++
				if !ok(s, m) {
					t.Errorf("%s: want %s, got %v", e.kind, what, m)
				}
			}
		}
		if n == 0 {
			t.Errorf("no metrics in %v", kinds)
		}
	}
}

// hasBdSeq: bdSeq is that of the will of the same connection.
var hasBdSeq check = func(t *testing.T, s *story) {
	t.Helper()
	for _, e := range s.of(t, "NBIRTH", "NDEATH") {
		will := s.of(t, "CONNECT")[e.visit].metric("bdSeq")
		got := e.metric("bdSeq")
		if got == nil || got.Datatype == nil || *got.Datatype != uint32(spb.DataType_Int64) || got.GetLongValue() != will.GetLongValue() {
			t.Errorf("%s of session %d has %v, its will %v", e.kind, e.visit, got, will)
		}
	}
}

// counts: bdSeq starts at 0 and grows by one with each CONNECT, also after a restart. 0 follows
// 255.
var counts check = func(t *testing.T, s *story) {
	t.Helper()
	for i, e := range s.of(t, "CONNECT") {
		m := e.metric("bdSeq")
		if m.GetLongValue() != uint64(i) || m.GetDatatype() != uint32(spb.DataType_Int64) {
			t.Errorf("will %d has %v", i, m)
		}
	}
	j := newJournal(t)
	for i := range 260 {
		n := newNode(t, j, spNames, time.Hour) // a restart each time
		will := decoded(t, n.Will(time.Now()).Payload)
		if got := will.Metrics[0].GetLongValue(); got != uint64(i%256) {
			t.Fatalf("will %d has bdSeq %d", i, got)
		}
		if err := n.Opening(); err != nil {
			t.Fatal(err)
		}
	}
}

// offersRebirth: NBIRTH has the metric that tells a host about rebirths.
var offersRebirth = every("Node Control/Rebirth, Boolean, false, without alias", func(e event) bool {
	m := e.metric(rebirth)
	_, ok := m.GetValue().(*spb.Payload_Metric_BooleanValue)
	return ok && !m.GetBooleanValue() && m.GetDatatype() == uint32(spb.DataType_Boolean) && m.Alias == nil
}, "NBIRTH")

// complete: every alias in data is in the birth.
func complete(birth, data string) check {
	return func(t *testing.T, s *story) {
		t.Helper()
		for _, d := range s.of(t, data) {
			for _, b := range s.of(t, birth) {
				for _, m := range d.p.Metrics {
					if !slices.ContainsFunc(b.p.Metrics, func(born *spb.Payload_Metric) bool { return born.GetAlias() == m.GetAlias() }) {
						t.Fatalf("%s has alias %d, which is not in %s", data, m.GetAlias(), birth)
					}
				}
			}
		}
	}
}

func described(kind string) check {
	return eachMetric("a name, a datatype and a value, or null and no value", func(_ *story, m *spb.Payload_Metric) bool {
		return m.GetName() != "" && m.Datatype != nil && (m.Value != nil) != m.GetIsNull()
	}, kind)
}

var typed = eachMetric("a datatype of the specification that fits the value", func(_ *story, m *spb.Payload_Metric) bool {
	if m.Value == nil {
		return m.GetIsNull() && m.GetDatatype() >= 1 && m.GetDatatype() <= 34
	}
	fits := map[spb.DataType]any{
		spb.DataType_Int64: new(spb.Payload_Metric_LongValue), spb.DataType_UInt64: new(spb.Payload_Metric_LongValue),
		spb.DataType_Int32: new(spb.Payload_Metric_IntValue), spb.DataType_Double: new(spb.Payload_Metric_DoubleValue),
		spb.DataType_Boolean: new(spb.Payload_Metric_BooleanValue), spb.DataType_String: new(spb.Payload_Metric_StringValue),
	}
	return reflect.TypeOf(fits[spb.DataType(m.GetDatatype())]) == reflect.TypeOf(m.Value)
}, "NBIRTH", "DBIRTH", "CONNECT", "NDEATH")

// bornFirst: in each session NBIRTH, then DBIRTH, and only then data and deaths of devices.
var bornFirst check = func(t *testing.T, s *story) {
	t.Helper()
	before := map[int]string{}
	for _, e := range s.of(t, append(sequenced, "NDEATH")...) {
		switch {
		case before[e.visit] == "" && e.kind != "NBIRTH", before[e.visit] == "NBIRTH" && e.kind != "DBIRTH":
			t.Errorf("session %d has %s after %q", e.visit, e.kind, before[e.visit])
		}
		before[e.visit] = e.kind
	}
}

// subscribes: with QoS 1, before the births.
func subscribes(topic string) check {
	return func(t *testing.T, s *story) {
		t.Helper()
		for _, e := range s.of(t, "SUBSCRIBE") {
			p := e.packet.(*packets.SubscribePacket)
			if i := slices.Index(p.Topics, topic); i < 0 || p.Qoss[i] != 1 {
				t.Errorf("session %d subscribes to %v with QoS %v", e.visit, p.Topics, p.Qoss)
			}
		}
		if s.index(t, "SUBSCRIBE", 0) > s.index(t, "NBIRTH", 0) {
			t.Error("the birth is earlier")
		}
	}
}

func will(what string, ok func(c *packets.ConnectPacket) bool) check {
	return every(what, func(e event) bool { return ok(e.connect()) }, "CONNECT")
}

var cleanSession = will("a clean session of MQTT 3.1.1", func(c *packets.ConnectPacket) bool { return c.CleanSession && c.ProtocolVersion == 4 })

// waits: in each session the birth follows an accepted STATE. A STATE of another host, an offline
// one and an old one are not accepted.
var waits check = func(t *testing.T, s *story) {
	t.Helper()
	if count(s.events[:s.index(t, "NBIRTH", 0)], "STATE") != 4 {
		t.Error("the first birth does not wait for the fourth STATE, the first that is the host's own, online and not old")
	}
	for visit := range 3 {
		if i := slices.IndexFunc(s.events, func(e event) bool { return e.visit == visit && e.kind == "NBIRTH" }); count(s.events[:i], "STATE") < []int{4, 7, 8}[visit] {
			t.Errorf("session %d does not wait", visit)
		}
	}
	n := newNode(t, newJournal(t), spNames, time.Hour)
	now := time.Now()
	n.Will(now)
	if m, err := n.Begin(sparkplug.Facts{}, now); len(m) != 0 || err != nil {
		t.Errorf("births before any STATE: %v, %v", m, err)
	}
	for _, step := range []struct {
		payload []byte
		births  int
	}{{state(false, 100), 0}, {state(true, 99), 0}, {[]byte("ONLINE"), 0}, {[]byte(`{"online": true}`), 0}, {state(true, 100), 2}} {
		if m, _ := n.State(step.payload, now); len(m) != step.births {
			t.Errorf("after %s there are %d births, want %d", step.payload, len(m), step.births)
		}
	}
	n.Will(now) // after a new connection a new STATE must arrive, and old STATEs stay old
	if m, _ := n.Begin(sparkplug.Facts{}, now); len(m) != 0 {
		t.Error("births of a new connection do not wait")
	}
	if m, _ := n.State(state(true, 99), now); len(m) != 0 {
		t.Error("a STATE older than that of the previous connection is accepted")
	}
}

// leaves: an offline STATE ends the session with NDEATH and DISCONNECT, unless it is old.
var leaves check = func(t *testing.T, s *story) {
	t.Helper()
	death := s.index(t, "NDEATH", 0)
	if count(s.events[:death], "STATE") != 6 {
		t.Errorf("the death follows STATE %d, not the sixth, which is offline and not old", count(s.events[:death], "STATE"))
	}
	if e := s.events[death]; e.visit != 0 || s.events[death+1].kind != "DISCONNECT" {
		t.Errorf("the death of session %d is followed by %s", e.visit, s.events[death+1].kind)
	}
	n := newNode(t, newJournal(t), spNames, time.Hour)
	now := time.Now()
	n.Will(now)
	n.Begin(sparkplug.Facts{}, now)
	n.State(state(true, 100), now)
	if m, err := n.State(state(false, 99), now); len(m) != 0 || err != nil || !n.Born() {
		t.Errorf("an old offline STATE returns %v, %v", m, err)
	}
	if m, err := n.State(state(false, 100), now); len(m) != 1 || !errors.Is(err, sparkplug.ErrHostOffline) || n.Born() {
		t.Errorf("an offline STATE returns %v, %v", m, err)
	}
}

// oneAtATime: a connection starts after the previous one has ended. The witness would not answer a
// second one at the same time.
var oneAtATime check = func(t *testing.T, s *story) {
	t.Helper()
	if n := len(s.of(t, "CONNECT")); n != 3 {
		t.Errorf("%d connections", n)
	}
	for visit := 1; visit < 3; visit++ {
		if s.index(t, "CONNECT", visit) < s.index(t, "GONE", visit-1) {
			t.Errorf("connection %d starts before %d has ended", visit, visit-1)
		}
	}
}

// saysDeath: an NDEATH precedes each DISCONNECT.
var saysDeath check = func(t *testing.T, s *story) {
	t.Helper()
	for i, e := range s.events {
		if e.kind == "DISCONNECT" && s.events[i-1].kind != "NDEATH" {
			t.Errorf("DISCONNECT of session %d follows %s", e.visit, s.events[i-1].kind)
		}
	}
	if n := len(s.of(t, "DISCONNECT")); n != 2 {
		t.Errorf("%d DISCONNECT", n)
	}
}

// reborn: the births follow the request, without data in between and with the same bdSeq.
var reborn = all(hasBdSeq, func(t *testing.T, s *story) {
	t.Helper()
	i := s.index(t, "NCMD", 0)
	if s.events[i+1].kind != "NBIRTH" || s.events[i+2].kind != "DBIRTH" {
		t.Errorf("NCMD is followed by %s, %s", s.events[i+1].kind, s.events[i+2].kind)
	}
	if s.events[i+1].visit != 0 || len(s.of(t, "CONNECT")) != 3 {
		t.Error("the rebirth is a new connection")
	}
})

// obeys: only a request for rebirth is obeyed.
var obeys check = func(t *testing.T, s *story) {
	for payload, want := range map[string]bool{
		string(rebirthRequest(rebirth, true)): true, string(rebirthRequest(rebirth, false)): false,
		string(rebirthRequest("Node Control/Reboot", true)): false, "no payload": false, "": false,
	} {
		if got := sparkplug.AsksForRebirth([]byte(payload)); got != want {
			t.Errorf("%q is a request for rebirth: %t", payload, got)
		}
	}
}

// onChange: nothing is sent without a change. A test cannot wait for silence, so this counts the
// messages of the story.
var onChange check = func(t *testing.T, s *story) {
	t.Helper()
	if n := len(s.of(t, "NDATA")); n != 1 {
		t.Errorf("%d NDATA for one change of the model", n)
	}
	live := 0
	last := uint64(0)
	for _, e := range s.of(t, "DDATA") {
		if !e.p.Metrics[0].GetIsHistorical() {
			live++
			if seq := e.p.Metrics[0].GetLongValue(); seq <= last {
				t.Errorf("verdict %d follows %d", seq, last)
			} else {
				last = seq
			}
		}
	}
	if live != wraps+1 {
		t.Errorf("%d DDATA for %d live verdicts", live, wraps+1)
	}
}

// changed: NDATA has the two metrics that changed.
var changed = every("serial and hash of the new model", func(e event) bool {
	return len(e.p.Metrics) == 2 && e.p.Metrics[0].GetLongValue() == 2 && e.p.Metrics[1].GetStringValue() == "bb"
}, "NDATA")

// whole: DDATA has the whole verdict.
var whole check = func(t *testing.T, s *story) {
	t.Helper()
	per := len(s.of(t, "DBIRTH")[0].p.Metrics)
	every("whole verdicts", func(e event) bool { return len(e.p.Metrics) > 0 && len(e.p.Metrics)%per == 0 }, "DDATA")(t, s)
}

// chronological: a message that is not historical holds one verdict, so all its metrics have one
// time.
var chronological = every("one time", func(e event) bool {
	for i, m := range e.p.Metrics {
		if !m.GetIsHistorical() && i > 0 && m.GetTimestamp() < e.p.Metrics[i-1].GetTimestamp() {
			return false
		}
	}
	return true
}, "NBIRTH", "DBIRTH", "NDATA", "DDATA")

var unique check = func(t *testing.T, s *story) {
	t.Helper()
	seen := map[uint64]string{}
	for _, e := range s.of(t, "NBIRTH", "DBIRTH") {
		for _, m := range e.p.Metrics {
			if m.Alias == nil {
				continue
			}
			if other, ok := seen[*m.Alias]; ok && other != m.GetName() {
				t.Errorf("alias %d is %s and %s", *m.Alias, other, m.GetName())
			}
			seen[*m.Alias] = m.GetName()
		}
	}
}

var distinct check = func(t *testing.T, s *story) {
	t.Helper()
	for _, e := range s.of(t, "NBIRTH", "DBIRTH") {
		seen := map[string]bool{}
		for _, m := range e.p.Metrics {
			if name := strings.ToLower(m.GetName()); seen[name] {
				t.Errorf("%s has two %s", e.kind, name)
			} else {
				seen[name] = true
			}
		}
	}
}

// Births contain names and aliases, data only aliases.
var (
	aliased = eachMetric("a name and, but for Node Control/Rebirth, an alias", func(_ *story, m *spb.Payload_Metric) bool {
		return m.GetName() != "" && (m.Alias != nil) == (m.GetName() != rebirth)
	}, "NBIRTH", "DBIRTH")
	byAlias = eachMetric("an alias, no name", func(_ *story, m *spb.Payload_Metric) bool { return m.Alias != nil && m.Name == nil }, "NDATA", "DDATA")
	untyped = eachMetric("no datatype", func(_ *story, m *spb.Payload_Metric) bool { return m.Datatype == nil }, "NDATA", "DDATA")
	timed   = eachMetric("a timestamp of this test, in UTC", func(s *story, m *spb.Payload_Metric) bool { return s.isNow(m.Timestamp) },
		"NBIRTH", "DBIRTH", "NDATA", "DDATA")
)

// levels: the levels of the topics.
var levels check = func(t *testing.T, s *story) {
	t.Helper()
	for _, e := range s.of(t, append(sequenced, "NDEATH")...) {
		parts := strings.Split(e.topic(), "/")
		want := []string{"spBv1.0", "hamburg", e.kind, "line1-station3"}
		if e.kind[0] == 'D' {
			want = append(want, "inspection")
		}
		if !slices.Equal(parts, want) {
			t.Errorf("topic %v, want %v", parts, want)
		}
	}
}

// refused: the configuration refuses invalid names.
func refused(key string) check {
	return func(t *testing.T, s *story) {
		t.Helper()
		for _, name := range []string{"a+b", "a/b", "a#b", `a\u0000b`} {
			_, err := config.Parse([]byte("[sparkplug]\n"+key+" = \""+name+"\"\n"), "s.toml")
			if err == nil || !strings.Contains(err.Error(), "sparkplug."+key) {
				t.Errorf("%s %q: %v", key, name, err)
			}
		}
		if _, err := config.Parse([]byte("[sparkplug]\n"+key+" = \"\xff\"\n"), "s.toml"); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("%s that is not UTF-8: %v", key, err)
		}
	}
}

// Checks each assertion of the specification about an edge node with MQTT 3.1.1, by its id, on what
// a broker saw of real sessions. Assertions about anything else are in elsewhere.
func TestSparkplugSpecification(t *testing.T) {
	s := tell(t)
	numberedFrom0 := all(numbered("NBIRTH"), every("number 0", func(e event) bool { return e.p.Seq != nil && *e.p.Seq == 0 }, "NBIRTH"))
	willTopic := will("topic of NDEATH", func(c *packets.ConnectPacket) bool { return c.WillTopic == "spBv1.0/hamburg/NDEATH/line1-station3" })
	willFlag := will("a will", func(c *packets.ConnectPacket) bool { return c.WillFlag })
	willQoS := will("QoS 1", func(c *packets.ConnectPacket) bool { return c.WillQos == 1 })
	willRetain := will("no retain flag", func(c *packets.ConnectPacket) bool { return !c.WillRetain })
	willPayload := every("bdSeq alone", func(e event) bool { return len(e.p.Metrics) == 1 && e.metric("bdSeq") != nil }, "CONNECT", "NDEATH")
	noNumber := every("no sequence number", func(e event) bool { return e.p.Seq == nil }, "CONNECT", "NDEATH")
	nbirth, dbirth := topic("NBIRTH", "spBv1.0/hamburg/NBIRTH/line1-station3"), topic("DBIRTH", "spBv1.0/hamburg/DBIRTH/line1-station3/inspection")
	state := subscribes("spBv1.0/STATE/scada")
	device := all(levels, func(t *testing.T, s *story) { s.of(t, "DBIRTH", "DDEATH", "DDATA") })

	assertions := map[string]check{
		"principles-rbe-recommended":                                       onChange,
		"principles-birth-certificates-order":                              bornFirst,
		"principles-persistence-clean-session-311":                         cleanSession,
		"topic-structure":                                                  levels,
		"topic-structure-namespace-a":                                      levels,
		"topic-structure-namespace-valid-group-id":                         refused("group"),
		"topic-structure-namespace-valid-edge-node-id":                     refused("node"),
		"topic-structure-namespace-valid-device-id":                        refused("device"),
		"topic-structure-namespace-unique-device-id":                       device, // there is one
		"topic-structure-namespace-device-id-associated-message-types":     device,
		"topic-structure-namespace-device-id-non-associated-message-types": levels,
		"intro-group-id-string":                                            levels,
		"intro-group-id-chars":                                             refused("group"),
		"intro-edge-node-id-string":                                        levels,
		"intro-edge-node-id-chars":                                         refused("node"),
		"intro-device-id-string":                                           device,
		"intro-device-id-chars":                                            refused("device"),
		"case-sensitivity-metric-names":                                    distinct,

		"topics-nbirth-topic":           nbirth,
		"topics-nbirth-mqtt":            all(qos("NBIRTH", 0), notRetained("NBIRTH")),
		"topics-nbirth-seq-num":         numberedFrom0,
		"topics-nbirth-timestamp":       stamped("NBIRTH"),
		"topics-nbirth-metric-reqs":     complete("NBIRTH", "NDATA"),
		"topics-nbirth-metrics":         described("NBIRTH"),
		"topics-nbirth-bdseq-included":  hasBdSeq,
		"topics-nbirth-bdseq-matching":  hasBdSeq,
		"topics-nbirth-bdseq-increment": all(counts, hasBdSeq),
		"topics-nbirth-rebirth-metric":  offersRebirth,
		"topics-ndata-topic":            topic("NDATA", "spBv1.0/hamburg/NDATA/line1-station3"),
		"topics-ndata-mqtt":             all(qos("NDATA", 0), notRetained("NDATA")),
		"topics-ndata-seq-num":          numbered("NDATA"),
		"topics-ndata-timestamp":        stamped("NDATA"),
		"topics-ndata-payload":          changed,
		"topics-ndeath-topic":           all(topic("NDEATH", "spBv1.0/hamburg/NDEATH/line1-station3"), willTopic),
		"topics-ndeath-payload":         willPayload,
		"topics-ndeath-seq":             noNumber,
		"topics-dbirth-topic":           dbirth,
		"topics-dbirth-mqtt":            all(qos("DBIRTH", 0), notRetained("DBIRTH")),
		"topics-dbirth-seq":             numbered("DBIRTH"),
		"topics-dbirth-timestamp":       stamped("DBIRTH"),
		"topics-dbirth-metric-reqs":     complete("DBIRTH", "DDATA"),
		"topics-dbirth-metrics":         described("DBIRTH"),
		"topics-ddata-topic":            topic("DDATA", "spBv1.0/hamburg/DDATA/line1-station3/inspection"),
		"topics-ddata-mqtt":             all(qos("DDATA", 0), notRetained("DDATA")),
		"topics-ddata-seq-num":          numbered("DDATA"),
		"topics-ddata-timestamp":        stamped("DDATA"),
		"topics-ddata-payload":          whole,
		"topics-ddeath-topic":           topic("DDEATH", "spBv1.0/hamburg/DDEATH/line1-station3/inspection"),
		"topics-ddeath-mqtt":            all(qos("DDEATH", 0), notRetained("DDEATH")),
		"topics-ddeath-seq-num":         numbered("DDEATH"),

		"message-flow-edge-node-ncmd-subscribe":                           subscribes("spBv1.0/hamburg/NCMD/line1-station3"),
		"message-flow-edge-node-birth-publish-connect":                    bornFirst,
		"message-flow-edge-node-birth-publish-will-message":               willFlag,
		"message-flow-edge-node-birth-publish-will-message-topic":         willTopic,
		"message-flow-edge-node-birth-publish-will-message-payload":       willPayload,
		"message-flow-edge-node-birth-publish-will-message-payload-bdSeq": counts,
		"message-flow-edge-node-birth-publish-will-message-qos":           willQoS,
		"message-flow-edge-node-birth-publish-will-message-will-retained": willRetain,
		"message-flow-edge-node-birth-publish-phid-wait":                  waits,
		"message-flow-edge-node-birth-publish-phid-wait-id":               waits,
		"message-flow-edge-node-birth-publish-phid-wait-online":           waits,
		"message-flow-edge-node-birth-publish-phid-wait-timestamp":        waits,
		"message-flow-edge-node-birth-publish-nbirth-topic":               nbirth,
		"message-flow-edge-node-birth-publish-nbirth-payload":             described("NBIRTH"),
		"message-flow-edge-node-birth-publish-nbirth-payload-bdSeq":       hasBdSeq,
		"message-flow-edge-node-birth-publish-nbirth-qos":                 qos("NBIRTH", 0),
		"message-flow-edge-node-birth-publish-nbirth-retained":            notRetained("NBIRTH"),
		"message-flow-edge-node-birth-publish-nbirth-payload-seq":         numberedFrom0,
		"message-flow-edge-node-birth-publish-phid-offline":               leaves,
		"message-flow-device-dcmd-subscribe":                              every("no commands to the device: it has no outputs", takesNoDCMD, "SUBSCRIBE"),
		"message-flow-device-birth-publish-nbirth-wait":                   bornFirst,
		"message-flow-device-birth-publish-dbirth-topic":                  dbirth,
		"message-flow-device-birth-publish-dbirth-match-edge-node-topic":  all(nbirth, dbirth),
		"message-flow-device-birth-publish-dbirth-payload":                described("DBIRTH"),
		"message-flow-device-birth-publish-dbirth-qos":                    qos("DBIRTH", 0),
		"message-flow-device-birth-publish-dbirth-retained":               notRetained("DBIRTH"),
		"message-flow-device-birth-publish-dbirth-payload-seq":            numbered("DBIRTH"),

		"operational-behavior-edge-node-intentional-disconnect-ndeath":                       saysDeath,
		"operational-behavior-edge-node-intentional-disconnect-packet":                       saysDeath,
		"operational-behavior-edge-node-termination-host-offline":                            leaves,
		"operational-behavior-edge-node-termination-host-offline-reconnect":                  all(leaves, oneAtATime), // the list has one broker
		"operational-behavior-edge-node-termination-host-offline-timestamp":                  leaves,
		"operational-behavior-device-ddeath":                                                 every("no metrics", func(e event) bool { return len(e.p.Metrics) == 0 }, "DDEATH"),
		"operational-behavior-primary-application-state-with-multiple-servers-state-subs":    state,
		"operational-behavior-primary-application-state-with-multiple-servers-single-server": oneAtATime,
		"operational-behavior-primary-application-state-with-multiple-servers-walk":          all(leaves, oneAtATime),
		"operational-behavior-edge-node-birth-sequence-wait":                                 waits,
		"operational-behavior-data-publish-nbirth":                                           complete("NBIRTH", "NDATA"),
		"operational-behavior-data-publish-nbirth-values":                                    described("NBIRTH"),
		"operational-behavior-data-publish-nbirth-change":                                    onChange,
		"operational-behavior-data-publish-nbirth-order":                                     chronological,
		"operational-behavior-data-publish-dbirth":                                           complete("DBIRTH", "DDATA"),
		"operational-behavior-data-publish-dbirth-values":                                    described("DBIRTH"),
		"operational-behavior-data-publish-dbirth-change":                                    onChange,
		"operational-behavior-data-publish-dbirth-order":                                     chronological,
		"operational-behavior-data-commands-rebirth-name":                                    offersRebirth,
		"operational-behavior-data-commands-rebirth-name-aliases":                            offersRebirth,
		"operational-behavior-data-commands-rebirth-datatype":                                offersRebirth,
		"operational-behavior-data-commands-rebirth-value":                                   offersRebirth,
		"operational-behavior-data-commands-ncmd-rebirth-verb":                               all(reborn, subscribes("spBv1.0/hamburg/NCMD/line1-station3")),
		"operational-behavior-data-commands-ncmd-rebirth-name":                               obeys,
		"operational-behavior-data-commands-ncmd-rebirth-value":                              obeys,
		"operational-behavior-data-commands-rebirth-action-1":                                reborn,
		"operational-behavior-data-commands-rebirth-action-2":                                reborn,
		"operational-behavior-data-commands-rebirth-action-3":                                reborn,

		"payloads-timestamp-in-UTC":                                 stamped(sequenced...),
		"payloads-sequence-num-always-included":                     numbered(sequenced...),
		"payloads-sequence-num-req-nbirth":                          numberedFrom0,
		"payloads-sequence-num-incrementing":                        numbered(sequenced...),
		"payloads-name-requirement":                                 all(aliased, byAlias),
		"payloads-alias-uniqueness":                                 unique,
		"payloads-alias-birth-requirement":                          aliased,
		"payloads-alias-data-cmd-requirement":                       byAlias,
		"payloads-name-birth-data-requirement":                      timed,
		"payloads-metric-timestamp-in-UTC":                          timed,
		"payloads-metric-datatype-value-type":                       typed,
		"payloads-metric-datatype-value":                            typed,
		"payloads-metric-datatype-req":                              typed,
		"payloads-metric-datatype-not-req":                          untyped,
		"payloads-nbirth-timestamp":                                 stamped("NBIRTH"),
		"payloads-nbirth-seq":                                       numberedFrom0,
		"payloads-nbirth-bdseq":                                     hasBdSeq,
		"payloads-nbirth-bdseq-repeat":                              hasBdSeq,
		"payloads-nbirth-rebirth-req":                               offersRebirth,
		"payloads-nbirth-qos":                                       qos("NBIRTH", 0),
		"payloads-nbirth-retain":                                    notRetained("NBIRTH"),
		"payloads-dbirth-timestamp":                                 stamped("DBIRTH"),
		"payloads-dbirth-seq":                                       numbered("DBIRTH"),
		"payloads-dbirth-seq-inc":                                   numbered("DBIRTH"),
		"payloads-dbirth-order":                                     bornFirst,
		"payloads-dbirth-qos":                                       qos("DBIRTH", 0),
		"payloads-dbirth-retain":                                    notRetained("DBIRTH"),
		"payloads-ndata-timestamp":                                  stamped("NDATA"),
		"payloads-ndata-seq":                                        numbered("NDATA"),
		"payloads-ndata-seq-inc":                                    numbered("NDATA"),
		"payloads-ndata-order":                                      bornFirst,
		"payloads-ndata-qos":                                        qos("NDATA", 0),
		"payloads-ndata-retain":                                     notRetained("NDATA"),
		"payloads-ddata-timestamp":                                  stamped("DDATA"),
		"payloads-ddata-seq":                                        numbered("DDATA"),
		"payloads-ddata-seq-inc":                                    numbered("DDATA"),
		"payloads-ddata-order":                                      bornFirst,
		"payloads-ddata-qos":                                        qos("DDATA", 0),
		"payloads-ddata-retain":                                     notRetained("DDATA"),
		"payloads-ddeath-timestamp":                                 stamped("DDEATH"),
		"payloads-ddeath-seq":                                       numbered("DDEATH"),
		"payloads-ddeath-seq-inc":                                   numbered("DDEATH"),
		"payloads-ddeath-seq-number":                                numbered("DDEATH"),
		"payloads-ndeath-seq":                                       noNumber,
		"payloads-ndeath-will-message":                              all(willFlag, willTopic, willPayload),
		"payloads-ndeath-will-message-qos":                          willQoS,
		"payloads-ndeath-will-message-retain":                       willRetain,
		"payloads-ndeath-bdseq":                                     hasBdSeq,
		"payloads-ndeath-will-message-publisher":                    saysDeath,
		"payloads-ndeath-will-message-publisher-disconnect-mqtt311": saysDeath,
	}
	for _, id := range slices.Sorted(maps.Keys(assertions)) {
		t.Run("tck-id-"+id, func(t *testing.T) { assertions[id](t, s) })
	}
	t.Run("every id is here or elsewhere", func(t *testing.T) { nothingForgotten(t, assertions) })
}

func takesNoDCMD(e event) bool {
	return !slices.ContainsFunc(e.packet.(*packets.SubscribePacket).Topics, func(s string) bool { return strings.Contains(s, "DCMD") || strings.ContainsAny(s, "+#") })
}

// elsewhere lists ids, with * for any letters, that do not apply to a station, and why.
var elsewhere = map[string][]string{
	"of host applications": {
		"host-topic-*", "message-flow-phid-*", "message-flow-hid-*", "operational-behavior-host-*",
		"operational-behavior-edge-node-termination-host-action-*", "operational-behavior-primary-application-state-with-multiple-servers-state",
		"components-ph-state", "intro-sparkplug-host-state", "payloads-state-*", "conformance-primary-host",
		"topics-ncmd-*", "topics-dcmd-*", "payloads-ncmd-*", "payloads-dcmd-*", "payloads-name-cmd-requirement",
		"operational-behavior-data-commands-ncmd-verb", "operational-behavior-data-commands-ncmd-metric-*", "operational-behavior-data-commands-dcmd-*",
	},
	"of MQTT servers":                                {"conformance-mqtt-*"},
	"of MQTT 5, the station speaks 3.1.1":            {"principles-persistence-clean-session-50", "payloads-ndeath-will-message-publisher-disconnect-mqtt50"},
	"of templates, the station has none":             {"payloads-template-*", "topics-nbirth-templates"},
	"of data sets, the station has none":             {"payloads-dataset-*"},
	"of properties of metrics, the station has none": {"payloads-propertyset-*", "payloads-metric-propertyvalue-*"},
	"of names of several stations, which the plant chooses": {
		"topic-structure-namespace-unique-edge-node-descriptor", "topic-structure-namespace-duplicate-device-id-across-edge-node",
		"payloads-nbirth-edge-node-descriptor", "intro-edge-node-id-uniqueness", "case-sensitivity-sparkplug-ids",
	},
}

// specified lists the ids of all assertions in the Sparkplug specification 3.0.0, marked
// tck-testable in its text.
//
//go:embed testdata/sparkplug-ids.txt
var specified string

func nothingForgotten(t *testing.T, assertions map[string]check) {
	ids := strings.Fields(specified)
	used := map[string]bool{}
	tested, named := 0, 0
	for i, id := range ids {
		ids[i] = strings.TrimPrefix(id, "tck-id-")
		where := 0
		if _, ok := assertions[ids[i]]; ok {
			where++
			tested++
		}
		for _, patterns := range elsewhere {
			for _, p := range patterns {
				if ok, _ := path.Match(p, ids[i]); ok {
					where++
					named++
					used[p] = true
				}
			}
		}
		if where != 1 {
			t.Errorf("%s is in %d places", id, where)
		}
	}
	for id := range assertions {
		if !slices.Contains(ids, id) {
			t.Errorf("the specification has no %s", id)
		}
	}
	for _, patterns := range elsewhere {
		for _, p := range patterns {
			if !used[p] {
				t.Errorf("the specification has no %s", p)
			}
		}
	}
	t.Logf("%d ids: %d tested, %d elsewhere", len(ids), tested, named)
}
