package uplink

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	"tirewatch/agent/message"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/net/proxy"
)

// paho makes room for a whole packet as soon as it has read its length, which may be 256 MiB, and a
// broken or hostile broker may announce one after the other. So the connection itself counts: it
// follows the packets and ends where one is announced that is longer than anything we take.
//
//	byte 0     kind and flags
//	byte 1..4  length of the rest, 7 bits each, the lowest first; bit 7: another byte follows
//	...        the rest

// maxPacket bounds what a broker may send in one piece, bytes: a bundle, its topic, and enough
// above that a bundle that is a little too large is refused with a reason.
const maxPacket = message.MaxBundle + 1<<20

// PacketSizeError ends a connection whose other side announces a packet that nobody wants.
type PacketSizeError struct{ Size int } // bytes; of a length that makes no sense 0

func (e *PacketSizeError) Error() string {
	if e.Size == 0 {
		return "the broker sends a packet whose length makes no sense"
	}
	return fmt.Sprintf("the broker sends a packet of %d bytes, accepted are at most %d", e.Size, maxPacket)
}

// boundedConn is a connection that ends before too large a packet. Its state belongs to the
// goroutine that reads.
type boundedConn struct {
	net.Conn
	tell   func() // called once, when it ends
	left   int    // of the rest of a packet, still to come
	digits int    // of the length, read so far; -1: the first byte of a packet is next
	length int    // as far as it is read
	err    error  // once it has ended
}

func newBoundedConn(c net.Conn, tell func()) *boundedConn {
	return &boundedConn{Conn: c, tell: tell, digits: -1}
}

// Read hands on what it reads up to the packet that is too large, without that one's length.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	for i := 0; i < n; {
		if c.left > 0 {
			step := min(c.left, n-i)
			c.left -= step
			i += step
			continue
		}
		if c.err = c.header(p[i]); c.err != nil {
			c.tell()
			c.Conn.Close()
			return i, c.err
		}
		i++
	}
	return n, err
}

// header takes one byte of a packet's head.
func (c *boundedConn) header(b byte) error {
	if c.digits < 0 {
		c.digits, c.length = 0, 0
		return nil
	}
	c.length |= int(b&0x7f) << (7 * c.digits)
	c.digits++
	switch more := b&0x80 != 0; {
	case c.length > maxPacket:
		return &PacketSizeError{Size: c.length}
	case more && c.digits == 4:
		return &PacketSizeError{}
	case !more:
		c.left, c.digits = c.length, -1
	}
	return nil
}

// opener makes connections as paho would, and bounds them. tell is called when one ends for that:
// of what paho reports, the reason is not always part.
func opener(tell func()) mqtt.OpenConnectionFunc {
	return func(broker *url.URL, o mqtt.ClientOptions) (net.Conn, error) {
		conn, err := proxy.FromEnvironmentUsing(o.Dialer).Dial("tcp", broker.Host)
		if err != nil {
			return nil, err
		}
		if broker.Scheme == "mqtts" {
			secure := tls.Client(conn, o.TLSConfig)
			conn.SetDeadline(time.Now().Add(o.ConnectTimeout))
			if err := secure.Handshake(); err != nil {
				conn.Close()
				return nil, err
			}
			conn.SetDeadline(time.Time{})
			conn = secure
		}
		return newBoundedConn(conn, tell), nil
	}
}
