// Package sparkplug makes the station an edge node of Sparkplug B 3.0, beside its plain topics: the
// state machine and its payloads, without a connection.
//
//	journal -> SPARKPLUG -> uplink -> broker -> SCADA
//	                ^---- NCMD, STATE ----'
//
// The station is the edge node; the camera with its network is its one device, and each verdict a
// DDATA. A session begins with NBIRTH and DBIRTH and ends with NDEATH, which also stands as the
// connection's will; bdSeq pairs the two. Verdicts that a host may have missed are sent again as
// historical: feed.go has the rule. The plain topics stay the durable way: theirs are acknowledged.
// Newcomers need New; the order of calls is that of uplink.EdgeNode.
package sparkplug

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"tirewatch/agent/sparkplug/spb"
)

// Message is one to be published. None is retained.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
}

// Facts are what the edge node reports beside verdicts.
type Facts struct {
	ModelSerial uint64 // 0: no model
	ModelHash   string
	Problem     string // what keeps the station from working; empty: nothing
	CameraLost  bool   // the device is dead
}

type facts struct {
	Facts
	station, version string
}

// Options are what New needs.
type Options struct {
	Names       Names
	Station     string // site/line/name, for Station/Name
	Version     string // of the agent
	Overlap     time.Duration
	Queue       Verdicts
	SessionFile *SessionFile
}

// Node is the state machine. It belongs to one goroutine, except Opening.
type Node struct {
	names Names
	host  host
	feed  feed

	facts  facts // as last told
	bdSeq  uint8 // of this connection
	seq    uint8 // of the next message
	born   bool  // NBIRTH is sent, NDEATH is not
	device bool  // DBIRTH is sent, DDEATH is not
	begun  bool  // a DBIRTH was sent in this session
}

// New makes a node that is not connected.
func New(o Options) *Node {
	return &Node{
		names: o.Names,
		feed:  feed{queue: o.Queue, file: o.SessionFile, overlap: o.Overlap},
		facts: facts{station: o.Station, version: o.Version},
	}
}

// Names are those of the station.
func (n *Node) Names() Names { return n.names }

// Born says whether a session is on: births are sent, and the death is not.
func (n *Node) Born() bool { return n.born }

// Will prepares a connection and returns its will.
func (n *Node) Will(now time.Time) Message {
	n.host.forget()
	n.born, n.device, n.begun = false, false, false
	n.bdSeq = n.feed.file.next()
	return n.death(now)
}

// Opening is called when the CONNECT packet with that will is about to leave. A connection that is
// refused before does not count. It may be called from another goroutine, while none of the other
// methods are.
func (n *Node) Opening() error { return n.feed.file.use(n.bdSeq) }

// Begin is called when the subscriptions stand. It returns the births, unless they have to wait for
// the primary host.
func (n *Node) Begin(f Facts, now time.Time) ([]Message, error) {
	n.facts.Facts = f
	if n.names.Host != "" && !n.host.online {
		return nil, nil
	}
	return n.births(now)
}

// ErrHostOffline ends a session: the primary host has gone.
var ErrHostOffline = errors.New("the primary host is offline, verdicts wait in the journal")

// State takes a message on Names.State: births when the host came, and when it went during a
// session ErrHostOffline with the death, after which the connection must end. Another error is a
// message that makes no sense and changes nothing.
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

// AsksForRebirth reads a message on Names.Command. Nothing else can be asked for.
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

// Rebirth answers a host that asks for it. Before the births there is nothing to repeat.
func (n *Node) Rebirth(now time.Time) ([]Message, error) {
	if !n.born {
		return nil, nil
	}
	return n.births(now)
}

// Update tells what has changed since it was last told.
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

// Next returns the next DDATA, or nil when there is none. Of history it is one message, and only
// when the caller wants it: a broker drops what a host cannot take in time.
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

// End returns the death, which the broker must have before an intended DISCONNECT. Without births
// there is none.
func (n *Node) End(now time.Time) []Message {
	if !n.born {
		return nil
	}
	n.born, n.device = false, false
	return []Message{n.death(now)}
}

// Lost is called when a connection has ended, in whatever way. What was sent just before will be
// sent again.
func (n *Node) Lost(now time.Time) error {
	n.feed.settle(now)
	n.feed.sent = nil
	n.born, n.device = false, false
	return n.feed.file.save()
}

// Save notes on disk what counts as delivered; after a crash, less is sent again.
func (n *Node) Save() error { return n.feed.file.save() }

// births is the whole birth sequence.
func (n *Node) births(now time.Time) ([]Message, error) {
	n.seq, n.born, n.device = 0, true, false
	bdSeq := bdSeqMetric(n.bdSeq, now)
	bdSeq.Alias = proto.Uint64(bdSeqAlias)
	all := append([]*spb.Payload_Metric{bdSeq, rebirthMetric(now)}, encodeMetrics(nodeMetrics, firstNodeAlias, n.facts, now, true)...)
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

// deviceBirth shows the latest verdict as the current values.
func (n *Node) deviceBirth(now time.Time) (Message, error) {
	if n.begun {
		n.feed.resume()
	} else {
		n.feed.begin()
	}
	latest, err := n.feed.queue.Recent(1) // after that: what comes in between is sent as it happens
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

// death is NDEATH. It alone has no sequence number, and QoS 1, as the will has.
func (n *Node) death(now time.Time) Message {
	p := &spb.Payload{Timestamp: proto.Uint64(unixMS(now)), Metrics: []*spb.Payload_Metric{bdSeqMetric(n.bdSeq, now)}}
	return Message{Topic: n.names.node("NDEATH"), Payload: encode(p), QoS: 1}
}

// message numbers a payload.
func (n *Node) message(topic string, all []*spb.Payload_Metric, now time.Time) Message {
	p := &spb.Payload{Timestamp: proto.Uint64(unixMS(now)), Metrics: all, Seq: proto.Uint64(uint64(n.seq))}
	n.seq++ // after 255 comes 0
	return Message{Topic: topic, Payload: encode(p)}
}
