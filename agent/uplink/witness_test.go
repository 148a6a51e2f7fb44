package uplink_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"google.golang.org/protobuf/proto"

	"tirewatch/agent/sparkplug/spb"
)

// event is one packet between a station and its broker, in the order in which the broker saw them.
type event struct {
	visit int // number of the connection, from 0
	// CONNECT, SUBSCRIBE, DISCONNECT, GONE; NBIRTH and so on for a message; STATE or NCMD if the
	// broker sent it
	kind   string
	packet packets.ControlPacket // nil for GONE
	p      *spb.Payload          // of a message, or of the will in CONNECT
}

func (e event) topic() string { return e.publish().TopicName }

func (e event) publish() *packets.PublishPacket { return e.packet.(*packets.PublishPacket) }

func (e event) connect() *packets.ConnectPacket { return e.packet.(*packets.ConnectPacket) }

// metric returns a metric by its name, or nil.
func (e event) metric(name string) *spb.Payload_Metric {
	for _, m := range e.p.GetMetrics() {
		if m.GetName() == name {
			return m
		}
	}
	return nil
}

// witness is a broker with one client, the station, that records everything.
type witness struct {
	t *testing.T
	l net.Listener

	mu     sync.Mutex
	grown  *sync.Cond
	events []event  // guarded by mu
	conn   net.Conn // guarded by mu; the latest connection
	ids    uint16   // guarded by mu; the last id of a message to the station
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{t: t, l: l}
	w.grown = sync.NewCond(&w.mu)
	var wg sync.WaitGroup
	wg.Go(func() {
		for visit := 0; ; visit++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.serve(visit, c) // a station has one connection at a time
		}
	})
	t.Cleanup(func() { l.Close(); w.cut(); wg.Wait() })
	return w
}

func (w *witness) url() string { return "mqtt://" + w.l.Addr().String() }

// serve handles one connection.
func (w *witness) serve(visit int, c net.Conn) {
	defer c.Close()
	w.mu.Lock()
	w.conn = c
	w.mu.Unlock()
	for {
		packet, err := packets.ReadPacket(c)
		if err != nil {
			w.note(event{visit: visit, kind: "GONE"})
			return
		}
		switch p := packet.(type) {
		case *packets.ConnectPacket:
			w.note(event{visit, "CONNECT", p, decoded(w.t, p.WillMessage)})
			packets.NewControlPacket(packets.Connack).Write(c)
		case *packets.SubscribePacket:
			w.note(event{visit, "SUBSCRIBE", p, nil})
			a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID, a.ReturnCodes = p.MessageID, slices.Clone(p.Qoss)
			a.Write(c)
		case *packets.PublishPacket:
			kind := "?"
			if parts := strings.Split(p.TopicName, "/"); len(parts) > 2 {
				kind = parts[2]
			}
			w.note(event{visit, kind, p, decoded(w.t, p.Payload)})
			if p.Qos == 1 {
				a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				a.MessageID = p.MessageID
				a.Write(c)
			}
		case *packets.PingreqPacket:
			packets.NewControlPacket(packets.Pingresp).Write(c)
		case *packets.DisconnectPacket:
			w.note(event{visit, "DISCONNECT", p, nil})
		}
	}
}

func decoded(t *testing.T, payload []byte) *spb.Payload {
	p := new(spb.Payload)
	if err := proto.Unmarshal(payload, p); err != nil {
		t.Errorf("the station sent an invalid Sparkplug payload: %v", err)
	}
	return p
}

func (w *witness) note(e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	w.grown.Broadcast()
}

// wait returns when n events of a kind were seen.
func (w *witness) wait(kind string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for count(w.events, kind) < n {
		w.grown.Wait()
	}
}

// send publishes to the station with QoS 1, as a host would.
func (w *witness) send(kind, topic string, payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	m.TopicName, m.Qos, m.MessageID, m.Payload = topic, 1, w.ids, payload
	w.events = append(w.events, event{kind: kind, packet: m, p: &spb.Payload{}})
	if err := m.Write(w.conn); err != nil {
		w.t.Error(err)
	}
}

// cut ends the connection without a DISCONNECT.
func (w *witness) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		w.conn.Close()
	}
}

// seen returns the events so far.
func (w *witness) seen() []event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

func count(events []event, kind string) (n int) {
	for _, e := range events {
		if e.kind == kind {
			n++
		}
	}
	return n
}
