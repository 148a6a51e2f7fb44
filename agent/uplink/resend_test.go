package uplink_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tirewatch/agent/uplink"
	"tirewatch/vision/verdict"
)

// faultyBroker is a broker that receives verdicts, with faults that script decides.
type faultyBroker struct {
	t      *testing.T
	listen net.Listener
	// script decides for the nth verdict of the cth connection, both from 0, whether it is
	// acknowledged and whether the connection is cut after it.
	script func(c, n int) (ack, cut bool)
	forbid bool // refuse every subscription

	mu    sync.Mutex
	seen  [][]uint64      // guarded by mu; the numbers that arrived, for each connection
	acked map[uint64]bool // guarded by mu; numbers for which an acknowledgement was sent
}

func newFaultyBroker(t *testing.T, script func(c, n int) (ack, cut bool)) *faultyBroker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &faultyBroker{t: t, listen: l, script: script, acked: map[uint64]bool{}}
	var wg sync.WaitGroup
	wg.Go(b.serve)
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return b
}

func (b *faultyBroker) url() string { return "mqtt://" + b.listen.Addr().String() }

func (b *faultyBroker) serve() {
	for c := 0; ; c++ {
		conn, err := b.listen.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.seen = append(b.seen, nil)
		b.mu.Unlock()
		b.talk(c, conn)
		conn.Close()
	}
}

func (b *faultyBroker) talk(c int, conn net.Conn) {
	n := 0
	for {
		packet, err := packets.ReadPacket(conn)
		if err != nil {
			return
		}
		switch p := packet.(type) {
		case *packets.ConnectPacket:
			packets.NewControlPacket(packets.Connack).Write(conn)
		case *packets.SubscribePacket:
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, p.Qoss
			if b.forbid {
				ack.ReturnCodes = bytes.Repeat([]byte{0x80}, len(p.Topics))
			}
			ack.Write(conn)
		case *packets.PublishPacket:
			ack, cut := true, false
			if p.TopicName == topics.Verdict() {
				v, err := verdict.Decode(p.Payload)
				if err != nil {
					b.t.Error(err)
					return
				}
				ack, cut = b.script(c, n)
				n++
				b.mu.Lock()
				b.seen[c] = append(b.seen[c], v.Seq)
				b.acked[v.Seq] = b.acked[v.Seq] || ack
				b.mu.Unlock()
			}
			if ack {
				reply := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				reply.MessageID = p.MessageID
				reply.Write(conn)
			}
			if cut {
				return
			}
		case *packets.DisconnectPacket:
			return
		}
	}
}

// check verifies that numbers rise without a gap within a connection, and that every number up to
// last was acknowledged before it left the queue.
func (b *faultyBroker) check(last uint64) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, seqs := range b.seen {
		for i := range seqs {
			if i > 0 && seqs[i] != seqs[i-1]+1 {
				b.t.Errorf("connection %d: number %d after %d", c, seqs[i], seqs[i-1])
			}
		}
	}
	for seq := uint64(1); seq <= last; seq++ {
		if !b.acked[seq] {
			b.t.Errorf("number %d left the queue but was never acknowledged", seq)
		}
	}
}

// However often and wherever the connection breaks, every verdict arrives, in order.
func TestBrokenConnections(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	// cut at the nth verdict, acknowledge none from the silentth on
	type fault struct{ at, silent int }
	var faults []fault
	for range 8 {
		at := r.IntN(100)
		// less than the window, or the cut would never be reached
		silent := at - r.IntN(min(at+1, 60))
		faults = append(faults, fault{at, silent})
	}
	b := newFaultyBroker(t, func(c, n int) (ack, cut bool) {
		if c >= len(faults) {
			return true, false
		}
		return n < faults[c].silent, n == faults[c].at
	})
	j := newJournal(t)
	appendN(t, j, 400)
	u := uplink.New(settings(b.url()), topics, j, quiet, uplink.Options{})
	u.SetPauses(time.Millisecond, time.Minute)
	run(t, u)
	for range 20 {
		appendN(t, j, 20)
	}
	drain(t, u)
	b.check(800)
}

// When a connected broker stops acknowledging, the station closes the connection and continues with
// a new one.
func TestSilentBroker(t *testing.T) {
	b := newFaultyBroker(t, func(c, n int) (ack, cut bool) { return c > 0 || n < 5, false })
	j := newJournal(t)
	appendN(t, j, 100)
	log, logger := newLog()
	u := uplink.New(settings(b.url()), topics, j, logger, uplink.Options{})
	u.SetPauses(time.Millisecond, 3*time.Second) // a busy machine is not a silent broker
	run(t, u)
	drain(t, u)
	b.check(100)
	log.wait("no acknowledgement within 3s")
	b.mu.Lock()
	defer b.mu.Unlock()
	if open := len(b.seen[0]) - 5; open != 64 {
		t.Errorf("%d verdicts were in flight at once, want 64", open)
	}
	if b.seen[1][0] != 6 {
		t.Errorf("the second connection began with %d, want 6", b.seen[1][0])
	}
}

// A broker that forbids subscriptions still receives the verdicts; the toolbox reports an error.
func TestForbiddenSubscriptions(t *testing.T) {
	b := newFaultyBroker(t, func(c, n int) (ack, cut bool) { return true, false })
	b.forbid = true
	cfg := settings(b.url())
	_, err := uplink.Push(t.Context(), uplink.Target{MQTT: cfg, Station: station}, []byte("bundle"))
	if !errors.Is(err, uplink.ErrForbidden) {
		t.Errorf("push: got %v", err)
	}
	err = uplink.Watch(t.Context(), uplink.WatchOptions{MQTT: cfg, Station: station}, nil)
	if !errors.Is(err, uplink.ErrForbidden) {
		t.Errorf("watch: got %v", err)
	}
	j := newJournal(t)
	appendN(t, j, 1)
	log, logger := newLog()
	u := uplink.New(cfg, topics, j, logger, uplink.Options{})
	run(t, u)
	drain(t, u)
	log.wait("uplink: subscription refused")
}
