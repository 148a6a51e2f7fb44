// Package sparkplug makes the station an edge node of Sparkplug B 3.0, in addition to its plain
// MQTT topics. It contains the state machine and the payloads, but no connection.
//
//	journal -> SPARKPLUG -> uplink -> broker -> SCADA
//	                ^---- NCMD, STATE ----'
//
// The station is the edge node, and the camera with its network is its only device. Each verdict is
// a DDATA. A session begins with NBIRTH and DBIRTH and ends with NDEATH, which is also the will of
// the connection; bdSeq pairs the two. Verdicts that a host may have missed are sent again as
// historical: feed.go has the rule. Only the plain topics are acknowledged. Start with [New] and
// [Node.Will]; uplink.EdgeNode shows the order of the calls.
package sparkplug

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"tirewatch/agent/sparkplug/spb"
)

// Message is a message to publish, never retained.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
}

// Facts are what the edge node reports in addition to verdicts.
type Facts struct {
	ModelSerial uint64 // 0: no model
	ModelHash   string
	Problem     string // why the station does not work; empty: it works
	CameraLost  bool   // the device is dead
}

type facts struct {
	Facts
	station, version string
}

// Options are the options of [New].
type Options struct {
	Names       Names
	Station     string        // site/line/name, for Station/Name
	Version     string        // of the agent
	Overlap     time.Duration // a sent verdict counts as delivered when the session lasts this long after it
	Queue       Verdicts
	SessionFile *SessionFile
}

// Node is the state machine. It is owned by one goroutine, except for Opening.
type Node struct {
	names Names
	host  host
	feed  feed

	facts  facts // last reported
	bdSeq  uint8 // of this connection
	seq    uint8 // of the next message
	born   bool  // NBIRTH is sent, NDEATH is not
	device bool  // DBIRTH is sent, DDEATH is not
	begun  bool  // a DBIRTH was sent in this session
}

// New returns a node without a connection.
func New(o Options) *Node {
	return &Node{
		names: o.Names,
		feed:  feed{queue: o.Queue, file: o.SessionFile, overlap: o.Overlap},
		facts: facts{station: o.Station, version: o.Version},
	}
}

// Names returns the names of the station.
func (n *Node) Names() Names { return n.names }

// Born reports whether a session is active: births are sent and the death is not.
func (n *Node) Born() bool { return n.born }

// Will prepares a new connection and returns its will.
func (n *Node) Will(now time.Time) Message {
	n.host.forget()
	n.born, n.device, n.begun = false, false, false
	n.bdSeq = n.feed.file.next()
	return n.death(now)
}

// Opening must be called just before the CONNECT packet with that will is sent. A connection
// refused earlier does not use a bdSeq. It may be called from another goroutine, but not at the
// same time as other methods.
func (n *Node) Opening() error { return n.feed.file.use(n.bdSeq) }

// Begin must be called once the subscriptions are made. It returns the births, or nothing while
// they have to wait for the primary host.
func (n *Node) Begin(f Facts, now time.Time) ([]Message, error) {
	n.facts.Facts = f
	if n.names.Host != "" && !n.host.online {
		return nil, nil
	}
	return n.births(now)
}

// ErrHostOffline ends a session: the primary host went offline.
var ErrHostOffline = errors.New("the primary host is offline, verdicts wait in the journal")

// State processes a message on Names.State. It returns births when the host comes online. When the
// host goes offline during a session, it returns the death and ErrHostOffline, and the connection
// must end. Any other error is a malformed message, which changes nothing.
func (n *Node) State(payload []byte, now time.Time) ([]Message, error) {
	accepted, err := n.host.receive(payload)
	switch {
	case err != nil || !accepted:
		return nil, err
	case n.host.online && !n.born:
		return n.births(now)
	case !n.host.online && n.born:
		return n.End(now), ErrHostOffline
	}
	return nil, nil
}

// AsksForRebirth reports whether a message on Names.Command requests a rebirth. There are no other
// commands.
func AsksForRebirth(payload []byte) bool {
	var p spb.Payload
	if err := proto.Unmarshal(payload, &p); err != nil {
		return false
	}
	for _, m := range p.Metrics {
		if m.GetName() == rebirthName && m.GetBooleanValue() {
			return true
		}
	}
	return false
}

// Rebirth returns the births again on request of a host, or nothing if there was no birth yet.
func (n *Node) Rebirth(now time.Time) ([]Message, error) {
	if !n.born {
		return nil, nil
	}
	return n.births(now)
}

// Update returns messages for what has changed since the last report.
func (n *Node) Update(f Facts, now time.Time) ([]Message, error) {
	old := n.facts
	n.facts.Facts = f
	if !n.born {
		return nil, nil
	}
	var out []Message
	var changed []*spb.Payload_Metric
	for i, m := range nodeMetrics {
		if value := m.value(n.facts); value != m.value(old) {
			changed = append(changed, newMetric(m, firstNodeAlias+uint64(i), value, now, false))
		}
	}
	if len(changed) > 0 {
		out = append(out, n.message(n.names.node("NDATA"), changed, now))
	}
	switch {
	case n.device && f.CameraLost:
		n.device = false
		out = append(out, n.message(n.names.device("DDEATH"), nil, now))
	case !n.device && !f.CameraLost:
		birth, err := n.deviceBirth(now)
		if err != nil {
			return out, err
		}
		out = append(out, birth)
	}
	return out, nil
}

// Next returns the next DDATA, or nil if there is none. It returns history only if the caller wants
// it, so that the caller can limit its rate: a broker drops what a host cannot receive in time.
func (n *Node) Next(history bool, now time.Time) (m *Message, historical bool, err error) {
	n.feed.settle(now)
	if !n.device {
		return nil, false, nil
	}
	verdicts, historical, err := n.feed.next(history, now)
	if err != nil || len(verdicts) == 0 {
		return nil, false, err
	}
	var all []*spb.Payload_Metric
	for i := range verdicts {
		v := &verdicts[i]
		for _, p := range encodeMetrics(deviceMetrics, firstDeviceAlias, v, v.Time, false) {
			if historical {
				p.IsHistorical = proto.Bool(true)
			}
			all = append(all, p)
		}
	}
	data := n.message(n.names.device("DDATA"), all, now)
	return &data, historical, nil
}

// End returns the death, which must be sent before an intended DISCONNECT. Without a session it
// returns nothing.
func (n *Node) End(now time.Time) []Message {
	if !n.born {
		return nil
	}
	n.born, n.device = false, false
	return []Message{n.death(now)}
}

// Lost must be called when a connection has ended for any reason. Verdicts sent just before the end
// will be sent again.
func (n *Node) Lost(now time.Time) error {
	n.feed.settle(now)
	n.feed.sent = nil
	n.born, n.device = false, false
	return n.feed.file.save()
}

// Save stores what counts as delivered, so that less is sent again after a crash.
func (n *Node) Save() error { return n.feed.file.save() }

// births returns the complete birth sequence.
func (n *Node) births(now time.Time) ([]Message, error) {
	n.seq, n.born, n.device = 0, true, false
	bdSeq := bdSeqMetric(n.bdSeq, now)
	bdSeq.Alias = proto.Uint64(bdSeqAlias)
	all := append([]*spb.Payload_Metric{bdSeq, rebirthMetric(now)},
		encodeMetrics(nodeMetrics, firstNodeAlias, n.facts, now, true)...)
	out := []Message{n.message(n.names.node("NBIRTH"), all, now)}
	if n.facts.CameraLost {
		return out, nil
	}
	birth, err := n.deviceBirth(now)
	if err != nil {
		return nil, err
	}
	return append(out, birth), nil
}

// deviceBirth returns DBIRTH with the latest verdict as the current values.
func (n *Node) deviceBirth(now time.Time) (Message, error) {
	if n.begun {
		n.feed.resume()
	} else {
		n.feed.begin()
	}
	latest, err := n.feed.queue.Recent(1) // after begin: a verdict stored in between is sent live
	if err != nil {
		return Message{}, fmt.Errorf("device birth: %w", err)
	}
	n.device, n.begun = true, true
	current := nullMetrics(now)
	if len(latest) > 0 {
		current = encodeMetrics(deviceMetrics, firstDeviceAlias, &latest[0], latest[0].Time, true)
	}
	return n.message(n.names.device("DBIRTH"), current, now), nil
}

// death returns NDEATH. Only it has no sequence number and, like the will, QoS 1.
func (n *Node) death(now time.Time) Message {
	p := &spb.Payload{
		Timestamp: proto.Uint64(unixMS(now)), Metrics: []*spb.Payload_Metric{bdSeqMetric(n.bdSeq, now)}}
	return Message{Topic: n.names.node("NDEATH"), Payload: encode(p), QoS: 1}
}

// message encodes a payload with the next sequence number.
func (n *Node) message(topic string, all []*spb.Payload_Metric, now time.Time) Message {
	p := &spb.Payload{Timestamp: proto.Uint64(unixMS(now)), Metrics: all, Seq: proto.Uint64(uint64(n.seq))}
	n.seq++ // after 255 comes 0
	return Message{Topic: topic, Payload: encode(p)}
}
