package uplink_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
)

// hostile is a TCP server that poses as a station's broker.
type hostile struct {
	t     *testing.T
	l     net.Listener
	conns chan net.Conn
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{t: t, l: l, conns: make(chan net.Conn)}
	go func() {
		defer close(h.conns)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.conns <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		for c := range h.conns { // one that connected at the last moment
			c.Close()
		}
	})
	return h
}

func (h *hostile) url() string { return "mqtt://" + h.l.Addr().String() }

// accept waits for the station and its first packet.
func (h *hostile) accept() *peer {
	h.t.Helper()
	p := &peer{t: h.t, Conn: <-h.conns}
	h.t.Cleanup(func() { p.Close() })
	p.next("CONNECT")
	return p
}

// peer is a station, seen from the hostile broker.
type peer struct {
	t *testing.T
	net.Conn
}

// next reads packets until one is of this kind.
func (p *peer) next(kind string) packets.ControlPacket {
	p.t.Helper()
	for {
		packet, err := packets.ReadPacket(p)
		if err != nil {
			p.t.Fatalf("want %s: %v", kind, err)
		}
		if strings.HasPrefix(packet.String(), kind) {
			return packet
		}
	}
}

func (p *peer) send(packet packets.ControlPacket) {
	p.t.Helper()
	if err := packet.Write(p); err != nil {
		p.t.Fatal(err)
	}
}

// welcome accepts the connection.
func (p *peer) welcome() { p.send(packets.NewControlPacket(packets.Connack)) }

// grant accepts its subscription.
func (p *peer) grant() {
	s := p.next("SUBSCRIBE").(*packets.SubscribePacket)
	a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	a.MessageID = s.MessageID
	for range s.Topics {
		a.ReturnCodes = append(a.ReturnCodes, 1)
	}
	p.send(a)
}

// publish sends a message to the station.
func (p *peer) publish(topic string, id uint16, payload []byte) {
	m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	m.TopicName, m.Qos, m.MessageID, m.Payload = topic, 1, id, payload
	p.send(m)
}

// ack acknowledges what the station publishes until want is satisfied.
func (p *peer) ack(want func(*packets.PublishPacket) bool) {
	p.t.Helper()
	for {
		m := p.next("PUBLISH").(*packets.PublishPacket)
		a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
		a.MessageID = m.MessageID
		p.send(a)
		if want(m) {
			return
		}
	}
}

// allocated returns the total of all heap allocations so far, bytes.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestAttackEndlessData announces a packet that is too large, at each stage of a connection. The
// station disconnects before it allocates the packet, and delivers its verdicts afterwards.
func TestAttackEndlessData(t *testing.T) {
	sizes := []struct {
		name   string
		length []byte // as MQTT encodes it
	}{
		{"2 GiB", []byte{0x80, 0x80, 0x80, 0x80, 0x08}}, // in five bytes, of which MQTT allows four
		{"256 MiB", []byte{0xff, 0xff, 0xff, 0x7f}},     // the most that MQTT can announce
		{"a bundle and a MiB and a byte", []byte{0x81, 0x80, 0xc0, 0x20}},
	}
	moments := []struct {
		name string
		lead func(p *peer)
	}{
		{"instead of a welcome", func(*peer) {}},
		{"instead of an answer to the subscription", func(p *peer) { p.welcome(); p.next("SUBSCRIBE") }},
		{"later", func(p *peer) { p.welcome(); p.grant(); p.next("PUBLISH") }},
	}
	for _, size := range sizes {
		for _, moment := range moments {
			t.Run(size.name+" "+moment.name, func(t *testing.T) {
				h := newHostile(t)
				j := newJournal(t)
				appendN(t, j, 3)
				u := uplink.New(settings(h.url()), topics, j, quiet, uplink.Options{AcceptPush: true})
				u.SetPauses(time.Millisecond, time.Minute)
				run(t, u)
				p := h.accept()
				moment.lead(p)
				before := allocated()
				if _, err := p.Write(append([]byte{0x30}, size.length...)); err != nil {
					t.Fatal(err)
				}
				sent, chunk := 0, make([]byte, 64<<10)
				var err error
				for sent < 256<<20 && err == nil {
					var n int
					n, err = p.Write(chunk)
					sent += n
				}
				if err == nil {
					t.Fatalf("the station took %d bytes", sent)
				}
				took := allocated() - before
				if took > 8<<20 {
					t.Errorf("it allocated %d bytes", took)
				}
				t.Logf("hung up after %d KiB, most of them in the kernel's buffers; %d KiB allocated", sent>>10, took>>10)

				p = h.accept() // it connects again, subscribes to nothing and sends its verdicts
				p.welcome()
				got := 0
				for got < 3 {
					p.ack(func(m *packets.PublishPacket) bool {
						if m.TopicName == topics.Verdict() {
							got++
						}
						return true
					})
				}
				drain(t, u)
			})
		}
	}
}

// TestAttackRetainedMessage leaves a message at a real broker that is too large for any station.
// The broker would send it after each subscription.
func TestAttackRetainedMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 66 MiB")
	}
	broker := brokertest.Start(t)
	attacker := listen(t, broker.URL())
	attacker.done(attacker.client.Publish(topics.ModelSet(), 1, true, make([]byte, message.MaxBundle+2<<20)))
	j := newJournal(t)
	appendN(t, j, 100)
	log, logger := newLog()
	u := uplink.New(settings(broker.URL()), topics, j, logger, uplink.Options{AcceptPush: true})
	u.SetPauses(time.Millisecond, time.Minute)
	run(t, u)
	drain(t, u)
	log.wait("uplink: bundles and commands paused")
}

// When the quarantine ends, the station receives bundles again, on the same connection.
func TestQuarantineEnds(t *testing.T) {
	h := newHostile(t)
	u := uplink.New(settings(h.url()), topics, newJournal(t), quiet, uplink.Options{AcceptPush: true})
	u.SetPauses(time.Millisecond, time.Minute)
	u.SetQuarantine(100*time.Millisecond, time.Minute)
	run(t, u)
	p := h.accept()
	p.welcome()
	p.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
	p = h.accept()
	p.welcome()
	p.grant()
	p.publish(topics.ModelSet(), 7, []byte("bundle"))
	if m := <-u.Bundles(); string(m.Data) != "bundle" {
		t.Errorf("got %q", m.Data)
	}
}

// TestAttackSlowRetrieval sends a bundle so slowly that nothing else passes. The station notices
// that its pings are not answered.
func TestAttackSlowRetrieval(t *testing.T) {
	h := newHostile(t)
	j := newJournal(t)
	u := uplink.New(settings(h.url()), topics, j, quiet, uplink.Options{AcceptPush: true})
	u.SetPauses(time.Millisecond, time.Minute)
	u.SetQuarantine(time.Minute, 4*time.Second) // the second peer answers no ping: it must be done by then
	run(t, u)
	p := h.accept()
	p.welcome()
	p.grant()
	p.Write([]byte{0x30, 0x80, 0x80, 0x40}) // 1 MiB
	drip := time.NewTicker(5 * time.Millisecond)
	defer drip.Stop()
	drops := 0
	for range drip.C {
		if _, err := p.Write([]byte{0}); err != nil {
			break
		}
		if drops++; drops == 1<<20 {
			t.Fatal("the station waited for the whole message")
		}
	}
	t.Logf("hung up after %d bytes of %d", drops, 1<<20)
	appendN(t, j, 1)
	p = h.accept()
	p.welcome()
	p.grant()
	p.ack(func(m *packets.PublishPacket) bool { return m.TopicName == topics.Verdict() })
	drain(t, u)
}

// TestAttackFloodOfCommands sends commands from a broker that acknowledges no reply. The station
// drops replies instead of collecting them in memory, and obeys again after the flood.
func TestAttackFloodOfCommands(t *testing.T) {
	const flood = 30_000
	h := newHostile(t)
	u := uplink.New(settings(h.url()), topics, newJournal(t), quiet, uplink.Options{Commands: []string{"confirm"}})
	run(t, u)
	p := h.accept()
	p.welcome()
	p.grant()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	processed, replies := make(chan struct{}), 0
	go func() {
		defer close(processed)
		for {
			switch m := p.next("PUB").(type) {
			case *packets.PublishPacket:
				if m.TopicName == topics.CommandReply() {
					replies++
				}
			case *packets.PubackPacket:
				if m.MessageID == flood%65536 {
					return
				}
			}
		}
	}()
	for i := range flood {
		payload := fmt.Sprintf(`{"id": "%d", "command": "confirm"}`, i)
		if i%3 == 0 {
			payload = strings.Repeat("[", 3<<10) // not a command
		}
		p.publish(topics.Command(), uint16(i+1), []byte(payload))
	}
	<-processed
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d commands, %d replies without an acknowledgement, heap grown by %d KiB", flood, replies, grown>>10)
	if replies > 1 {
		t.Errorf("%d replies were sent, but none was acknowledged", replies)
	}
	if grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}

	(<-u.Commands()).Reply(nil) // of the flood
	go func() {
		for c := range u.Commands() {
			c.Reply(nil)
		}
	}()
	// The only reply in flight is acknowledged, and the queue of replies empties.
	a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	for id := range uint16(64) {
		a.MessageID = id + 1
		p.send(a)
	}
	p.publish(topics.Command(), 1, []byte(`{"id": "last", "command": "confirm"}`))
	p.ack(func(m *packets.PublishPacket) bool {
		if m.TopicName == topics.CommandReply() && !bytes.Contains(m.Payload, []byte(`"last"`)) {
			// the queue was full
			p.publish(topics.Command(), 1, []byte(`{"id": "last", "command": "confirm"}`))
		}
		return m.TopicName == topics.CommandReply() &&
			bytes.Contains(m.Payload, []byte(`{"id":"last","command":"confirm","ok":true`))
	})
}

func TestLongCommandIsNotRead(t *testing.T) {
	broker := brokertest.Start(t)
	online(t, broker, uplink.Options{Commands: []string{"confirm"}})
	technician := listen(t, broker.URL(), topics.CommandReply())
	technician.send(topics.Command(), `{"command": "confirm", "id": "`+strings.Repeat("x", 8<<10)+`"}`)
	r := until(technician, topics.CommandReply(), func(message.CommandReply) bool { return true })
	if r.OK || r.ID != "" || !strings.Contains(r.Error, "the limit is 4096") {
		t.Errorf("got %+v", r)
	}
}

// Ordinary packets pass a bounded connection unchanged, however they are split.
func TestBoundedConnectionChangesNothing(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		var stream bytes.Buffer
		for range 1 + rng.IntN(20) {
			switch rng.IntN(3) {
			case 0:
				packets.NewControlPacket(packets.Pingresp).Write(&stream)
			case 1:
				packets.NewControlPacket(packets.Puback).Write(&stream)
			default:
				m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
				m.TopicName, m.Payload = "x", make([]byte, rng.IntN(40_000))
				m.Write(&stream)
			}
		}
		want := bytes.Clone(stream.Bytes())
		near, far := net.Pipe()
		go func() {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+rng.IntN(3000))
				far.Write(rest[:n])
				rest = rest[n:]
			}
			far.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3})
		}()
		got, err := io.ReadAll(uplink.NewBoundedConn(near, func() {}))
		var size *uplink.PacketSizeError
		if !errors.As(err, &size) || size.Size != 268435455 {
			t.Errorf("seed %d: got %v; want *PacketSizeError", seed, err)
		}
		// Only the first bytes of the oversized packet's header pass.
		if want := append(want, 0x30, 0xff, 0xff, 0xff); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %d bytes were received, %d were sent", seed, len(got), len(want))
		}
	}
}
